/** Roles and grants that only the source's API shows: its own ones exactly, others only added to, people named and left alone. */
import { beforeEach, expect, test } from 'vitest';
import type { OperationDecision, OperationEvent } from '../../shared/model/operation-event.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import { compileMapping, SAME_NAMES, type NameMapping } from '../../shared/model/name-mapping.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import type { ClusterRights, Grant, RightsChange, RightsKeeper } from '../../electron/engine/milvus/rights.ts';
import { OperationJournal } from '../../electron/engine/task/operation-journal.ts';
import { RightsCopy } from '../../electron/engine/task/rights-copy.ts';
import { SerialLane } from '../../electron/engine/runtime/waiting.ts';
import { until } from '../support/memory-engine.ts';

const search: Grant = { object: 'Collection', objectName: 'orders', database: 'default', privilege: 'Search' };
const insert: Grant = { ...search, privilege: 'Insert' };
const looking: Grant = { ...search, object: 'Global', privilege: 'looking', isGroup: true };
const admin = { name: 'admin', members: [], grants: [] };
const reader = { name: 'reader', members: ['ann'], grants: [search] };

let events: OperationEvent[];
let decisions: Map<string, OperationDecision>;
let policies: OperationSettings['policies'];
let journal: OperationJournal;
let notices: string[];
let atSource: ClusterRights;
let atTarget: ClusterRights;
let mapping: NameMapping;
let refuses: (change: RightsChange) => boolean;
const never = new AbortController().signal;

beforeEach(() => {
  events = [];
  decisions = new Map();
  policies = {};
  notices = [];
  mapping = SAME_NAMES;
  refuses = () => false;
  atSource = { users: ['root'], databases: ['default'], roles: [admin] };
  atTarget = { users: ['root', 'lifeline', 'ann'], databases: ['default'], roles: [admin] };
});

const others = <T>(all: readonly T[], one: T) => all.filter((other) => JSON.stringify(other) !== JSON.stringify(one));

function apply(change: RightsChange): void {
  if ('group' in change) {
    const groups = new Map((atTarget.groups ?? []).map((group) => [group.name, group.privileges]));
    if (change.operation === 'dropPrivilegeGroup') groups.delete(change.group);
    else if (!('privileges' in change)) groups.set(change.group, []);
    else {
      const rest = (groups.get(change.group) ?? []).filter((privilege) => !change.privileges.includes(privilege));
      groups.set(change.group, change.isAdded ? [...rest, ...change.privileges] : rest);
    }
    atTarget = { ...atTarget, groups: [...groups].map(([name, privileges]) => ({ name, privileges })) };
    return;
  }
  const roles = new Map(atTarget.roles.map((role) => [role.name, role]));
  const role = roles.get(change.role) ?? { name: change.role, members: [], grants: [] };
  if (change.operation === 'dropRole') roles.delete(change.role);
  else if (change.operation === 'createRole') roles.set(change.role, role);
  else if (change.operation === 'operateUserRole') {
    const members = others(role.members, change.user);
    roles.set(change.role, { ...role, members: change.isAdded ? [...members, change.user] : members });
  } else if ('grant' in change) {
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
    decideOperation: (id: string, decision: OperationDecision) => void decisions.set(id, decision),
    operationDecisions: () => decisions,
  };
  journal = new OperationJournal({ store, clock: { now: () => 1 } });
  journal.takeUp();
  journal.setSettings({ replicateRights: true, ...(policies === undefined ? {} : { policies }) });
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
    lane: new SerialLane(),
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

const toldOf = () => events.toReversed().map(({ operation, object, outcome }) => `${operation} ${object} ${outcome}`);

test('makes privilege groups before the grants that name them, keeps its own as the source has them, and drops them behind', async () => {
  const other = { name: 'other', privileges: ['Load'] };
  const role = { name: 'reader', members: [], grants: [looking] };
  atTarget = { ...atTarget, groups: [other] };
  const groups = [
    { name: 'looking', privileges: ['Search', 'Query'] },
    { name: 'other', privileges: ['Insert'] },
  ];
  atSource = { ...atSource, roles: [admin, role], groups };
  await begin().now();
  expect(atTarget).toMatchObject({
    roles: [admin, role],
    groups: [{ name: 'other', privileges: ['Load', 'Insert'] }, groups[0]],
  });
  expect(toldOf()).toEqual([
    'createPrivilegeGroup looking applied',
    'operatePrivilegeGroup looking + Search, Query applied',
    'operatePrivilegeGroup other + Insert applied',
    'createRole reader applied',
    'operatePrivilegeV2 reader + Global  orders looking applied',
  ]);
  atSource = { ...atSource, groups: [{ name: 'looking', privileges: ['Query', 'Load'] }] };
  await begin().now();
  expect(atTarget.groups).toEqual([
    { name: 'other', privileges: ['Load', 'Insert'] },
    { name: 'looking', privileges: ['Query', 'Load'] },
  ]);
  atSource = { ...atSource, roles: [admin, { ...role, grants: [] }], groups: [] };
  await begin().now();
  expect(atTarget.groups).toEqual([{ name: 'other', privileges: ['Load', 'Insert'] }]);
  expect(toldOf().slice(-2)).toEqual([
    'operatePrivilegeV2 reader − Global  orders looking applied',
    'dropPrivilegeGroup looking applied',
  ]);
});

test('drops no privilege group for a source that knows none', async () => {
  atSource = { ...atSource, groups: [{ name: 'looking', privileges: [] }] };
  await begin().now();
  atSource = { ...atSource, groups: undefined };
  await begin().now();
  expect(atTarget.groups).toEqual([{ name: 'looking', privileges: [] }]);
});

test('a grant of a group has the name that its collection has on the target', async () => {
  mapping = { ...SAME_NAMES, collectionSuffix: '_dr' };
  const groups = [{ name: 'looking', privileges: ['Search'] }];
  const everywhere = { ...looking, objectName: '*' };
  atSource = { ...atSource, roles: [admin, { ...reader, grants: [looking, everywhere] }], groups };
  await begin().now();
  expect(atTarget.roles.at(-1)?.grants).toEqual([{ ...looking, objectName: 'orders_dr' }, everywhere]);
});

test('of a group that the target refuses no grant is tried', async () => {
  refuses = ({ operation }) => operation === 'createPrivilegeGroup';
  const groups = [{ name: 'looking', privileges: ['Search'] }];
  atSource = { ...atSource, roles: [admin, { ...reader, grants: [looking, insert] }], groups };
  const copy = begin();
  await copy.now();
  await copy.now();
  expect(atTarget.roles.at(-1)?.grants).toEqual([insert]);
  expect(toldOf().filter((one) => one.includes('failed'))).toEqual(['createPrivilegeGroup looking failed']);
});

test('what the policy leaves out stands in the history once, with nothing of it on the target, until the policy is another one', async () => {
  policies = { createRole: 'skip' };
  atSource = { ...atSource, roles: [admin, reader] };
  const copy = begin();
  await copy.now();
  await copy.now();
  const later = begin();
  await later.now();
  expect(toldOf()).toEqual(['createRole reader skipped']);
  expect(atTarget.roles).toEqual([admin]);
  journal.setSettings({ replicateRights: true });
  await later.now();
  expect(atTarget.roles).toEqual([admin, reader]);
});

test('what a person is asked about waits with what comes behind it, and what the source has by then is brought over', async () => {
  policies = { createRole: 'ask' };
  atSource = { ...atSource, roles: [admin, reader] };
  const copy = begin();
  const over = copy.now();
  await until(() => journal.waiting().length === 1, 'the question');
  expect(journal.waiting()).toMatchObject([{ operation: 'createRole', object: 'reader' }]);
  expect(toldOf()).toEqual(['createRole reader waiting']);
  expect(atTarget.roles).toEqual([admin]);
  atSource = { ...atSource, roles: [admin, { ...reader, grants: [insert] }] };
  journal.answer(journal.waiting()[0]?.id ?? '', 'apply');
  await over;
  expect(atTarget.roles).toEqual([admin, { ...reader, grants: [insert] }]);
  expect(toldOf()[0]).toBe('createRole reader applied');
});

test('what a person has left out is not asked about again, nor by a later run', async () => {
  policies = { createRole: 'ask' };
  atSource = { ...atSource, roles: [admin, reader] };
  const copy = begin();
  const over = copy.now();
  await until(() => journal.waiting().length === 1, 'the question');
  journal.answer(journal.waiting()[0]?.id ?? '', 'skip');
  await over;
  await copy.now();
  await begin().now();
  expect(toldOf()).toEqual(['createRole reader skipped']);
  expect(atTarget.roles).toEqual([admin]);
});
