/** Roles and grants that only the source's API shows: its own ones exactly, others only added to, people named and left alone. */
import { beforeEach, expect, test } from 'vitest';
import type { OperationEvent } from '../../shared/model/operation-event.ts';
import { compileMapping, SAME_NAMES, type NameMapping } from '../../shared/model/name-mapping.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import type { ClusterRights, Grant, RightsChange, RightsKeeper } from '../../electron/engine/milvus/rights.ts';
import { OperationJournal } from '../../electron/engine/task/operation-journal.ts';
import { RightsCopy } from '../../electron/engine/task/rights-copy.ts';

const search: Grant = { object: 'Collection', objectName: 'orders', database: 'default', privilege: 'Search' };
const insert: Grant = { ...search, privilege: 'Insert' };
const admin = { name: 'admin', members: [], grants: [] };

let events: OperationEvent[];
let notices: string[];
let atSource: ClusterRights;
let atTarget: ClusterRights;
let mapping: NameMapping;
let refuses: (change: RightsChange) => boolean;
const never = new AbortController().signal;

beforeEach(() => {
  events = [];
  notices = [];
  mapping = SAME_NAMES;
  refuses = () => false;
  atSource = { users: ['root'], databases: ['default'], roles: [admin] };
  atTarget = { users: ['root', 'lifeline', 'ann'], databases: ['default'], roles: [admin] };
});

function apply(change: RightsChange): void {
  const roles = new Map(atTarget.roles.map((role) => [role.name, role]));
  const role = roles.get(change.role) ?? { name: change.role, members: [], grants: [] };
  const others = <T>(all: readonly T[], one: T) => all.filter((other) => JSON.stringify(other) !== JSON.stringify(one));
  if (change.operation === 'dropRole') roles.delete(change.role);
  else if (change.operation === 'createRole') roles.set(change.role, role);
  else if (change.operation === 'operateUserRole') {
    const members = others(role.members, change.user);
    roles.set(change.role, { ...role, members: change.isAdded ? [...members, change.user] : members });
  } else {
    const grants = others(role.grants, change.grant);
    roles.set(change.role, { ...role, grants: change.isAdded ? [...grants, change.grant] : grants });
  }
  atTarget = { ...atTarget, roles: [...roles.values()] };
}

function begin(): RightsCopy {
  const store = {
    recordOperation: (event: OperationEvent) => {
      events = [event, ...events.filter(({ id }) => id === undefined || id !== event.id)];
    },
    operations: () => events,
    decideOperation: () => undefined,
    operationDecisions: () => new Map(),
  };
  const journal = new OperationJournal({ store, clock: { now: () => 1 } });
  journal.setSettings({ replicateRights: true });
  const target: RightsKeeper = {
    read: () => Promise.resolve(atTarget),
    change: (change) => {
      if (refuses(change)) throw new ReplicationError('invalidRequest', 'target', 'The target refused it.');
      apply(change);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  return new RightsCopy({
    source: { read: () => Promise.resolve(atSource), close: () => Promise.resolve() },
    target,
    journal,
    clock: { now: () => 1 },
    signal: never,
    mapping: compileMapping(mapping),
    protectedUsers: new Set(['root', 'lifeline']),
    onTarget: (_name, call) => call(never),
    notice: (text) => notices.push(text),
    guard: () => undefined,
  });
}

test('brings over roles, grants and members, names users that are missing, and touches neither root nor its own user', async () => {
  const members = ['ann', 'bob', 'lifeline', 'root'];
  atSource = {
    users: ['root', 'ann', 'bob'],
    databases: ['default'],
    roles: [admin, { name: 'reader', members, grants: [search] }],
  };
  await begin().now();
  expect(atTarget.roles).toEqual([admin, { name: 'reader', members: ['ann'], grants: [search] }]);
  expect(notices.join()).toMatch(/passwords cannot be read: bob\./);
  expect(events.map(({ operation, source, outcome }) => `${operation} ${source} ${outcome}`)).toEqual([
    'operatePrivilege catalogue applied',
    'operateUserRole catalogue applied',
    'createRole catalogue applied',
  ]);
});

test('keeps a role of its own as the source has it after a restart too, and drops it when it is gone there', async () => {
  atSource = {
    users: [],
    databases: ['default'],
    roles: [admin, { name: 'reader', members: ['ann'], grants: [search, insert] }],
  };
  await begin().now();
  atSource = { users: [], databases: ['default'], roles: [admin, { name: 'reader', members: [], grants: [insert] }] };
  await begin().now();
  expect(atTarget.roles.at(-1)).toEqual({ name: 'reader', members: [], grants: [insert] });
  atSource = { users: [], databases: ['default'], roles: [admin] };
  await begin().now();
  expect(atTarget.roles).toEqual([admin]);
});

test('only adds to a role that was there before, and never drops it', async () => {
  atTarget = {
    users: ['ann'],
    databases: ['default'],
    roles: [admin, { name: 'reader', members: ['ann'], grants: [insert] }],
  };
  atSource = { users: [], databases: ['default'], roles: [admin, { name: 'reader', members: [], grants: [search] }] };
  await begin().now();
  expect(atTarget.roles.at(-1)).toEqual({ name: 'reader', members: ['ann'], grants: [insert, search] });
  atSource = { users: [], databases: ['default'], roles: [admin] };
  await begin().now();
  expect(atTarget.roles).toHaveLength(2);
});

test('takes an answer without the roles that every cluster has for no answer', async () => {
  atSource = { users: [], databases: ['default'], roles: [admin, { name: 'reader', members: [], grants: [] }] };
  await begin().now();
  atSource = { users: [], databases: ['default'], roles: [] };
  await begin().now();
  expect(atTarget.roles.map(({ name }) => name)).toEqual(['admin', 'reader']);
});

test('records what the target refuses, says it once, and goes on with the rest', async () => {
  refuses = ({ operation }) => operation === 'operateUserRole';
  atSource = {
    users: ['ann'],
    databases: ['default'],
    roles: [admin, { name: 'reader', members: ['ann'], grants: [search] }],
  };
  const copy = begin();
  await copy.now();
  await copy.now();
  expect(atTarget.roles.at(-1)).toEqual({ name: 'reader', members: [], grants: [search] });
  expect(events.filter(({ outcome }) => outcome === 'failed')).toHaveLength(1);
  expect(notices).toHaveLength(1);
});

test('grants follow their databases and the names that collections have on the target, and come once the database is there', async () => {
  mapping = {
    ...SAME_NAMES,
    collectionSuffix: '_dr',
    rules: [{ from: { database: 'shop' }, to: { database: 'laden' } }],
  };
  const inShop = { ...insert, database: 'shop' };
  const everywhere = { ...search, database: '*', objectName: '*' };
  atSource = {
    users: [],
    databases: ['default', 'shop'],
    roles: [admin, { name: 'reader', members: [], grants: [search, inShop, everywhere] }],
  };
  const copy = begin();
  await copy.now();
  const here = { ...search, database: 'default', objectName: 'orders_dr' };
  expect(atTarget.roles.at(-1)?.grants).toEqual([here, everywhere]);
  const known = events.length;
  await copy.now();
  expect(events).toHaveLength(known);
  atTarget = { ...atTarget, databases: ['default', 'laden'] };
  await copy.now();
  expect(atTarget.roles.at(-1)?.grants).toEqual([here, everywhere, { ...inShop, database: 'laden' }]);
});
