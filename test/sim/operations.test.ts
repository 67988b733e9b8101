import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { buildOperation } from '../support/wal-builder.ts';
import { MemoryTask, settle, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

async function following() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0, 1] });
  source.tickAll();
  const running = task.start();
  await running.level();
  return { source, target, task, orders, running };
}

describe('operations', () => {
  test('of one collection happen in the order of the log, after the changes before them', async () => {
    const { source, target, task, orders, running } = await following();
    target.turns = () => 3;
    source.insert(orders, rowsOf(0, 4, 'value'));
    source.createIndex(orders);
    source.load(orders);
    source.flush(orders);
    source.releaseLoaded(orders);
    source.dropIndex(orders);
    source.tickAll();
    await running.level();
    const calls = target.log.map(({ call }) => call).filter((call) => /index|load|release|flush|insert/i.test(call));
    expect(calls).toEqual([
      'insert',
      'insert',
      'createIndex',
      'loadCollection',
      'flush',
      'releaseCollection',
      'dropIndex',
    ]);
    expect(task.content()).toEqual(source.content());
  });

  test('wait until every shard has applied the changes before them', async () => {
    const { source, target, orders, running } = await following();
    const held = Promise.withResolvers<void>();
    target.script('insert', { kind: 'hold', until: held.promise });
    source.insert(orders, rowsOf(0, 4, 'value'));
    source.createIndex(orders);
    source.tickAll();
    await until(() => target.calls.insert === 2, 'both writes');
    await settle(50);
    expect(target.calls.createIndex).toBeUndefined();
    expect(running.status().operationsPending).toBe(1);
    held.resolve();
    await running.level();
    expect(target.calls.createIndex).toBe(1);
  });

  test('of a collection that was dropped meanwhile are skipped, and counted', async () => {
    const source = new MemorySource(2);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const old = source.createCollection('orders', { channels: [0] });
    source.createIndex(old);
    source.dropCollection(old);
    const orders = source.createCollection('orders', { channels: [1] });
    source.insert(orders, rowsOf(0, 2, 'value'));
    source.tickAll();
    source.catalog.remembers = false;
    const running = task.start();
    await running.level();
    expect(running.status().skippedOperations).toEqual({ createIndex: 1 });
    expect(task.content()).toEqual(source.content());
  });

  test('of a collection made again are its own, although the drop of the old one has not been applied yet', async () => {
    const { source, target, task, orders, running } = await following();
    const held = Promise.withResolvers<void>();
    target.script('insert', { kind: 'hold', until: held.promise });
    source.insert(orders, rowsOf(0, 2, 'value'));
    source.dropCollection(orders);
    const again = source.createCollection('orders', { channels: [1] });
    source.createIndex(again);
    source.load(again);
    source.tickAll();
    await until(() => target.calls.insert !== undefined, 'the write that is held');
    await settle(50);
    held.resolve();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('that two proxies wrote in another order than that of their times do not stand in the way of a drop', async () => {
    const { source, orders, running } = await following();
    const early = source.nextTick();
    source.dropPartition(orders, '_default');
    const late = source.nextTick();
    const request = { collectionNames: ['orders'] };
    source.wal.append(source.operationChannel, buildOperation('flush', request, late));
    source.wal.append(source.operationChannel, buildOperation('flush', request, early));
    source.tickAll();
    await running.level();
    expect(running.status().operationsPending).toBe(0);
  });

  test('that come while the drop of their collection is under way are left', async () => {
    const { source, target, task, orders, running } = await following();
    const held = Promise.withResolvers<void>();
    target.script('dropCollection', { kind: 'hold', until: held.promise });
    const early = source.nextTick();
    source.dropCollection(orders);
    source.tickAll();
    await until(() => target.calls.dropCollection === 1, 'the drop');
    source.wal.append(source.operationChannel, buildOperation('flush', { collectionNames: ['orders'] }, early));
    await settle(50);
    held.resolve();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.flush).toBeUndefined();
  });

  test('that were done are not repeated after a restart, although an older one of another collection is pending', async () => {
    const { source, target, task, orders, running } = await following();
    const stuck = source.createCollection('stuck', { channels: [0] });
    source.tickAll();
    await running.level();
    target.script('flush', { kind: 'hold', until: new Promise(() => undefined) });
    source.flush(stuck);
    source.createIndex(orders);
    source.load(orders);
    source.releaseLoaded(orders);
    source.dropIndex(orders);
    source.tickAll();
    await until(() => target.calls.dropIndex === 1, 'the last operation');
    await settle(5);
    await running.stop();
    const again = task.start();
    await again.level();
    expect(again.status().state).toBe('following');
    expect(target.calls.loadCollection).toBe(1);
    expect(task.content()).toEqual(source.content());
  });

  test('find their place although the log cannot be reached for a moment', async () => {
    const { source, task, orders, running } = await following();
    const [first] = source.channels;
    if (first === undefined) throw new Error('no channel');
    const down = new ReplicationError('unreachable', 'wal', 'The network is down.');
    source.wal.failNext('bounds', down);
    source.createIndex(orders);
    await until(() => source.wal.faultsLeft === 0, 'the fault');
    source.tickAll();
    await running.level();
    expect(running.status()).toMatchObject({ operationsPending: 0, state: 'following' });
    expect(task.content()).toEqual(source.content());
  });

  test('that the target refuses for good are shown, also where no collection can show them', async () => {
    const { source, target, running } = await following();
    target.script('createDatabase', { kind: 'refuse', error: refused('permissionDenied', 'not yours') });
    source.createDatabase('shop');
    source.tickAll();
    await until(() => running.status().state === 'failed', 'the task to say so');
    expect(running.status().trouble?.error).toMatchObject({ code: 'permissionDenied' });
    await expect(running.level()).rejects.toMatchObject({ code: 'permissionDenied' });
  });

  test('of databases: one that is dropped and made again under its name ends as at the source', async () => {
    const { source, target, task, running } = await following();
    target.turns = () => 2;
    source.createDatabase('shop');
    const first = source.createCollection('orders', { database: 'shop', channels: [0, 1] });
    source.insert(first, rowsOf(0, 4, 'first'));
    source.tickAll();
    source.dropCollection(first);
    source.dropDatabase('shop');
    source.createDatabase('shop');
    const second = source.createCollection('orders', { database: 'shop', channels: [1] });
    source.insert(second, rowsOf(0, 2, 'second'));
    source.createDatabase('empty');
    source.dropDatabase('empty');
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('this version does not know are counted and skipped', async () => {
    const { source, running } = await following();
    source.wal.append(
      source.operationChannel,
      buildOperation('createCredential', { username: 'u' }, source.nextTick()),
    );
    source.tickAll();
    await running.level();
    expect(running.status().skippedOperations).toEqual({ createCredential: 1 });
  });
});
