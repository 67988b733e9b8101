import { beforeEach, describe, expect, test } from 'vitest';
import { StatusBoard, type StatusInput } from '../../../../electron/engine/task/status-board.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { taskStatusSchema, type CollectionStatus } from '../../../../shared/model/task-status.ts';
import { timeTickFromMs } from '../../../../shared/time/time-tick.ts';
import type { WalRecord } from '../../../../electron/engine/codec/records.ts';

const CHANNEL = asPChannel('dml_0');
const BEGAN_MS = 1_700_000_000_000;

let nowMs: number;
let board: StatusBoard;

const collection = (name: string, more: Partial<CollectionStatus> = {}): CollectionStatus => ({
  ...{ id: name, database: 'shop', name, state: 'following', rowsWritten: 0, rowsDeleted: 0 },
  ...{ confirmedMs: nowMs - 300, shardCount: 1 },
  ...more,
});
const snapshot = (collections: readonly CollectionStatus[], more: Partial<StatusInput> = {}) =>
  board.snapshot({
    ...{ taskId: 'task', collections, operationsPending: 0, budgetUsedBytes: 0, budgetPeakBytes: 0 },
    ...more,
  });
const read = (kind: 'timeTick' | 'insert'): void => {
  const tick = timeTickFromMs(nowMs);
  board.messageRead({ kind, messageId: 0n, beginTick: tick, endTick: tick } as WalRecord, 100, CHANNEL);
};

beforeEach(() => {
  nowMs = BEGAN_MS;
  board = new StatusBoard({ now: () => nowMs });
  board.started();
});

describe('the state of a task', () => {
  test('is that it copies until the last copy has ended, then that it replays, then that it follows', () => {
    const copy = { rowsCopied: 0, sourceDoubles: 0 };
    const due = collection('due', { state: 'initializing', copy, confirmedMs: 0 });
    expect(snapshot([collection('a', { state: 'replaying' }), due]).state).toBe('copying');
    expect(snapshot([collection('a'), collection('b', { state: 'copying', copy })]).state).toBe('copying');
    expect(snapshot([collection('a', { state: 'replaying' }), collection('b')]).state).toBe('replaying');
    // Born just now: nothing of it is being copied.
    expect(snapshot([collection('a'), collection('b', { state: 'initializing' })]).state).toBe('following');
  });

  test('is the worst of its collections before all that', () => {
    const copying = collection('a', { state: 'copying' });
    expect(snapshot([copying, collection('b', { state: 'held' })]).state).toBe('held');
    expect(snapshot([copying, collection('b', { state: 'blocked' })]).state).toBe('blocked');
  });
});

describe('the lag of a task', () => {
  test('is that of the collection that is furthest behind', () => {
    const { lagMs, collections } = snapshot([collection('a'), collection('b', { confirmedMs: nowMs - 9_000 })]);
    expect(lagMs.now).toBe(9_000);
    expect(collections.map((one) => one.lagMs)).toEqual([300, 9_000]);
  });

  test('is not known while a collection is copied, and where there is none', () => {
    const status = snapshot([collection('a'), collection('b', { state: 'copying', confirmedMs: 0 })]);
    expect(status.lagMs).not.toHaveProperty('now');
    expect(status.collections[1]).not.toHaveProperty('lagMs');
    expect(status.isInSync).toBe(false);
    expect(snapshot([]).lagMs).not.toHaveProperty('now');
  });

  test('is that of each shard beside it', () => {
    const shards = [
      { vchannel: 'v0', confirmedMs: nowMs - 300 },
      { vchannel: 'v1', confirmedMs: nowMs - 4_000 },
      { vchannel: 'v2', confirmedMs: 0 },
    ];
    const [shown] = snapshot([collection('a', { shards, confirmedMs: 0 })]).collections;
    expect(shown?.shards?.map(({ lagMs }) => lagMs)).toEqual([300, 4_000, undefined]);
    // A thousand shards that keep up would say nothing.
    expect(snapshot([collection('a', { shards })]).collections[0]).not.toHaveProperty('shards');
  });

  test('of confirmed writes is of the last minutes only', () => {
    board.rowsConfirmed(timeTickFromMs(nowMs - 60_000));
    expect(snapshot([]).lagMs).toMatchObject({ p50: 60_000, max: 60_000, samples: 1 });
    nowMs += 4 * 60_000;
    for (let write = 0; write < 99; write += 1) board.rowsConfirmed(timeTickFromMs(nowMs - 100));
    const both = snapshot([]).lagMs;
    expect(both).toMatchObject({ max: 60_000, samples: 100 });
    expect(Math.abs(both.p50 - 100)).toBeLessThanOrEqual(1);
    nowMs += 2 * 60_000;
    expect(snapshot([]).lagMs).toMatchObject({ max: 100, samples: 99 });
    nowMs += 10 * 60_000;
    expect(snapshot([]).lagMs).toEqual({ p50: 0, p99: 0, max: 0, samples: 0 });
  });
});

describe('the stages of a task', () => {
  test('have their throughput over the last seconds', () => {
    expect(snapshot([collection('a')]).stages).not.toHaveProperty('rates');
    for (let second = 1; second <= 30; second += 1) {
      nowMs += 1_000;
      for (let message = 0; message < 20; message += 1) read('insert');
      const copy = { rowsCopied: second * 1_000, sourceDoubles: 0 };
      snapshot([collection('a', { rowsWritten: second * 1_500, rowsDeleted: second * 10, copy })]);
    }
    expect(
      snapshot([
        collection('a', { rowsWritten: 45_000, rowsDeleted: 300, copy: { rowsCopied: 30_000, sourceDoubles: 0 } }),
      ]).stages?.rates,
    ).toEqual({
      messagesReadPerSecond: 20,
      bytesReadPerSecond: 2_000,
      rowsWrittenPerSecond: 510,
      rowsCopiedPerSecond: 1_000,
    });
    nowMs += 10_000;
    expect(
      snapshot([
        collection('a', { rowsWritten: 45_000, rowsDeleted: 300, copy: { rowsCopied: 30_000, sourceDoubles: 0 } }),
      ]).stages?.rates,
    ).toMatchObject({
      messagesReadPerSecond: 0,
      rowsWrittenPerSecond: 0,
    });
  });

  test('are not disturbed by a collection that has gone', () => {
    const gone = collection('a', { rowsWritten: 500, copy: { rowsCopied: 400, sourceDoubles: 0 } });
    snapshot([gone]);
    nowMs += 1_000;
    board.retire(gone);
    expect(snapshot([]).stages?.rates).toMatchObject({ rowsWrittenPerSecond: 0, rowsCopiedPerSecond: 0 });
  });

  test('name a barrier with the shard that is waited for', () => {
    const shards = [
      { vchannel: 'v0', confirmedMs: nowMs - 9_000, waitsFor: 'shards' as const },
      { vchannel: 'v1', confirmedMs: nowMs - 9_500 },
    ];
    expect(snapshot([collection('a', { shards, confirmedMs: nowMs - 9_500 })]).stages?.bottleneck).toEqual({
      stage: 'barrier',
      reason: 'shop.a waits for v1.',
      collection: 'shop.a',
    });
  });

  test('name what blocks, before anything else', () => {
    const error = new ReplicationError('unreachable', 'wal', 'The broker is away.');
    board.observer('dml_0').blocked(error, 1_000);
    expect(snapshot([collection('a')]).stages?.bottleneck).toEqual({ stage: 'blocked', reason: 'The broker is away.' });
  });
});

test('an idle source is one whose clock comes and whose changes do not, since the last of them', () => {
  const channels = [{ channel: CHANNEL, isInUse: true, waitsForMemory: false }];
  read('insert');
  const changed = nowMs;
  for (let second = 0; second < 25; second += 1) {
    nowMs += 1_000;
    read('timeTick');
  }
  const status = snapshot([collection('a')], { channels });
  expect(status).toMatchObject({ isInSync: true, source: { activity: 'idle', sinceMs: changed } });
  // Idle, and yet not in sync: the last change is not confirmed.
  expect(snapshot([collection('a', { confirmedMs: changed - 1 })], { channels })).toMatchObject({
    isInSync: false,
    source: { activity: 'idle' },
  });
  // A channel without a shard gets no clock from Milvus, and one that waits for memory cannot read it.
  nowMs += 60_000;
  read('timeTick');
  for (const more of [{ isInUse: false }, { waitsForMemory: true }]) {
    const others = [{ channel: asPChannel('dml_1'), isInUse: true, waitsForMemory: false, ...more }];
    for (let second = 0; second < 20; second += 1) {
      nowMs += 1_000;
      expect(snapshot([], { channels: others }).source?.activity).not.toBe('silent');
    }
  }
});

test('a status fits what everybody reads it by', () => {
  nowMs += 1_000;
  read('timeTick');
  board.rowsConfirmed(timeTickFromMs(nowMs - 10));
  const status = snapshot([collection('a', { shards: [{ vchannel: 'v0', confirmedMs: nowMs - 300 }] })], {
    channels: [{ channel: CHANNEL, isInUse: true, waitsForMemory: false }],
    rowsWaiting: 4,
    headroom: [{ channel: CHANNEL, leftMs: null, level: 'ok' }],
    gaps: [{ channel: CHANNEL, vchannels: ['v0'], collections: ['shop.a'] }],
  });
  expect(taskStatusSchema.parse(status)).toEqual(status);
});
