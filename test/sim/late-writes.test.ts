/** Writes that land when nobody expects them any more: the keys of a doubtful window are counted before it is believed. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import { MemoryTask, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { answerLost, MemoryTarget, refused } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import type { Row } from '../support/wal-builder.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

/** Killed with a write under way, and started again: the window is replayed. The collection can be read on the target. */
async function killedInAWrite() {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0] });
  source.createIndex(orders);
  source.load(orders);
  source.insert(orders, rowsOf(0, 5, 'before'));
  source.tickAll();
  const running = task.start();
  await running.level();
  const held = Promise.withResolvers<void>();
  target.script('insert', { kind: 'hold', until: held.promise });
  source.insert(orders, rowsOf(5, 10, 'first'));
  source.delete(orders, [5n]);
  source.tickAll();
  await until(() => (target.calls.insert ?? 0) === 2, 'the write');
  await running.stop();
  const rows = (): Row[] =>
    target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default') ?? [];
  return { source, target, task, orders, rows, id: asCollectionId(orders.id) };
}

const keysOf = (rows: readonly Row[]) => rows.map(({ key }) => Number(key)).toSorted((a, b) => a - b);
const EXPECTED = [0, 1, 2, 3, 4, 6, 7, 8, 9];

test('after a replay the keys that it touched are counted once', async () => {
  const { task, rows } = await killedInAWrite();
  const again = task.start();
  await again.level();
  expect(task.keys.counted).toBeGreaterThan(0);
  expect(keysOf(rows())).toEqual(EXPECTED);
  await again.stop();
  const counted = task.keys.counted;
  const quiet = task.start();
  await quiet.level();
  await quiet.stop();
  // Nothing was written since.
  expect(task.keys.counted).toBe(counted);
});

test.each([
  ['a row twice', 7],
  ['a row that was deleted', 5],
])('a late write that leaves %s is found, and written over', async (_what, key) => {
  const { task, rows } = await killedInAWrite();
  const again = task.start();
  let isLate = true;
  task.keys.onCount = () => {
    // Between the replay and the count.
    if (isLate) rows().push({ key: BigInt(key), value: 'late' });
    isLate = false;
  };
  await until(() => !isLate, 'the count');
  await until(() => keysOf(rows()).length === EXPECTED.length, 'the rows to be written again');
  await again.level();
  expect(keysOf(rows())).toEqual(EXPECTED);
  expect(rows().map(({ value }) => value)).not.toContain('late');
});

test('the checkpoint stays where the window begins until its keys have been counted', async () => {
  const { source, task, orders, id } = await killedInAWrite();
  const stored = () => task.store.load()?.shards.find(({ collectionId }) => collectionId === id)?.checkpoint.tick;
  const before = stored();
  const again = task.start();
  const counted = Promise.withResolvers<void>();
  const isAsked = Promise.withResolvers<void>();
  task.keys.onCount = () => {
    isAsked.resolve();
    return counted.promise;
  };
  await isAsked.promise;
  source.insert(orders, rowsOf(20, 25, 'behind'));
  source.tickAll();
  expect(stored()).toBe(before);
  counted.resolve();
  await again.level();
  await again.stop();
  expect(stored()).not.toBe(before);
});

test('somebody who writes there all the time is named after some attempts', async () => {
  const { task, rows } = await killedInAWrite();
  const again = task.start();
  task.keys.onCount = () => void rows().push({ key: 7n, value: 'another' });
  const trouble = () => again.status().collections[0]?.trouble?.error;
  await until(() => task.keys.counted >= 4 && trouble()?.code === 'doubledRows', 'the collection to stop');
  expect(trouble()?.message).toMatch(/1 rows? of default\.orders/);
});

test('a target that does not answer is not written to a second time', async () => {
  const { source, target, task, orders, rows } = await killedInAWrite();
  const again = task.start();
  await again.level();
  const answers = Promise.withResolvers<void>();
  target.script('insert', { kind: 'lose', error: answerLost() });
  target.script('listDatabases', { kind: 'hold', until: answers.promise });
  source.insert(orders, rowsOf(30, 35, 'lost'));
  source.tickAll();
  await until(() => (target.calls.listDatabases ?? 0) > 0, 'the target to be asked');
  const written = target.calls.upsert ?? 0;
  for (let turn = 0; turn < 200; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(target.calls.upsert ?? 0).toBe(written);
  answers.resolve();
  await again.level();
  expect(keysOf(rows())).toEqual([...EXPECTED, 30, 31, 32, 33, 34]);
});

test('a target that takes writes and answers no queries is followed all the same, and that is said', async () => {
  const { source, task, orders, rows } = await killedInAWrite();
  const again = task.start();
  task.keys.onCount = () => {
    throw refused('invalidRequest', 'queries');
  };
  source.insert(orders, rowsOf(20, 22, 'behind'));
  source.tickAll();
  await again.level();
  expect(keysOf(rows())).toEqual([...EXPECTED, 20, 21]);
  expect(again.status().notices.join('\n')).toMatch(/keys of default\.orders were not counted/);
});
