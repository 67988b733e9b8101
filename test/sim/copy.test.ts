/** A copy joined to the stream: what happens to a key around its page, drops meanwhile, and a kill at every step. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTask, type StartOptions } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { answerLost, MemoryTarget } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const COPY = { start: { kind: 'copy', mayLoad: false } } as const satisfies StartOptions;

function filled(source: MemorySource, rows = 10): SourceCollection {
  const orders = source.createCollection('orders', { channels: [0, 1] });
  source.createIndex(orders);
  source.load(orders);
  source.insert(
    orders,
    Array.from({ length: rows }, (_unused, index) => ({ key: BigInt(index), value: `v${index}` })),
  );
  source.tickAll();
  // The log has forgotten how it all began.
  for (const channel of source.channels) source.wal.expire(channel, source.wal.latest(channel));
  source.tickAll();
  return orders;
}

async function run(task: MemoryTask): Promise<void> {
  const running = task.start(COPY);
  await running.level();
  expect(task.content()).toEqual(task.source.content());
  expect(task.violations).toEqual([]);
  expect(running.status()).toMatchObject({ state: 'following', budgetUsedBytes: 0 });
  await running.stop();
  expect(task.source.wal.openReaders).toBe(0);
}

test('copies what the log no longer holds, and says what it has proven', async () => {
  const source = new MemorySource(2);
  filled(source);
  await using task = new MemoryTask(source, new MemoryTarget());
  await run(task);
  expect(task.store.joins()).toMatchObject([
    { database: 'default', collection: 'orders', rowsCopied: '10', sourceDoubles: '0', shards: [{}, {}] },
  ]);
  expect(task.target.calls.upsert ?? 0).toBe(0);
});

const CHANGES: Readonly<Record<string, (source: MemorySource, orders: SourceCollection) => void>> = {
  'a key is deleted': (source, orders) => source.delete(orders, [4n]),
  'a key is replaced': (source, orders) => source.upsert(orders, [{ key: 4n, value: 'new' }]),
  'a key is deleted and inserted again': (source, orders) => {
    source.delete(orders, [4n]);
    source.insert(orders, [{ key: 4n, value: 'again' }]);
  },
  'a key is added': (source, orders) => source.insert(orders, [{ key: 100n, value: 'more' }]),
  'a key is added and deleted': (source, orders) => {
    source.insert(orders, [{ key: 101n, value: 'short' }]);
    source.delete(orders, [101n]);
  },
  'the partition is dropped': (source, orders) => {
    source.createPartition(orders, 'p');
    source.insert(orders, [{ key: 5n, value: 'p' }], 'p');
    source.dropPartition(orders, 'p');
  },
  'the collection is dropped': (source, orders) => source.dropCollection(orders),
  'the collection is dropped and created again': (source, orders) => {
    source.dropCollection(orders);
    const next = source.createCollection('orders', { channels: [1, 0] });
    source.insert(next, [{ key: 4n, value: 'second life' }]);
  },
};

describe.each(Object.entries(CHANGES))('%s', (_name, change) => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('around the copy, at instant %i', async (at) => {
    const source = new MemorySource(2);
    const orders = filled(source);
    await using task = new MemoryTask(source, new MemoryTarget());
    let instant = 0;
    task.rows.onPage = () => {
      if (instant === at) {
        change(source, orders);
        source.tickAll();
      }
      instant += 1;
    };
    const running = task.start(COPY);
    await running.level();
    // Changes behind the join as well.
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    await running.stop();
  });
});

test('a partition dropped between its naming and its reading is left to the log', async () => {
  const source = new MemorySource(2);
  const orders = filled(source);
  source.createPartition(orders, 'p');
  source.insert(orders, [{ key: 50n, value: 'p' }], 'p');
  source.tickAll();
  await using task = new MemoryTask(source, new MemoryTarget());
  let isDropped = false;
  task.rows.onPage = () => {
    if (isDropped) return;
    isDropped = true;
    source.dropPartition(orders, 'p');
    source.tickAll();
  };
  await run(task);
});

test('a server that does not find what its catalogue holds is asked again, not taken at its word', async () => {
  const source = new MemorySource(2);
  filled(source);
  await using task = new MemoryTask(source, new MemoryTarget());
  task.rows.misses = 2;
  await run(task);
});

test('rows of one key at the source become one row, and are counted', async () => {
  const source = new MemorySource(2);
  const orders = filled(source);
  source.insert(orders, [{ key: 4n, value: 'v4' }]);
  source.tickAll();
  await using task = new MemoryTask(source, new MemoryTarget());
  const running = task.start(COPY);
  await running.level();
  expect(task.store.joins()).toMatchObject([{ rowsCopied: '10', sourceDoubles: '1' }]);
  await running.stop();
});

test('an answer that was lost while copying doubles nothing', async () => {
  const source = new MemorySource(2);
  filled(source);
  const target = new MemoryTarget();
  target.script('insert', { kind: 'lose', error: answerLost() });
  await using task = new MemoryTask(source, target);
  await run(task);
});

test('killed at any step of copy, replay and join, it ends like the source', { timeout: 300_000 }, async () => {
  for (let killAt = 1; ; killAt += 1) {
    const source = new MemorySource(2);
    const orders = filled(source);
    await using task = new MemoryTask(source, new MemoryTarget());
    let pages = 0;
    task.rows.onPage = () => {
      pages += 1;
      if (pages === 4) source.upsert(orders, [{ key: 2n, value: 'late' }]);
      if (pages === 6) source.delete(orders, [7n]);
      source.tickAll();
    };
    const first = task.start({ ...COPY, killAt });
    const isLevel = await first.level().then(
      () => true,
      () => false,
    );
    await first.stop();
    if (isLevel && !first.steps.isDead) break;
    await run(task);
  }
});
