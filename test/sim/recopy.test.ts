/**
 * A filled collection is copied again: whatever its copy has become in the meantime, it ends like the source. The changes of
 * the gap stand before S and are never replayed; what the pages and the comparison of keys leave out would stay wrong.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import { MemoryTask, until, type RunningEngine, type StartOptions } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { answerLost, MemoryTarget, refused } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import type { Key } from '../support/wal-builder.ts';
import { useSimulatedTime } from './live.ts';

beforeEach(useQuickTimers);

const COPY = { start: { kind: 'copy', mayLoad: false } } as const satisfies StartOptions;
const KEYS = 12;

const keysOf = ({ hasTextKeys }: SourceCollection, keys: readonly number[]): Key[] =>
  keys.map((key) => (hasTextKeys ? `k${key}` : BigInt(key)));
const rowsOf = (collection: SourceCollection, keys: readonly number[], value: string) =>
  keysOf(collection, keys).map((key) => ({ key, value: `${value}${key}` }));
const upTo = (count: number): number[] => Array.from({ length: count }, (_unused, index) => index);

/** Followed, then stopped: a target that is level. */
async function followed(source: MemorySource, options: Parameters<MemorySource['createCollection']>[1]) {
  const orders = source.createCollection('orders', options);
  source.createIndex(orders);
  source.load(orders);
  source.insert(orders, rowsOf(orders, upTo(KEYS), 'v'));
  if (!orders.hasPartitionKey) {
    source.createPartition(orders, 'p');
    source.createPartition(orders, 'q');
    source.insert(orders, rowsOf(orders, [3, 4, 5], 'p'), 'p');
    source.insert(orders, rowsOf(orders, [3, 9], 'q'), 'q');
  }
  source.tickAll();
  const task = new MemoryTask(source, new MemoryTarget());
  const running = task.start(COPY);
  await running.level();
  await running.stop();
  return { task, orders };
}

/** What happens while nobody follows: nothing of it is ever read from the log. */
function gap(source: MemorySource, orders: SourceCollection): void {
  source.delete(orders, keysOf(orders, [0, 5, 11]));
  source.upsert(orders, rowsOf(orders, [2, 6], 'new'));
  source.insert(orders, rowsOf(orders, [20, 21, 22, 23], 'late'));
  if (!orders.hasPartitionKey) {
    source.dropPartition(orders, 'q');
    source.createPartition(orders, 'r');
    source.insert(orders, rowsOf(orders, [1, 2], 'r'), 'r');
    // Emptied.
    source.delete(orders, keysOf(orders, [3, 4, 5]), 'p');
  }
  source.tickAll();
}

async function isEqual(task: MemoryTask, running: RunningEngine): Promise<void> {
  // A source's clock goes on by itself.
  task.source.tickAll();
  await running.level();
  task.source.tickAll();
  await running.level();
  expect(task.content()).toEqual(task.source.content());
  expect(task.violations).toEqual([]);
  expect(running.status()).toMatchObject({ state: 'following', budgetUsedBytes: 0 });
  await running.stop();
  expect(task.source.wal.openReaders).toBe(0);
}

const SHAPES = {
  'a collection with partitions': { channels: [0, 1] },
  'a collection with a partition key': { channels: [0, 1], hasPartitionKey: true },
  'a collection of text keys': { channels: [1], hasTextKeys: true },
} as const;

describe.each(Object.entries(SHAPES))('%s', (_name, options) => {
  test('ends like its source after a gap, with what was deleted there counted', async () => {
    const source = new MemorySource(2);
    const { task, orders } = await followed(source, options);
    await using ended = task;
    gap(source, orders);
    const kept = keysOf(orders, [7])[0];
    const copy = task.target.find({ database: 'default', collection: 'orders' });
    const missing: string[] = [];
    task.target.onCall = ({ call }) => {
      if (copy?.partitions.get('_default')?.some(({ key }) => key === kept) !== true) missing.push(call);
    };
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    const running = task.start(COPY);
    await isEqual(ended, running);
    // What both sides have all the time is never missing.
    expect(missing).toEqual([]);
    expect(task.store.joins()).toMatchObject([{ isRecopy: true, rowsDeleted: orders.hasPartitionKey ? '3' : '6' }]);
    expect(task.store.load()?.collections).toMatchObject([{ copy: 'joined', isRecopy: false }]);
  });

  test('is written by key alone', async () => {
    const source = new MemorySource(2);
    const { task, orders } = await followed(source, options);
    await using ended = task;
    const inserts = task.target.calls.insert;
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    await isEqual(ended, task.start(COPY));
    expect(task.target.calls.insert).toBe(inserts);
  });
});

describe('a copy that is loaded in the way of the target', () => {
  const find = (task: MemoryTask) => task.target.find({ database: 'default', collection: 'orders' });
  const wishes = { ...COPY, operations: { overrides: { replicaNumber: 2 } } } as const;

  test('and was released there, is loaded so before it is read, since its number of replicas cannot change later', async () => {
    const source = new MemorySource(1);
    const { task, orders } = await followed(source, { channels: [0] });
    await using ended = task;
    const copy = find(task);
    if (copy !== undefined) copy.isLoaded = false;
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    await isEqual(ended, task.start(wishes));
    expect(find(task)).toMatchObject({ isLoaded: true, replicaNumber: 2 });
  });

  test('keeps its replicas where they were wished for otherwise when it was loaded', async () => {
    const source = new MemorySource(1);
    const { task, orders } = await followed(source, { channels: [0] });
    await using ended = task;
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    await isEqual(ended, task.start(wishes));
    expect(find(task)).toMatchObject({ isLoaded: true, replicaNumber: 1 });
  });
});

const CHANGES: Readonly<Record<string, (source: MemorySource, orders: SourceCollection) => void>> = {
  'a key is deleted': (source, orders) => source.delete(orders, [4n]),
  'a key is replaced': (source, orders) => source.upsert(orders, [{ key: 4n, value: 'new' }]),
  'a key is deleted and inserted again': (source, orders) => {
    source.delete(orders, [4n]);
    source.insert(orders, [{ key: 4n, value: 'again' }]);
  },
  'a key of the gap is inserted again': (source, orders) => source.insert(orders, [{ key: 0n, value: 'back' }]),
  'a key behind the last is inserted': (source, orders) => source.insert(orders, [{ key: 99n, value: 'far' }]),
  'a partition is dropped': (source, orders) => source.dropPartition(orders, 'p'),
  'a partition is dropped and made again': (source, orders) => {
    source.dropPartition(orders, 'p');
    source.createPartition(orders, 'p');
    source.insert(orders, [{ key: 4n, value: 'other p' }], 'p');
  },
  'a partition that the copy has is made again': (source, orders) => {
    source.createPartition(orders, 'q');
    source.insert(orders, [{ key: 9n, value: 'other q' }], 'q');
  },
  'the collection is dropped': (source, orders) => source.dropCollection(orders),
  'the collection is dropped and created again': (source, orders) => {
    source.dropCollection(orders);
    const next = source.createCollection('orders', { channels: [1, 0] });
    source.insert(next, [{ key: 4n, value: 'second life' }]);
  },
};

const INSTANTS = [
  ...[0, 2, 3, 4].map((at) => ['page', at] as const),
  ...[0, 1, 3, 6].map((at) => ['keys', at] as const),
  ...[0, 2].map((at) => ['upsert', at] as const),
  ...[0, 1].map((at) => ['delete', at] as const),
];

describe.each(Object.entries(CHANGES))('%s', (_name, change) => {
  test.each(INSTANTS)('around a %s of the copy, at instant %i', async (what, at) => {
    const source = new MemorySource(2);
    const { task, orders } = await followed(source, { channels: [0, 1] });
    await using ended = task;
    gap(source, orders);
    let instant = 0;
    const passed = (): void => {
      if (instant === at) {
        change(source, orders);
        source.tickAll();
      }
      instant += 1;
    };
    if (what === 'page') task.rows.onPage = passed;
    if (what === 'keys') task.keys.onKeys = passed;
    if (what === 'upsert' || what === 'delete') {
      task.target.onCall = ({ call }) => {
        if (call === what) passed();
      };
    }
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    await isEqual(ended, task.start(COPY));
  });
});

test('killed at any step, it ends like the source', { timeout: 300_000 }, async () => {
  for (let killAt = 1; ; killAt += 1) {
    const source = new MemorySource(2);
    const { task, orders } = await followed(source, { channels: [0, 1] });
    await using ended = task;
    gap(source, orders);
    let pages = 0;
    task.rows.onPage = () => {
      pages += 1;
      if (pages === 4) source.upsert(orders, [{ key: 2n, value: 'late' }]);
      if (pages === 6) source.delete(orders, [7n]);
      source.tickAll();
    };
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    const first = task.start({ ...COPY, killAt });
    const isLevel = await first.level().then(
      () => true,
      () => false,
    );
    await first.stop();
    if (isLevel && !first.steps.isDead) break;
    await isEqual(ended, task.start(COPY));
  }
});

describe.each(['upsert', 'delete'] as const)('a %s of a copy afresh', (call) => {
  test.each([
    ['is lost', { kind: 'lose', error: answerLost() } as const],
    ['is done by half', { kind: 'prefix', error: answerLost() } as const],
    ['happens later', { kind: 'late', error: answerLost(), afterMs: 9_000 } as const],
    ['is refused', { kind: 'refuse', error: refused('rateLimited', 'too much') } as const],
  ])('that %s leaves nothing wrong', async (_name, fault) => {
    const source = new MemorySource(2);
    const { task, orders } = await followed(source, { channels: [0, 1] });
    await using ended = task;
    gap(source, orders);
    task.target.script(call, fault);
    task.store.beginRecopy(asCollectionId(orders.id), 'created');
    await isEqual(ended, task.start(COPY));
    expect(task.target.faultsLeft).toBe(0);
  });
});

test('indexes that were replaced in the gap are replaced, and a load that ended is ended', async () => {
  const source = new MemorySource(2);
  const { task, orders } = await followed(source, { channels: [0, 1] });
  await using ended = task;
  // Operations are followed apart from the rows: here the target is what differs.
  const copy = task.target.find({ database: 'default', collection: 'orders' });
  copy?.indexes.clear();
  copy?.indexes.add('another');
  if (copy !== undefined) copy.isLoaded = false;
  gap(source, orders);
  task.store.beginRecopy(asCollectionId(orders.id), 'created');
  await isEqual(ended, task.start(COPY));
});

test('a copy that is gone from the target is made anew', async () => {
  const source = new MemorySource(2);
  const { task, orders } = await followed(source, { channels: [0, 1] });
  await using ended = task;
  task.target.databases.get('default')?.delete('orders');
  gap(source, orders);
  task.store.beginRecopy(asCollectionId(orders.id), 'pending');
  await isEqual(ended, task.start(COPY));
});

test('a collection that the source no longer has is held, with its copy left alone', async () => {
  const source = new MemorySource(2);
  const { task, orders } = await followed(source, { channels: [0, 1] });
  await using ended = task;
  const before = ended.content();
  source.dropCollection(orders);
  source.tickAll();
  task.store.beginRecopy(asCollectionId(orders.id), 'created');
  const running = task.start(COPY);
  await expect(running.level()).rejects.toMatchObject({ code: 'sourceGone' });
  expect(running.status().collections).toMatchObject([{ name: 'orders', state: 'held' }]);
  expect(task.content()).toEqual(before);
  await running.stop();

  // The operator drops it.
  task.target.databases.get('default')?.delete('orders');
  const again = source.createCollection('orders', { channels: [1] });
  source.insert(again, rowsOf(again, [1, 2], 'second life'));
  source.tickAll();
  await isEqual(ended, task.start(COPY));
});

test('one that ends before it is read leaves its name only when nothing that was sent to it can land any more', async () => {
  useSimulatedTime();
  const source = new MemorySource(1);
  const { task, orders } = await followed(source, { channels: [0] });
  await using ended = task;
  const running = task.start(COPY);
  await running.level();
  const isMet = Promise.withResolvers<void>();
  task.target.onFault = () => isMet.resolve();
  task.target.script('insert', { kind: 'late', error: answerLost(), afterMs: 9_000 });
  source.insert(orders, rowsOf(orders, [30], 'given up'));
  source.tickAll();
  await isMet.promise;
  // Behind S, and before the copy looks at it.
  const describe = task.rows.describe.bind(task.rows);
  let isThere = true;
  task.rows.describe = (address, signal) => {
    if (isThere) {
      isThere = false;
      source.dropCollection(orders);
      const again = source.createCollection('orders', { channels: [0] });
      source.insert(again, rowsOf(again, [1, 2], 'second life'));
      source.tickAll();
    }
    return describe(address, signal);
  };
  await running.recopy(asCollectionId(orders.id));
  await until(() => !isThere, 'the collection to end');
  const landed = Promise.withResolvers<void>();
  task.target.onLanding = () => landed.resolve();
  await isEqual(ended, running);
  await landed.promise;
  expect(task.content()).toEqual(source.content());
});

test('another collection is followed meanwhile', async () => {
  const source = new MemorySource(2);
  const { task, orders } = await followed(source, { channels: [0, 1] });
  await using ended = task;
  const other = source.createCollection('other', { channels: [0] });
  source.insert(other, rowsOf(other, [1], 'a'));
  source.tickAll();
  gap(source, orders);
  const held = Promise.withResolvers<void>();
  task.target.script('upsert', { kind: 'hold', until: held.promise }, ({ address }) => address === 'default.orders');
  task.store.beginRecopy(asCollectionId(orders.id), 'created');
  const running = task.start(COPY);
  const writtenRows = () => task.target.find({ database: 'default', collection: 'other' })?.partitions.get('_default');
  await until(() => writtenRows()?.length === 1, 'the other collection to be followed');
  source.insert(other, rowsOf(other, [2], 'a'));
  source.tickAll();
  await until(() => writtenRows()?.length === 2, 'the other collection to be followed on');
  held.resolve();
  await isEqual(ended, running);
});

describe('a copy that another store knows of', () => {
  const find = (target: MemoryTarget) => target.find({ database: 'default', collection: 'orders' });

  test.each(['copy', 'creation'] as const)(
    'is held as unknown by a task that begins with %s, and is taken over by a new copy',
    async (kind) => {
      const source = new MemorySource(2);
      const { task: first, orders } = await followed(source, { channels: [0, 1] });
      await using ended = first;
      gap(source, orders);
      await using second = new MemoryTask(source, ended.target);
      const before = find(ended.target)?.partitions.get('_default')?.length;
      const running = second.start({ start: kind === 'copy' ? COPY.start : { kind } });
      await expect(running.level()).rejects.toMatchObject({ code: 'storeOutdated', side: 'store' });
      expect(running.status().collections).toMatchObject([
        { state: 'held', trouble: { error: { code: 'storeOutdated' }, hint: expect.stringContaining('copy') } },
      ]);
      expect(find(ended.target)?.partitions.get('_default')).toHaveLength(before ?? -1);
      await running.recopy(asCollectionId(orders.id));
      await isEqual(second, running);
      expect(second.store.joins()).toMatchObject([{ isRecopy: true }]);
    },
  );

  test('is made anew where it was dropped meanwhile', async () => {
    const source = new MemorySource(2);
    const { task: first, orders } = await followed(source, { channels: [0, 1] });
    await using ended = first;
    await using second = new MemoryTask(source, ended.target);
    const running = second.start(COPY);
    await expect(running.level()).rejects.toMatchObject({ code: 'storeOutdated' });
    ended.target.databases.get('default')?.delete('orders');
    await running.retry(asCollectionId(orders.id));
    await isEqual(second, running);
    expect(second.store.joins()).toMatchObject([{ collection: 'orders' }]);
  });
});
