/** What the log removes before it was read: found at the start, by a reader, and before a reader comes to it. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { asCollectionId, type PChannel } from '../../shared/model/ids.ts';
import { timeTickToMs } from '../../shared/time/time-tick.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { MemoryTask, settle, until, type RunningEngine } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

const statesOf = (engine: RunningEngine): Record<string, string> =>
  Object.fromEntries(engine.status().collections.map(({ name, state }) => [name, state]));

/** `orders` on both channels, `items` on the first one, `parts` on the second; all level. */
async function followed() {
  const source = new MemorySource(2);
  const task = new MemoryTask(source, new MemoryTarget());
  const orders = source.createCollection('orders', { channels: [0, 1] });
  const items = source.createCollection('items', { channels: [0] });
  const parts = source.createCollection('parts', { channels: [1] });
  source.tickAll();
  const engine = task.start();
  await engine.level();
  const [first, second] = source.channels;
  if (first === undefined || second === undefined) throw new Error('The source has no channels.');
  return { source, task, engine, orders, items, parts, first, second };
}

/** Everything that the channel holds now goes. */
function expireAll(source: MemorySource, channel: PChannel): void {
  source.wal.expire(channel, source.wal.latest(channel) + 1n);
}

describe('changes that the log removed before they were read', () => {
  test('by a reader that is behind hold its collections alone, each with its gap; the channel is read on', async () => {
    const { source, task, engine, orders, items, parts, first } = await followed();
    onTestFinished(() => task[Symbol.asyncDispose]());
    const before = source.now;
    source.wal.hold(first);
    source.insert(items, rowsOf(0, 3, 'lost'));
    source.tickAll();
    expireAll(source, first);
    source.insert(items, rowsOf(3, 6, 'kept'));
    source.tickAll();
    source.wal.release(first);
    await until(() => engine.status().state === 'held', 'the gap to be found');
    source.insert(parts, rowsOf(0, 3, 'afterwards'));
    const born = source.createCollection('born', { channels: [0] });
    source.insert(born, rowsOf(0, 3, 'new'));
    source.tickAll();
    await until(() => engine.status().rowsWritten === 6, 'the others to go on');
    expect(statesOf(engine)).toEqual({ orders: 'held', items: 'held', parts: 'following', born: 'following' });
    expect(engine.status().gaps).toEqual([
      {
        channel: first,
        vchannels: [orders.vchannels[0], items.vchannels[0]],
        collections: ['default.items', 'default.orders'],
        fromMs: timeTickToMs(before),
        toMs: expect.any(Number),
      },
    ]);
    const [held] = engine.status().collections;
    expect(held?.trouble?.error).toMatchObject({
      code: 'positionLost',
      message: expect.stringContaining('Changes of default.orders from'),
    });
    expect(task.store.gaps()).toMatchObject([
      { vchannel: orders.vchannels[0], reason: 'removed', from: { ms: timeTickToMs(before) } },
      { vchannel: items.vchannels[0] },
    ]);
    // The same gap after a restart, and the same history.
    await engine.stop();
    const again = task.start();
    source.insert(born, rowsOf(3, 6, 'newer'));
    source.tickAll();
    await until(() => again.status().rowsWritten === 3, 'the others to go on again');
    expect(statesOf(again)).toEqual({ orders: 'held', items: 'held', parts: 'following', born: 'following' });
    expect(again.status().gaps?.[0]?.collections).toEqual(['default.items', 'default.orders']);
    expect(task.store.gaps()).toHaveLength(2);
    await again.stop();
  });

  test('are found by the watch before a reader comes to them', async () => {
    const { source, task, engine, items, first } = await followed();
    onTestFinished(() => task[Symbol.asyncDispose]());
    source.wal.hold(first);
    source.insert(items, rowsOf(0, 3, 'lost'));
    source.tickAll();
    expireAll(source, first);
    engine.watch();
    await until(() => engine.status().state === 'held', 'the gap to be found');
    expect(statesOf(engine)).toEqual({ orders: 'held', items: 'held', parts: 'following' });
    source.wal.release(first);
    const born = source.createCollection('born', { channels: [0] });
    source.insert(born, rowsOf(0, 3, 'new'));
    source.tickAll();
    await until(() => engine.status().rowsWritten === 3, 'the channel to be read on');
    await engine.stop();
  });

  test('are no news of a collection that is copied anew by the time that the watch hears of them', async () => {
    const { source, task, engine, orders, items, first } = await followed();
    onTestFinished(() => task[Symbol.asyncDispose]());
    source.wal.hold(first);
    source.insert(items, rowsOf(0, 3, 'lost'));
    source.tickAll();
    expireAll(source, first);
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const assertKept = source.wal.assertKept.bind(source.wal);
    source.wal.assertKept = async (channel, resume) => {
      asked.resolve();
      await answered.promise;
      return assertKept(channel, resume);
    };
    engine.watch();
    await asked.promise;
    source.wal.release(first);
    await Promise.all([orders, items].map(({ id }) => engine.recopy(asCollectionId(id))));
    answered.resolve();
    source.tickAll();
    await engine.level();
    expect(statesOf(engine)).toEqual({ orders: 'following', items: 'following', parts: 'following' });
    expect(task.content()).toEqual(source.content());
    expect(task.store.gaps()).toEqual([]);
    await engine.stop();
  });

  test('while the task was stopped are a gap from its first moment on', async () => {
    const { source, task, engine, orders, first } = await followed();
    onTestFinished(() => task[Symbol.asyncDispose]());
    await engine.stop();
    source.insert(orders, rowsOf(0, 6, 'lost'));
    source.tickAll();
    expireAll(source, first);
    source.tickAll();
    const again = task.start();
    await until(() => again.status().gaps !== undefined, 'the gap to be found');
    await settle(50);
    expect(statesOf(again)).toEqual({ orders: 'held', items: 'held', parts: 'following' });
    await again.stop();
  });

  test('are none where nothing was written: a channel that is used no more may be removed to its last message', async () => {
    const source = new MemorySource(2);
    await using task = new MemoryTask(source, new MemoryTarget());
    const gone = source.createCollection('gone', { channels: [0] });
    source.createCollection('stays', { channels: [1] });
    source.tickAll();
    const engine = task.start();
    await engine.level();
    source.dropCollection(gone);
    source.tickAll();
    await engine.level();
    await engine.stop();
    const [first] = source.channels;
    if (first === undefined) throw new Error('The source has no channels.');
    expireAll(source, first);
    const again = task.start();
    await again.level();
    expect(again.status()).toMatchObject({ state: 'following' });
    expect(again.status()).not.toHaveProperty('gaps');
    await again.stop();
  });

  test('are forecast: how long the log keeps is shown for each channel', async () => {
    const { task, engine, first, second } = await followed();
    onTestFinished(() => task[Symbol.asyncDispose]());
    engine.watch();
    await until(() => engine.status().headroom?.length === 2, 'the first look');
    const keptFromMs = expect.any(Number);
    expect(engine.status().headroom).toMatchObject([
      { channel: first, leftMs: null, level: 'ok', keptFromMs },
      { channel: second, leftMs: null, level: 'ok', keptFromMs },
    ]);
    await engine.stop();
  });
});
