/** Users, roles, grants and privilege groups that change by what stands in the log, as a seed has it. */
import { beforeEach, expect, test } from 'vitest';
import type { RightsOperation } from '../../electron/engine/target/target.ts';
import { MemoryRights } from '../support/memory-rights.ts';
import { MemoryTask, settle } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { buildOperation } from '../support/wal-builder.ts';
import { Random } from './random-life.ts';

beforeEach(useQuickTimers);

const OPERATIONS = 50;
const SEEDS = 40;
const operations = { replicateRights: true } as const;

const USERS = ['ann', 'bob', 'cid'] as const;
const ROLES = ['reader', 'writer', 'keeper'] as const;
const GROUPS = ['looking', 'changing'] as const;
const PRIVILEGES = ['Search', 'Query', 'Insert', 'Delete', 'Load'] as const;
const DATABASES = ['', 'default', 'shop', '*'] as const;
const COLLECTIONS = ['orders', 'items', '*'] as const;
/** Making is likelier than unmaking, or nothing would ever be there. */
const CHOICE = [
  'createCredential',
  'createCredential',
  'updateCredential',
  'deleteCredential',
  'createRole',
  'createRole',
  'dropRole',
  'operateUserRole',
  'operatePrivilege',
  'operatePrivilege',
  'operatePrivilegeV2',
  'operatePrivilegeV2',
  'createPrivilegeGroup',
  'dropPrivilegeGroup',
  'operatePrivilegeGroup',
] as const satisfies readonly RightsOperation[];

/** The cluster whose users do it, and the requests of what it has taken. */
class RightsLife {
  readonly rights = new MemoryRights();
  readonly random: Random;
  #passwords = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** @returns what went into the log. */
  act(): readonly [RightsOperation, object] {
    for (;;) {
      const operation = this.random.pick(CHOICE);
      const request = this.#request(operation);
      try {
        this.rights.apply(operation, request);
      } catch {
        // What the source refuses is no operation.
        continue;
      }
      return [operation, request];
    }
  }

  #request(operation: RightsOperation): Readonly<Record<string, unknown>> {
    const { random } = this;
    const [username, role, groupName] = [random.pick(USERS), random.pick(ROLES), random.pick(GROUPS)];
    const type = random.below(3) === 0 ? 1 : 0;
    const [dbName, name] = [random.pick(DATABASES), random.pick(COLLECTIONS)];
    const newPassword = `secret ${(this.#passwords += 1)}`;
    switch (operation) {
      case 'createCredential':
        return { username, password: newPassword };
      case 'updateCredential':
        return { username, oldPassword: this.rights.users.get(username) ?? '', newPassword };
      case 'deleteCredential':
        return { username };
      case 'createRole':
        return { entity: { name: role } };
      case 'dropRole':
        return { roleName: role };
      case 'operateUserRole':
        return { username, roleName: role, type };
      case 'operatePrivilege': {
        const grantor = { privilege: { name: random.pick(PRIVILEGES) } };
        const grant = { role: { name: role }, object: { name: 'Collection' }, objectName: name, dbName, grantor };
        return { entity: grant, type };
      }
      case 'operatePrivilegeV2': {
        const privilege = { name: random.pick([...PRIVILEGES, ...GROUPS, ...GROUPS]) };
        return { role: { name: role }, grantor: { privilege }, dbName, collectionName: name, type };
      }
      case 'createPrivilegeGroup':
      case 'dropPrivilegeGroup':
        return { groupName };
      case 'operatePrivilegeGroup':
        return { groupName, privileges: [{ name: random.pick(PRIVILEGES) }, { name: random.pick(PRIVILEGES) }], type };
    }
  }
}

interface Way {
  /** So much of it is done before the task begins, and stands in no log. */
  readonly before: number;
  /** The source's API is asked too. */
  readonly withApi: boolean;
}

async function live(seed: number, { before, withApi }: Way): Promise<Record<string, number>> {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  await using task = new MemoryTask(source, target);
  const random = new Random(seed);
  const life = new RightsLife(random);
  const told: Record<string, number> = {};
  const databases = () => ['default', 'shop'];
  const onTheWay = () => settle(random.below(8));
  const rights = {
    source: life.rights.keeper(databases, onTheWay),
    target: target.rights.keeper(databases, onTheWay),
  };
  const options = { operations, ...(withApi ? { rights } : {}) };
  for (let count = 0; count < before; count += 1) life.act();
  // Nobody can read a password: those users are made by the operator.
  for (const [user, password] of life.rights.users) target.rights.users.set(user, password);
  let running = task.start(options);
  for (let count = 0; count < OPERATIONS; count += 1) {
    const [operation, request] = life.act();
    told[operation] = (told[operation] ?? 0) + 1;
    source.wal.append(source.operationChannel, buildOperation(operation, request, source.nextTick()));
    if (random.below(4) === 0) source.tickAll();
    if (random.below(8) === 0)
      target.script('operateRights', { kind: 'lose', error: refused('unreachable', 'cut off') });
    if (random.below(3) === 0) await settle(random.below(12));
    if (random.below(4) === 0) running.watch();
    if (random.below(10) > 0) continue;
    await running.stop();
    running = task.start({ ...options, ...(random.below(3) === 0 ? {} : { killAt: 1 + random.below(60) }) });
  }
  await running.stop();
  running = task.start(options);
  source.tickAll();
  await running.level();
  expect(target.rights.content()).toEqual(life.rights.content());
  const events = task.store.operations();
  expect(JSON.stringify(events)).not.toContain('secret');
  // By two ways at once one of them may find done, or gone, what it is about to do.
  if (!withApi) {
    expect(events.filter(({ outcome }) => outcome !== 'applied')).toEqual([]);
    expect(running.status().notices).toEqual([]);
  }
  return told;
}

test.each([
  ['in the log', { before: 0, withApi: false }],
  ['in the log, behind others that only the API shows', { before: 30, withApi: true }],
])(
  'fifty operations %s end in equal rights, whatever answers are lost and wherever the engine is killed',
  { timeout: 60_000 },
  async (_where, way) => {
    const told: Record<string, number> = {};
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      try {
        for (const [name, count] of Object.entries(await live(seed, way))) told[name] = (told[name] ?? 0) + count;
      } catch (error) {
        throw new Error(`Seed ${seed}.`, { cause: error });
      }
    }
    expect(Object.keys(told).toSorted()).toEqual([...new Set<string>(CHOICE)].toSorted());
    expect(Object.values(told).reduce((sum, count) => sum + count, 0)).toBe(OPERATIONS * SEEDS);
  },
);
