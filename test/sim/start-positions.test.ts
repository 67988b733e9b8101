/** A task that begins where another tool has stopped. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTask } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { memoryMessageId } from '../support/memory-wal.ts';
import { encodeMessage } from '../support/milvus-messages.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const rowsOf = (from: number, to: number, value: string) =>
  Array.from({ length: to - from }, (_unused, index) => ({
    key: BigInt(from + index),
    value: `${value}${from + index}`,
  }));

/** As milvus-cdc gives it. */
const positionOf = (channelName: string, ordinal: bigint, timestamp = 0n): string =>
  Buffer.from(
    encodeMessage('msg.MsgPosition', { channelName, msgID: memoryMessageId(ordinal), timestamp: timestamp.toString() }),
  ).toString('base64');

function begun() {
  const source = new MemorySource(2);
  const orders = source.createCollection('orders', { channels: [0, 1] });
  source.insert(orders, rowsOf(0, 6, 'before'));
  source.tickAll();
  const channel = (index: number) => source.channels[index] ?? source.operationChannel;
  const at = (index: number) => source.wal.latest(channel(index));
  return { source, orders, channel, at };
}

/** What came behind the positions, and nothing that stood before them. */
async function followsFrom(source: MemorySource, orders: SourceCollection, positions: Record<string, string>) {
  source.insert(orders, rowsOf(10, 14, 'after'));
  source.tickAll();
  await using task = new MemoryTask(source, new MemoryTarget());
  const running = task.start({ start: { kind: 'positions', positions } });
  await running.level();
  const rows = task.target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default') ?? [];
  expect(rows.map(({ key }) => key).toSorted()).toEqual([10n, 11n, 12n, 13n]);
  // Another tool may have written some of it.
  expect(task.target.calls).toMatchObject({ upsert: expect.any(Number) });
  expect(task.target.calls.insert).toBeUndefined();
  source.insert(orders, rowsOf(20, 22, 'plain'));
  source.tickAll();
  await running.level();
  expect(task.target.calls.insert).toBeGreaterThan(0);
  await running.stop();
}

async function refusal(source: MemorySource, positions: Record<string, string>) {
  await using task = new MemoryTask(source, new MemoryTarget());
  const running = task.start({ start: { kind: 'positions', positions } });
  const error = await running.level().catch((thrown: unknown) => thrown);
  await running.stop();
  expect(task.store.load()).toBeUndefined();
  return error;
}

describe('a task that begins at given positions', () => {
  test('takes what stands behind that of each shard', async () => {
    const { source, orders, channel, at } = begun();
    await followsFrom(source, orders, {
      [orders.vchannels[0] ?? '']: positionOf(channel(0), at(0)),
      [orders.vchannels[1] ?? '']: positionOf(orders.vchannels[1] ?? '', at(1)),
    });
  });

  test('takes that of a channel for all of its shards', async () => {
    const { source, orders, channel, at } = begun();
    await followsFrom(source, orders, {
      [channel(0)]: positionOf(channel(0), at(0)),
      [channel(1)]: positionOf('', at(1)),
    });
  });

  test('leaves out what is not newer than the timestamp of the position', async () => {
    const { source, orders, channel } = begun();
    const { now } = source;
    await followsFrom(source, orders, {
      [channel(0)]: positionOf(channel(0), 1n, now),
      [channel(1)]: positionOf(channel(1), 1n, now),
    });
  });

  test('follows the operations from their own position', async () => {
    const { source, orders, channel, at } = begun();
    source.createIndex(orders);
    source.tickAll();
    const positions = {
      [channel(0)]: positionOf(channel(0), at(0)),
      [channel(1)]: positionOf(channel(1), at(1)),
    };
    const operations = source.operationChannel;
    await using task = new MemoryTask(source, new MemoryTarget());
    const running = task.start({
      start: {
        kind: 'positions',
        positions: { ...positions, [operations]: positionOf(operations, source.wal.latest(operations)) },
      },
    });
    source.insert(orders, rowsOf(30, 31, 'x'));
    source.tickAll();
    await running.level();
    expect([...(task.target.find({ database: 'default', collection: 'orders' })?.indexes ?? [])]).toEqual(['by_value']);
    await running.stop();
  });
});

describe('positions that cannot be used', () => {
  test('are named with their collections where some are missing', async () => {
    const { source, orders, channel, at } = begun();
    source.createCollection('other', { channels: [1] });
    const error = await refusal(source, { [orders.vchannels[0] ?? '']: positionOf(channel(0), at(0)) });
    expect(error).toMatchObject({ code: 'invalidConfig' });
    expect(String(error)).toContain('No position was given for every shard of default.orders, default.other');
  });

  test.each([
    ['no base64', '%%%', 'It is no base64'],
    ['another message', Buffer.from([0xff, 0xff, 1]).toString('base64'), 'It is no position of Milvus'],
    [
      'no message id',
      Buffer.from(encodeMessage('msg.MsgPosition', { timestamp: '1' })).toString('base64'),
      'no message id',
    ],
    [
      'a message id of another log',
      Buffer.from(encodeMessage('msg.MsgPosition', { msgID: Buffer.from([1]) })).toString('base64'),
      "not one of this log's kind",
    ],
    ['another channel', positionOf('elsewhere', 1n), 'is one of elsewhere'],
  ])('are named with their channel where one is %s', async (_name, text, what) => {
    const { source, channel, at } = begun();
    const error = await refusal(source, { [channel(0)]: positionOf(channel(0), at(0)), [channel(1)]: text });
    expect(error).toMatchObject({ code: 'invalidConfig', context: { channel: channel(1) } });
    expect(String(error)).toContain(channel(1));
    expect(String(error)).toContain(what);
  });

  test('are named where there is no such channel', async () => {
    const { source, channel, at } = begun();
    const positions = {
      [channel(0)]: positionOf(channel(0), at(0)),
      [channel(1)]: positionOf(channel(1), at(1)),
      'by-dev-rootcoord-dml_9_1v0': positionOf('', 1n),
    };
    const error = await refusal(source, positions);
    expect(error).toMatchObject({ code: 'invalidConfig', context: { channel: 'by-dev-rootcoord-dml_9_1v0' } });
  });

  test('are lost where the log no longer keeps them', async () => {
    const { source, channel, at } = begun();
    const positions = {
      [channel(0)]: positionOf(channel(0), at(0)),
      [channel(1)]: positionOf(channel(1), 1n),
    };
    source.tickAll();
    for (const each of source.channels) source.wal.expire(each, source.wal.latest(each));
    expect(await refusal(source, positions)).toMatchObject({ code: 'positionLost' });
  });
});
