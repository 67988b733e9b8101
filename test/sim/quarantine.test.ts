import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import { decodeRecord } from '../../electron/engine/codec/decode.ts';
import { concatBytes, stringField } from '../../electron/engine/codec/wire-write.ts';
import { MemoryTask, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { buildDelete } from '../support/wal-builder.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

/** Of msg.DeleteRequest (milvus-proto d04ae03). */
const SERIALIZED_EXPR_PLAN = 14;

/** A target that refuses one message of `orders`, so many times; `others` goes on. */
async function refusing({ times = 1 } = {}) {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0] });
  const others = source.createCollection('others', { channels: [0] });
  source.insert(orders, rowsOf(0, 5, 'before'));
  source.tickAll();
  const running = task.start();
  await running.level();
  // Tried again it is written by key.
  for (let attempt = 0; attempt < times; attempt += 1) {
    const call = attempt === 0 ? 'insert' : 'upsert';
    target.script(call, { kind: 'refuse', error: refused('invalidRequest', call) }, ({ address }) =>
      address.endsWith('orders'),
    );
  }
  source.insert(orders, rowsOf(5, 10, 'never taken'));
  source.tickAll();
  source.upsert(orders, rowsOf(3, 8, 'behind'));
  source.insert(others, rowsOf(0, 5, 'goes on'));
  source.tickAll();
  await until(() => running.quarantine().length === 1, 'the message to be kept');
  const id = asCollectionId(orders.id);
  const stateOf = () => running.status().collections.find((one) => one.id === orders.id.toString())?.state;
  await until(() => stateOf() === 'failed', 'the collection to stop');
  return { source, target, task, running, orders, id, stateOf };
}

const only = <T>(list: readonly T[]): T => {
  const [first] = list;
  if (first === undefined || list.length > 1) throw new Error(`There are ${list.length}.`);
  return first;
};

test('a message that is never taken is kept with its bytes, its place and the reason', async () => {
  const { running, orders } = await refusing();
  const kept = only(running.quarantine());
  expect(kept).toMatchObject({
    collectionId: orders.id.toString(),
    collection: 'orders',
    kind: 'insert',
    rowCount: 5,
    cause: { code: 'invalidRequest', side: 'target' },
  });
  expect(decodeRecord(running.quarantinedBytes(kept.id))).toMatchObject({ kind: 'insert', rowCount: 5 });
});

test('nothing later of its collection overtakes it, and the others go on', async () => {
  const { target, running } = await refusing();
  const rowsIn = (collection: string) =>
    target.find({ database: 'default', collection })?.partitions.get('_default') ?? [];
  await until(() => rowsIn('others').length === 5, 'the others');
  expect(rowsIn('orders').map(({ value }) => value)).not.toContain('behind-3');
  expect(rowsIn('orders')).toHaveLength(5);
  expect(running.quarantine()).toHaveLength(1);
});

test('tried again it is kept as often as it is refused, and gone when it is taken', async () => {
  const { source, task, running, id, stateOf } = await refusing({ times: 4 });
  for (let attempt = 0; attempt < 6 && stateOf() === 'failed'; attempt += 1) {
    await running.retry(id);
    await running.level().catch(() => undefined);
  }
  await running.level();
  expect(running.quarantine()).toEqual([]);
  expect(task.content()).toEqual(source.content());
});

test('left out with a reason it stays left out after a restart, and the reason stays', async () => {
  const { source, target, task, running, orders } = await refusing();
  await running.skip(only(running.quarantine()).id, 'a test record');
  await running.level();
  await running.stop();
  const again = task.start();
  source.insert(orders, rowsOf(20, 25, 'later'));
  source.tickAll();
  await again.level();
  expect(only(again.quarantine()).decision).toMatchObject({ kind: 'skip', reason: 'a test record' });
  const rows = target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default') ?? [];
  // Of the message's keys 5 to 9 those that came again later are there.
  const keys = rows.map(({ key }) => Number(key)).toSorted((one, other) => one - other);
  expect(keys).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23, 24]);
});

test('one that is not there any more is said to be so', async () => {
  const { running } = await refusing();
  await expect(running.skip('nothing', 'none')).rejects.toMatchObject({ code: 'notFound' });
  expect(() => running.quarantinedBytes('nothing')).toThrow(/no quarantined message/);
});

test('a delete by condition, which names no keys, is refused by a sentence, and nothing later of its collection overtakes it', async () => {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0] });
  source.insert(orders, rowsOf(0, 5, 'before'));
  source.tickAll();
  const running = task.start();
  await running.level();
  const [vchannel = ''] = orders.vchannels;
  const byKeys = buildDelete(
    { collection: orders, partition: undefined, vchannel, tick: source.nextTick(), messageId: 900n },
    [0n],
  );
  const [channel] = source.channels;
  if (channel === undefined) throw new Error('The source has no channel.');
  source.wal.append(channel, concatBytes([byKeys, stringField(SERIALIZED_EXPR_PLAN, 'price > 3')]));
  source.insert(orders, rowsOf(5, 10, 'behind'));
  source.tickAll();
  await until(() => running.quarantine().length === 1, 'the message to be kept');
  expect(only(running.quarantine())).toMatchObject({
    collection: 'orders',
    kind: 'delete',
    cause: { code: 'unsupported', message: expect.stringContaining('holds a delete by condition of default.orders') },
  });
  const rows = target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default');
  expect(rows?.map(({ key }) => key)).toEqual([0n, 1n, 2n, 3n, 4n]);
  await running.skip(only(running.quarantine()).id, 'Done by hand.');
  source.tickAll();
  await running.level();
  expect(target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default')).toHaveLength(10);
});
