/** Operations under the operator's policies: skipped ones leave the copy as it is, those that are asked about wait at their place. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { OperationDecision } from '../../shared/model/operation-event.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import type { OperationName } from '../../electron/engine/codec/records.ts';
import { MemoryTask, settle, until, type RunningEngine, waitingIds } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { encodeMessage } from '../support/milvus-messages.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { buildOperation } from '../support/wal-builder.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

async function following(operations: OperationSettings = {}) {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0, 1] });
  const others = source.createCollection('others', { channels: [0] });
  source.tickAll();
  const running = task.start({ operations });
  await running.level();
  const operate = (operation: OperationName, request: object): void => {
    source.wal.append(source.operationChannel, buildOperation(operation, request, source.nextTick()));
  };
  return { source, target, task, orders, others, running, operate };
}

const history = (task: MemoryTask, ...left: readonly string[]): string[] =>
  task.store
    .operations()
    .toReversed()
    .filter(({ operation }) => !left.includes(operation))
    .map(({ operation, object, outcome }) => [operation, object, outcome].filter(Boolean).join(' '));

const MADE = ['createCollection', 'createPartition'];

async function whenAsked(task: MemoryTask): Promise<string> {
  await until(() => waitingIds(task).length > 0, 'a question');
  const [id] = waitingIds(task);
  if (id === undefined) throw new Error('no question');
  return id;
}

describe('an operation whose policy is to skip', () => {
  test('leaves the copy as it is, is recorded, and is not met again after a restart', async () => {
    const { source, target, task, orders, running } = await following({ policies: { createIndex: 'skip' } });
    source.createIndex(orders);
    source.flush(orders);
    source.tickAll();
    await running.level();
    expect(target.calls.createIndex).toBeUndefined();
    expect(history(task, ...MADE)).toEqual(['createIndex skipped', 'flush applied']);
    await running.stop();
    const again = task.start();
    await again.level();
    expect(target.calls.createIndex).toBeUndefined();
  });

  test('leaves a dropped collection on the target, and what comes under its name is told apart', async () => {
    const { source, target, task, orders, running } = await following({ policies: { dropCollection: 'skip' } });
    source.insert(orders, rowsOf(0, 4, 'kept'));
    source.dropCollection(orders);
    source.tickAll();
    await running.level();
    expect(target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default')).toHaveLength(4);
    expect(history(task, ...MADE)).toEqual(['dropCollection skipped']);
    expect(running.status().notices.join()).toMatch(/stays on the target/);
    source.createCollection('orders', { channels: [1] });
    source.tickAll();
    await until(() => running.status().collections.some(({ state }) => state === 'held'), 'the name to be taken');
  });

  test('leaves a dropped partition with its rows', async () => {
    const { source, target, orders, running } = await following({ policies: { dropPartition: 'skip' } });
    source.createPartition(orders, 'north');
    source.insert(orders, rowsOf(0, 4, 'kept'), 'north');
    source.dropPartition(orders, 'north');
    source.insert(orders, rowsOf(10, 12, 'later'));
    source.tickAll();
    await running.level();
    expect(target.calls.dropPartition).toBeUndefined();
    expect(target.find({ database: 'default', collection: 'orders' })?.partitions.get('north')).toHaveLength(4);
  });
});

describe('an operation whose policy is to ask', () => {
  test('stops its collection at exactly its place while the others go on, and goes on as decided', async () => {
    const { source, target, task, orders, others, running } = await following({ policies: { dropPartition: 'ask' } });
    source.createPartition(orders, 'north');
    source.dropPartition(orders, 'north');
    source.insert(orders, rowsOf(0, 4, 'behind'));
    source.insert(others, rowsOf(0, 4, 'meanwhile'));
    source.tickAll();
    const id = await whenAsked(task);
    const copy = (name: string) => target.find({ database: 'default', collection: name })?.partitions.get('_default');
    await until(() => copy('others')?.length === 4, 'the other collection');
    await settle(50);
    expect(copy('orders')).toHaveLength(0);
    const { state, operationsWaiting, collections } = running.status();
    expect({ state, operationsWaiting }).toEqual({ state: 'held', operationsWaiting: 1 });
    expect(collections.find(({ name }) => name === 'orders')).toMatchObject({
      state: 'held',
      trouble: {
        error: {
          code: 'decisionNeeded',
          message: expect.stringMatching(/the collection waits at that place/),
          context: { operationId: id },
        },
      },
    });
    running.decide(id, 'apply');
    await running.level();
    expect(target.calls.dropPartition).toBe(1);
    expect(running.status()).toMatchObject({ state: 'following', operationsWaiting: 0 });
    expect(task.content()).toEqual(source.content());
    expect(history(task, ...MADE)).toEqual(['dropPartition north applied']);
  });

  test('of the operation channel keeps later operations of its collection behind it, and its drop too', async () => {
    const { source, target, task, orders, running } = await following({ policies: { createIndex: 'ask' } });
    source.createIndex(orders);
    source.load(orders);
    source.tickAll();
    const id = await whenAsked(task);
    source.insert(orders, rowsOf(0, 4, 'meanwhile'));
    source.tickAll();
    const copy = () => target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default');
    await until(() => copy()?.length === 4, 'the rows behind it');
    const { state, collections, stages } = running.status();
    expect(state).toBe('held');
    expect(stages?.bottleneck.stage).not.toBe('blocked');
    expect(collections.find(({ name }) => name === 'orders')).toMatchObject({
      state: 'following',
      trouble: { error: { code: 'decisionNeeded', message: expect.stringMatching(/its rows go on/) } },
    });
    source.dropCollection(orders);
    source.tickAll();
    await settle(50);
    expect(target.calls).not.toHaveProperty('loadCollection');
    expect(target.calls).not.toHaveProperty('dropCollection');
    running.decide(id, 'apply');
    await running.level();
    expect(history(task, ...MADE)).toEqual(['createIndex applied', 'loadCollection applied', 'dropCollection applied']);
  });

  test('that no version knows is shown on the task, can only be skipped, and holds back no other', async () => {
    const { source, task, orders, running } = await following();
    const unknown = encodeMessage('DropIndexRequest', {
      base: { msgType: 2110, timestamp: String(source.nextTick()) },
    });
    source.wal.append(source.operationChannel, unknown);
    source.createIndex(orders);
    source.tickAll();
    const id = await whenAsked(task);
    await until(() => history(task, ...MADE).includes('createIndex applied'), 'the operation behind it');
    const error = { code: 'decisionNeeded', message: expect.stringMatching(/everything else goes on/) };
    expect(running.status()).toMatchObject({ state: 'held', trouble: { error } });
    expect(() => running.decide(id, 'apply')).toThrow(/by hand/);
    running.decide(id, 'skip');
    await running.level();
    expect(running.status()).toMatchObject({ state: 'following', operationsPending: 0 });
  });

  test('of a truncation copies the collection again when it is applied', async () => {
    const { source, task, orders, running, operate } = await following();
    source.insert(orders, rowsOf(0, 4, 'gone'));
    source.tickAll();
    await running.level();
    for (const partition of orders.partitions.values()) partition.rows = [];
    operate('truncateCollection', { dbName: '', collectionName: 'orders' });
    source.tickAll();
    running.decide(await whenAsked(task), 'apply');
    await until(
      () => running.status().collections.some(({ state }) => state === 'copying' || state === 'replaying'),
      'the copy',
    );
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

describe('a truncation', () => {
  const policies = { truncateCollection: 'apply' } as const;

  test('is told as applied when its copy is ordered on disk, and is ordered by the next run where this one ends before', async () => {
    const { source, target, task, orders, running, operate } = await following({ policies });
    source.insert(orders, rowsOf(0, 4, 'gone'));
    source.tickAll();
    await running.level();
    const held = Promise.withResolvers<void>();
    target.script('delete', { kind: 'hold', until: held.promise });
    source.delete(orders, [0n, 1n, 2n, 3n]);
    source.tickAll();
    await until(() => target.calls.delete !== undefined, 'a write to be under way');
    for (const partition of orders.partitions.values()) partition.rows = [];
    operate('truncateCollection', { dbName: '', collectionName: 'orders' });
    source.tickAll();
    await settle(50);
    expect(history(task, ...MADE)).toEqual([]);
    const stopped = running.stop();
    held.resolve();
    await stopped;
    const again = task.start({ operations: { policies } });
    await until(() => history(task, ...MADE).length === 1, 'the copy to be ordered');
    source.tickAll();
    await again.level();
    expect(history(task, ...MADE)).toEqual(['truncateCollection applied']);
    expect(task.store.joins()).toMatchObject([{ collection: 'orders', isRecopy: true }]);
    expect(task.content()).toEqual(source.content());
  });

  test('of what is not there is told', async () => {
    const { source, running, operate } = await following({ policies });
    operate('truncateCollection', { dbName: '', collectionName: 'nowhere' });
    source.tickAll();
    await running.level();
    expect(running.status().skippedOperations).toMatchObject({ truncateCollection: 1 });
  });
});

test('of a collection that is no longer selected nothing waits, and its question is closed', async () => {
  const { source, task, orders, running } = await following({ policies: { dropPartition: 'ask', createIndex: 'ask' } });
  source.createPartition(orders, 'north');
  source.createIndex(orders);
  source.dropPartition(orders, 'north');
  source.tickAll();
  await until(() => waitingIds(task).length === 2, 'both questions');
  await running.select({
    include: [{ database: '*', collection: '*' }],
    exclude: [{ database: '*', collection: 'orders' }],
    later: true,
  });
  expect(waitingIds(task)).toEqual([]);
  source.tickAll();
  await running.level();
  expect(running.status()).toMatchObject({ state: 'following', operationsWaiting: 0, operationsPending: 0 });
  expect(history(task, ...MADE).toSorted()).toEqual(['createIndex skipped', 'dropPartition north skipped']);
});

test('a database that is made and dropped is gone, whenever the engine is stopped in between', async () => {
  for (let turns = 0; turns < 40; turns += 1) {
    const source = new MemorySource(1);
    await using task = new MemoryTask(source, new MemoryTarget());
    source.createDatabase('passing');
    source.dropDatabase('passing');
    source.tickAll();
    const first = task.start();
    await settle(turns);
    await first.stop();
    const second = task.start();
    await second.level();
    expect(task.content(), `stopped after ${turns} turns`).toEqual(source.content());
    expect(history(task).filter((one) => one.includes('skipped'))).toEqual([]);
    await second.stop();
  }
});

describe('killed at any step, an operation that is asked about', () => {
  const policies = { dropPartition: 'ask', createIndex: 'ask', dropCollection: 'ask' } as const;

  /** Decides as soon as it is asked, in whichever life. */
  async function life(task: MemoryTask, running: RunningEngine, decision: OperationDecision): Promise<void> {
    const answering = new AbortController();
    const answers = (async () => {
      while (!answering.signal.aborted && !running.steps.isDead) {
        for (const id of waitingIds(task)) {
          try {
            running.decide(id, decision);
          } catch {
            // Killed in between.
          }
        }
        await settle(1);
      }
    })();
    await Promise.race([running.ended, running.level().catch(() => undefined)]);
    answering.abort();
    await answers;
  }

  async function run(decision: OperationDecision, killAt: number) {
    const source = new MemorySource(2);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0, 1] });
    source.createPartition(orders, 'north');
    source.insert(orders, rowsOf(0, 4, 'north'), 'north');
    source.createIndex(orders);
    source.tickAll();
    source.dropPartition(orders, 'north');
    source.insert(orders, rowsOf(10, 14, 'behind'));
    const gone = source.createCollection('gone', { channels: [1] });
    source.insert(gone, rowsOf(0, 2, 'gone'));
    source.dropCollection(gone);
    source.tickAll();
    const first = task.start({ killAt, operations: { policies } });
    await life(task, first, decision);
    await first.stop();
    const second = task.start({ operations: { policies } });
    await life(task, second, decision);
    expect(second.status()).toMatchObject({ state: 'following', operationsWaiting: 0 });
    expect(task.violations).toEqual([]);
    if (decision === 'apply') expect(task.content()).toEqual(source.content());
    else {
      const copy = target.find({ database: 'default', collection: 'orders' });
      expect(copy?.partitions.get('north')).toHaveLength(4);
      expect(copy?.partitions.get('_default')).toHaveLength(4);
      expect(copy?.indexes.size).toBe(0);
      expect(target.find({ database: 'default', collection: 'gone' })?.partitions.get('_default')).toHaveLength(2);
    }
    const outcome = decision === 'apply' ? 'applied' : 'skipped';
    expect(history(task, ...MADE).toSorted()).toEqual([
      `createIndex ${outcome}`,
      `dropCollection ${outcome}`,
      `dropPartition north ${outcome}`,
    ]);
    return first.steps.names;
  }

  test.each(['apply', 'skip'] as const)(
    'is not asked about twice, and ends as decided: %s',
    { timeout: 90_000 },
    async (decision) => {
      const steps = await run(decision, Number.POSITIVE_INFINITY);
      expect(steps.length).toBeGreaterThan(30);
      for (let killAt = 1; killAt <= steps.length; killAt += 1) {
        await run(decision, killAt).catch((error: unknown) => {
          throw new Error(`killed at ${killAt} (${steps[killAt - 1]})`, { cause: error });
        });
      }
    },
  );
});

describe('rights', () => {
  const user = (username: string, password = 'first') => ({ username, password });

  test('are left alone unless the protection replicates them', async () => {
    const { source, target, task, running, operate } = await following();
    operate('createCredential', user('ann'));
    source.tickAll();
    await running.level();
    expect(target.calls.operateRights).toBeUndefined();
    expect(history(task, ...MADE)).toEqual(['createCredential ann skipped']);
  });

  test('are replicated in their order, but for root and the user that Lifeline signs in with', async () => {
    const { source, target, task, running, operate } = await following({ replicateRights: true });
    operate('createCredential', user('ann'));
    operate('updateCredential', { username: 'ann', oldPassword: 'first', newPassword: 'second' });
    operate('updateCredential', { username: 'root', oldPassword: 'Milvus', newPassword: 'other' });
    operate('deleteCredential', { username: 'lifeline' });
    operate('createRole', { entity: { name: 'reader' } });
    operate('operateUserRole', { username: 'ann', roleName: 'reader' });
    operate('operatePrivilege', { entity: { role: { name: 'reader' }, objectName: 'orders' } });
    operate('createRole', { entity: { name: 'gone' } });
    operate('dropRole', { roleName: 'gone' });
    source.tickAll();
    await running.level();
    expect([...target.rights.users]).toEqual([
      ['root', 'Milvus'],
      ['ann', 'second'],
    ]);
    expect(target.rights.members).toEqual(new Set(['ann is reader']));
    expect([...target.rights.roles.keys()]).toEqual(['admin', 'public', 'reader']);
    const outcomes = history(task, ...MADE);
    expect(outcomes).toContain('updateCredential root skipped');
    expect(outcomes).toContain('deleteCredential lifeline skipped');
    expect(outcomes).toContain('operateUserRole ann / reader applied');
    expect(JSON.stringify(task.store.operations())).not.toMatch(/first|second/);
  });

  test('that the target refuses are recorded, said, and passed over', async () => {
    const { source, task, running, operate } = await following({ replicateRights: true });
    operate('updateCredential', { username: 'before', oldPassword: 'x', newPassword: 'y' });
    operate('createRole', { entity: { name: 'reader' } });
    operate('operateUserRole', { username: 'before', roleName: 'reader' });
    operate('operateUserRole', { username: 'before', roleName: 'never', type: 1 });
    source.tickAll();
    await running.level();
    expect(history(task, ...MADE)).toEqual([
      'updateCredential before failed',
      'createRole reader applied',
      'operateUserRole before / reader failed',
      'operateUserRole before / never applied',
    ]);
    expect(running.status().notices.join()).toMatch(/refused updateCredential of before/);
    expect(running.status()).toMatchObject({ state: 'following' });
  });

  test('are not repeated after a restart, although an older operation is pending', async () => {
    const { source, target, task, orders, running, operate } = await following({ replicateRights: true });
    target.script('flush', { kind: 'hold', until: new Promise(() => undefined) });
    source.flush(orders);
    operate('createCredential', user('ann'));
    operate('updateCredential', { username: 'ann', oldPassword: 'first', newPassword: 'second' });
    operate('deleteCredential', { username: 'ann' });
    source.tickAll();
    await until(() => target.calls.operateRights === 3, 'the last one');
    await settle(5);
    await running.stop();
    const again = task.start({ operations: { replicateRights: true } });
    await again.level();
    expect(target.calls.operateRights).toBe(3);
    expect(target.rights.users.has('ann')).toBe(false);
  });

  test('that were passed over are not tried again by a later run', async () => {
    const { source, target, task, orders, running, operate } = await following({ replicateRights: true });
    target.script('flush', { kind: 'hold', until: new Promise(() => undefined) });
    source.flush(orders);
    operate('dropRole', { roleName: 'reader' });
    operate('operateUserRole', { username: 'ann', roleName: 'reader' });
    source.tickAll();
    await until(() => history(task, ...MADE).includes('operateUserRole ann / reader failed'), 'the refusal');
    await running.stop();
    target.rights.users.set('ann', 'made by hand');
    target.rights.apply('createRole', { entity: { name: 'reader' } });
    await task.start({ operations: { replicateRights: true } }).level();
    expect([...target.rights.members]).toEqual([]);
  });

  test('whose answer was lost end as at the source', async () => {
    const { source, target, running, operate } = await following({ replicateRights: true });
    const lost = refused('unreachable', 'cut off');
    target.script('operateRights', { kind: 'lose', error: lost });
    operate('createCredential', user('ann'));
    source.tickAll();
    await running.level();
    target.script('operateRights', { kind: 'lose', error: lost });
    operate('updateCredential', { username: 'ann', oldPassword: 'first', newPassword: 'second' });
    source.tickAll();
    await running.level();
    expect(target.rights.users.get('ann')).toBe('second');
    expect(running.status().notices.join()).not.toMatch(/refused/);
  });
});

describe('the rest of the operation channel', () => {
  test('brings properties of databases, and what the target cannot do is said', async () => {
    const { source, target, task, running, operate } = await following();
    const properties = [{ key: 'database.replica.number', value: '2' }];
    operate('createDatabase', { dbName: 'shop', properties });
    operate('alterDatabase', { dbName: 'shop', properties: [{ key: 'database.replica.number', value: '3' }] });
    source.tickAll();
    await running.level();
    expect(target.databaseProperties.get('shop')).toBe('[{"key":"database.replica.number","value":"3"}]');
    target.script('alterDatabase', { kind: 'refuse', error: refused('unsupported', 'unknown call') });
    operate('alterDatabase', { dbName: 'shop', properties });
    source.tickAll();
    await running.level();
    expect(history(task, ...MADE)).toEqual(['createDatabase applied', 'alterDatabase applied', 'alterDatabase failed']);
    expect(running.status()).toMatchObject({ state: 'following' });
  });

  test('alters an index in the database of its collection', async () => {
    const { source, target, running, operate } = await following();
    source.createDatabase('shop');
    const items = source.createCollection('items', { database: 'shop', channels: [0] });
    source.createIndex(items);
    operate('alterIndex', { dbName: 'shop', collectionName: 'items', indexName: 'by_value' });
    source.tickAll();
    await running.level();
    expect(target.log.filter(({ call }) => call === 'alterIndex')).toEqual([
      { call: 'alterIndex', address: 'shop.items', partition: '' },
    ]);
  });

  test('makes one of the flushes that pile up behind a slow one', async () => {
    const { source, target, task, orders, running } = await following();
    const held = Promise.withResolvers<void>();
    target.script('flush', { kind: 'hold', until: held.promise });
    for (let count = 0; count < 6; count += 1) source.flush(orders);
    source.tickAll();
    await until(() => target.calls.flush === 1 && running.status().operationsPending === 6, 'all flushes');
    await settle(50);
    held.resolve();
    await running.level();
    expect(target.calls.flush).toBe(2);
    expect(history(task, ...MADE).filter((line) => line === 'flush skipped')).toHaveLength(4);
  });

  test('makes and loads copies as the operator wants them on the target', async () => {
    const overrides = {
      replicaNumber: 2,
      resourceGroups: ['rg'],
      shardNumber: 5,
      consistencyLevel: 'Eventually',
    } as const;
    const { source, target, orders, running } = await following({ overrides });
    source.createIndex(orders);
    source.load(orders);
    source.insert(orders, rowsOf(0, 4, 'value'));
    source.tickAll();
    await running.level();
    expect(target.find({ database: 'default', collection: 'orders' })).toMatchObject({
      shardCount: 5,
      consistencyLevel: 3,
    });
    expect(target.loads).toMatchObject([{ collectionName: 'orders', replicaNumber: 2, resourceGroups: ['rg'] }]);
    running.setOperations({ overrides: { replicaNumber: 1 } });
    source.load(orders);
    source.tickAll();
    await running.level();
    expect(target.loads.at(-1)).toMatchObject({ replicaNumber: 1 });
    expect(target.loads.at(-1)).not.toHaveProperty('resourceGroups');
  });
});
