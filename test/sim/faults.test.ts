import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { MemoryTask, settle, until, within } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { answerLost, MemoryTarget, refused } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

/** A task that follows, with one collection whose rows are beyond doubt: nobody can have written what comes next. */
async function following() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0] });
  const other = source.createCollection('other', { channels: [0, 1] });
  source.tickAll();
  const running = task.start();
  await running.level();
  return { source, target, task, orders, other, running };
}

const unreachable = (): ReplicationError => new ReplicationError('unreachable', 'wal', 'The network is down.');

describe('a target that fails', () => {
  test('blocks its collection while it refuses for a time, and then goes on', async () => {
    const { source, target, task, orders, running } = await following();
    // Time enough between two attempts to look at it.
    vi.setTimerTickMode('manual');
    target.script('insert', { kind: 'refuse', error: refused('rateLimited', 'too many writes') });
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => running.status().state === 'blocked', 'blocked');
    expect(running.status().collections.find(({ name }) => name === 'orders')).toMatchObject({
      state: 'blocked',
      trouble: { error: { code: 'rateLimited' } },
    });
    vi.setTimerTickMode('nextTimerAsync');
    await running.level();
    expect(running.status().state).toBe('following');
    expect(task.content()).toEqual(source.content());
    expect(target.calls.upsert).toBeUndefined();
  });

  test('gets rows whose answer was lost by key, so that nothing is there twice', async () => {
    const { source, target, task, orders, running } = await following();
    target.script('insert', { kind: 'lose', error: answerLost() });
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls).toMatchObject({ insert: 1, upsert: 1 });
  });

  test('gets them by key also when a refusal came between', async () => {
    const { source, target, task, orders, running } = await following();
    target.script('insert', { kind: 'lose', error: answerLost() });
    target.script('upsert', { kind: 'refuse', error: refused('rateLimited', 'too many writes') });
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('stops only the collection that it refuses for good', async () => {
    const { source, target, task, orders, other, running } = await following();
    target.script('insert', { kind: 'refuse', error: refused('invalidRequest', 'no such field') });
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => running.status().state === 'failed', 'failed');
    await expect(running.level()).rejects.toMatchObject({ code: 'invalidRequest' });
    source.insert(other, rowsOf(0, 50, 'value'));
    source.tickAll();
    await until(() => running.status().rowsWritten === 50, 'the other collection to go on');
    expect(task.content()['default']?.['other']).toEqual(source.content()['default']?.['other']);
    const states = Object.fromEntries(running.status().collections.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ orders: 'failed', other: 'following' });
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
    // Mended by somebody, it goes on from its last checkpoint.
    await running.stop();
    const again = task.start();
    await again.level();
    expect(task.content()).toEqual(source.content());
  });

  test('frees the memory of what a failed collection had read and was waiting for a tick', async () => {
    const { source, target, orders, running } = await following();
    target.script('insert', { kind: 'refuse', error: refused('invalidRequest', 'no such field') });
    const [channel] = source.channels;
    if (channel === undefined) throw new Error('no channel');
    source.insert(orders, rowsOf(0, 5, 'value'));
    const tick = source.nextTick();
    source.insert(orders, rowsOf(5, 10, 'behind the tick'));
    source.tick(channel, tick);
    await until(() => running.status().state === 'failed', 'failed');
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
  });

  test('is not written to by a collection that waits for it when the task stops', async () => {
    const { source, target, orders, running } = await following();
    target.script('insert', { kind: 'hold', until: new Promise(() => undefined) });
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => target.calls.insert === 1, 'the write');
    await running.stop();
    expect(target.callsUnderWay).toBe(0);
    const { count } = running.steps;
    await settle(50);
    expect(running.steps.count).toBe(count);
  });

  test('may answer after the stop: nothing more is stored then', async () => {
    const { source, target, orders, running } = await following();
    target.turns = () => 5;
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => target.calls.insert === 1, 'the write');
    await running.stop();
    const { count } = running.steps;
    await settle(50);
    expect(running.steps.count).toBe(count);
  });
});

describe('a log that fails', () => {
  test.each(['open', 'read', 'readAt', 'bounds'] as const)(
    'for a moment in %s is read on where it was',
    async (call) => {
      const { source, task, orders, running } = await following();
      source.wal.failNext(call, unreachable());
      source.wal.failNext('read', unreachable());
      source.insert(orders, rowsOf(0, 5, 'value'));
      source.createIndex(orders);
      source.tickAll();
      await running.level();
      // A fault may also meet the read that follows the last message.
      await until(() => source.wal.faultsLeft <= 1 && running.status().state === 'following', 'following');
      expect(running.status().operationsPending).toBe(0);
      expect(task.content()).toEqual(source.content());
      await running.stop();
      expect(source.wal.openReaders).toBe(0);
    },
  );

  test('at the start for a moment does not end the task', async () => {
    const source = new MemorySource(2);
    await using task = new MemoryTask(source, new MemoryTarget());
    source.insert(source.createCollection('orders', { channels: [0, 1] }), rowsOf(0, 5, 'value'));
    source.tickAll();
    for (const call of ['identity', 'listDataChannels', 'bounds', 'bounds', 'open'] as const) {
      source.wal.failNext(call, unreachable());
    }
    source.catalog.failNext(new ReplicationError('unreachable', 'source', 'The network is down.'));
    const running = task.start();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('whose message cannot be read stops its channel, and the others go on', async () => {
    const { source, orders, other, running } = await following();
    const [, second] = source.channels;
    if (second === undefined) throw new Error('no second channel');
    source.wal.append(second, Uint8Array.of(1, 2, 3));
    source.insert(other, rowsOf(0, 5, 'value'));
    source.insert(orders, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => running.status().state === 'failed', 'failed');
    expect(running.status().trouble?.error).toMatchObject({ code: 'malformedMessage', side: 'wal' });
    await until(() => running.status().rowsWritten === 5, 'the other channel to go on');
    const states = Object.fromEntries(running.status().collections.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ orders: 'following', other: 'failed' });
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
  });
});

describe('a catalogue that fails for a moment', () => {
  test('is asked again for a new collection', async () => {
    const { source, task, running } = await following();
    source.catalog.failNext(new ReplicationError('unreachable', 'source', 'The network is down.'));
    source.insert(source.createCollection('new', { channels: [1, 0] }), rowsOf(0, 5, 'value'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('gives every shard of a new collection one answer', async () => {
    const { source, task, running } = await following();
    const fleeting = source.createCollection('fleeting', { channels: [0, 1] });
    source.insert(fleeting, rowsOf(0, 4, 'value'));
    let asked = 0;
    const find = source.catalog.collection.bind(source.catalog);
    source.catalog.collection = (id) => (asked++ === 0 ? find(id) : Promise.resolve('gone' as const));
    source.dropCollection(fleeting);
    source.tickAll();
    await running.level();
    expect(asked).toBe(1);
    expect(task.content()).toEqual(source.content());
  });
});

describe('a task', () => {
  test('that has not started yet is not level', async () => {
    const source = new MemorySource(1);
    await using task = new MemoryTask(source, new MemoryTarget());
    source.insert(source.createCollection('orders', { channels: [0] }), rowsOf(0, 5, 'value'));
    source.tickAll();
    const running = task.start();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('is not level while a collection that was just made has no tick behind it', async () => {
    const source = new MemorySource(1);
    await using task = new MemoryTask(source, new MemoryTarget());
    source.tickAll();
    const running = task.start();
    await running.level();
    const made = source.createCollection('new', { channels: [0] });
    let isLevel = false;
    const level = running.level().then(() => (isLevel = true));
    await settle(50);
    expect(isLevel).toBe(false);
    source.tickAll();
    await within(level, 'level after the tick');
    expect(task.content()['default']?.[made.name]).toBeDefined();
  });

  test('that is stopped before it has started ends all the same', async () => {
    const source = new MemorySource(1);
    await using task = new MemoryTask(source, new MemoryTarget());
    const running = task.start();
    await running.stop();
    await expect(running.ended).resolves.toBeUndefined();
    expect(source.wal.openReaders).toBe(0);
    expect(source.catalog.watchers).toBe(0);
  });
});
