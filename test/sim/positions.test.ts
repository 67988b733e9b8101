import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MemoryTask, settle, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, type CallRecord } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const into = (name: string) => (record: CallRecord) => record.address === `default.${name}`;

/** `slow` and `quick` share a channel; `slow` has a write that never came back when the task stopped. */
async function stoppedWithOneBehind() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const slow = source.createCollection('slow', { channels: [0] });
  const quick = source.createCollection('quick', { channels: [0] });
  source.tickAll();
  const first = task.start();
  await first.level();
  target.script('insert', { kind: 'hold', until: new Promise(() => undefined) }, into('slow'));
  source.insert(slow, rowsOf(0, 3, 'early'));
  source.insert(quick, rowsOf(0, 3, 'early'));
  source.tickAll();
  source.insert(slow, rowsOf(5, 8, 'late'));
  source.insert(quick, rowsOf(5, 8, 'late'));
  source.tickAll();
  const quickRows = () => target.find({ database: 'default', collection: 'quick' })?.partitions.get('_default') ?? [];
  await until(() => quickRows().length === 6, 'the writes of the one that goes on');
  await settle(5);
  await first.stop();
  return { source, target, task, slow, quick };
}

describe('two shards of one channel with different ticks', () => {
  test('each go on from their own, and nothing is applied twice', async () => {
    const { source, target, task } = await stoppedWithOneBehind();
    const ticks = task.store.load()?.shards.map((shard) => shard.checkpoint.tick) ?? [];
    expect(new Set(ticks).size).toBe(2);
    target.log.length = 0;
    const second = task.start();
    await second.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    // It is looked at, at the start and by the reconciler, and nothing is done to it.
    const done = target.log.filter(into('quick')).map(({ call }) => call);
    expect(done).toEqual(['describeCollection', 'readProperties']);
    const writes = target.log.filter(into('slow')).filter(({ call }) => call === 'insert' || call === 'upsert');
    expect(new Set(writes.map(({ call }) => call))).toEqual(new Set(['upsert']));
  });
});

describe('a drop that an earlier run began', () => {
  test('is finished before the task counts as level', async () => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const first = task.start();
    await first.level();
    target.script('dropCollection', { kind: 'hold', until: new Promise(() => undefined) });
    source.dropCollection(orders);
    source.tickAll();
    await until(() => target.calls.dropCollection === 1, 'the drop');
    await first.stop();
    const held = Promise.withResolvers<void>();
    target.script('dropCollection', { kind: 'hold', until: held.promise });
    const second = task.start();
    let isLevel = false;
    const level = second.level().then(() => (isLevel = true));
    await settle(200);
    expect(isLevel).toBe(false);
    held.resolve();
    await level;
    expect(task.content()).toEqual(source.content());
  });
});

describe('a partition that was dropped and made again under its name', () => {
  test('is not dropped once more by a shard that meets the old drop again after a restart', async () => {
    const source = new MemorySource(2);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0, 1] });
    source.createPartition(orders, 'north');
    source.insert(orders, rowsOf(0, 4, 'old'), 'north');
    source.tickAll();
    const first = task.start();
    await first.level();
    // The second shard never gets an answer to its first write after the drop, so it has the drop before it again.
    let inserts = 0;
    const isSecond = (): boolean => (inserts += 1) === 2;
    target.script('insert', { kind: 'hold', until: new Promise(() => undefined) }, isSecond);
    source.dropPartition(orders, 'north');
    source.createPartition(orders, 'north');
    source.insert(orders, rowsOf(10, 14, 'new'), 'north');
    source.tickAll();
    await until(() => target.calls.insert === 2, 'the writes of both shards');
    await settle(20);
    await first.stop();
    const second = task.start();
    await second.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.dropPartition).toBe(1);
  });
});

describe('a position that is lost', () => {
  test('of one shard holds its collection, and the others of the channel go on', async () => {
    const { source, task, quick } = await stoppedWithOneBehind();
    const [channel] = source.channels;
    if (channel === undefined) throw new Error('no channel');
    const lost = task.store.load()?.shards.map(({ checkpoint }) => checkpoint.resume.ordinal) ?? [];
    source.wal.expire(channel, lost.reduce((a, b) => (a < b ? a : b)) + 1n);
    const second = task.start();
    source.insert(quick, rowsOf(20, 23, 'afterwards'));
    source.tickAll();
    await until(() => second.status().rowsWritten === 3, 'the other collection to go on');
    const states = Object.fromEntries(second.status().collections.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ slow: 'held', quick: 'following' });
    expect(second.status().state).toBe('held');
    await expect(second.level()).rejects.toMatchObject({ code: 'positionLost' });
  });

  test("of a channel's own news stops the channel, and the others go on", async () => {
    const source = new MemorySource(2);
    await using task = new MemoryTask(source, new MemoryTarget());
    const left = source.createCollection('left', { channels: [0] });
    const right = source.createCollection('right', { channels: [1] });
    source.tickAll();
    const first = task.start();
    await first.level();
    await first.stop();
    source.insert(left, rowsOf(0, 3, 'value'));
    source.insert(right, rowsOf(0, 3, 'value'));
    source.tickAll();
    const [channel] = source.channels;
    if (channel === undefined) throw new Error('no channel');
    source.wal.expire(channel, BigInt(source.wal.messagesOf(channel).length));
    const second = task.start();
    await until(() => second.status().rowsWritten === 3, 'the other channel to go on');
    await until(() => second.status().state === 'held', 'held');
    const states = Object.fromEntries(second.status().collections.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ left: 'held', right: 'following' });
  });

  test('because the log was made again is never taken for the old one', async () => {
    const source = new MemorySource(1);
    await using task = new MemoryTask(source, new MemoryTarget());
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const first = task.start();
    await first.level();
    await first.stop();
    const before = task.content();
    const [channel] = source.channels;
    if (channel === undefined) throw new Error('no channel');
    source.wal.recreate(channel);
    for (let round = 0; round < 9; round += 1) source.insert(orders, rowsOf(round, round + 1, 'other'));
    source.tickAll();
    const second = task.start();
    await until(() => second.status().state === 'held', 'held');
    await settle(20);
    expect(task.content()).toEqual(before);
  });
});

describe('another source at the same address', () => {
  test.each([
    ['etcd cluster', (source: MemorySource) => (source.catalog.id = '4712')],
    ['log', (source: MemorySource) => (source.wal.name = 'another')],
  ])('with another %s leaves the task held, and nothing is read', async (_what, change) => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const first = task.start();
    await first.level();
    await first.stop();
    source.insert(orders, rowsOf(0, 3, 'value'));
    source.tickAll();
    change(source);
    const before = { reads: source.wal.calls['read'], opened: source.wal.calls['open'], calls: target.log.length };
    const second = task.start();
    await expect(second.ended).resolves.toMatchObject({ code: 'sourceChanged', side: 'source' });
    expect(second.status()).toMatchObject({ state: 'held', trouble: { error: { code: 'sourceChanged' } } });
    expect({ reads: source.wal.calls['read'], opened: source.wal.calls['open'] }).toEqual({
      reads: before.reads,
      opened: before.opened,
    });
    expect(target.log.slice(before.calls).map(({ call }) => call)).toEqual(['probe']);
  });
});

describe('the copy on the target', () => {
  test('that somebody dropped holds its collection', async () => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    source.createCollection('orders', { channels: [0] });
    source.createCollection('other', { channels: [0] });
    source.tickAll();
    const first = task.start();
    await first.level();
    await first.stop();
    target.databases.get('default')?.delete('orders');
    const second = task.start();
    await until(() => second.status().state === 'held', 'held');
    await expect(second.level()).rejects.toMatchObject({ code: 'targetChanged' });
    const states = Object.fromEntries(second.status().collections.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ orders: 'held', other: 'following' });
  });

  test('is never made over a collection that is not ours', async () => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    source.createCollection('orders', { channels: [0] });
    source.tickAll();
    target.databases.get('default')?.set('orders', {
      id: 1n,
      origin: 'somebody else',
      hasPartitionKey: false,
      shardCount: 1,
      partitions: new Map([['_default', [{ key: 1n, value: 'theirs' }]]]),
      indexes: new Set(),
      isLoaded: false,
      loadedPartitions: new Set(),
    });
    const running = task.start();
    await expect(running.level()).rejects.toMatchObject({ code: 'alreadyExists' });
    expect(target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default')).toHaveLength(1);
  });

  test('is not given partitions of the catalogue while it is being dropped', async () => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const running = task.start();
    await running.level();
    const held = Promise.withResolvers<void>();
    target.script('createPartition', { kind: 'hold', until: held.promise });
    source.createPartition(orders, 'north');
    await until(() => target.calls.createPartition === 1, 'the partition');
    source.dropCollection(orders);
    const again = source.createCollection('orders', { channels: [0] });
    source.insert(again, rowsOf(0, 2, 'again'));
    source.tickAll();
    await settle(50);
    held.resolve();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});
