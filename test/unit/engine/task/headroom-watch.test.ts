import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import {
  HeadroomWatch,
  type LostPosition,
  type NeededPosition,
} from '../../../../electron/engine/task/headroom-watch.ts';
import { asPChannel, asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { timeTickFromMs } from '../../../../shared/time/time-tick.ts';
import { MemoryWal } from '../../../support/memory-wal.ts';
import { buildTick } from '../../../support/wal-builder.ts';

const CHANNEL = asPChannel('dml_0');
const OTHER = asPChannel('dml_1');
const BEGAN_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;

let nowMs: number;
let wal: MemoryWal;
let positions: NeededPosition[];
let lost: LostPosition[];
let watch: HeadroomWatch;

function needed(collection: string, ordinal: bigint, next?: bigint, channel = CHANNEL): NeededPosition {
  return {
    channel,
    vchannel: asVChannel(`${channel}_${collection}`),
    collection: `shop.${collection}`,
    checkpoint: {
      resume: { kind: 'at', ordinal: asOrdinal(ordinal), incarnation: channel === CHANNEL ? 'made-1' : 'made-2' },
      tick: timeTickFromMs(BEGAN_MS + Number(ordinal) * 1_000),
    },
    next: next as MessageOrdinal | undefined,
  };
}

async function lookAfter(ms: number): Promise<void> {
  nowMs += ms;
  await watch.poll();
}

beforeEach(() => {
  nowMs = BEGAN_MS + HOUR_MS;
  wal = new MemoryWal();
  for (const channel of [CHANNEL, OTHER]) {
    wal.addChannel(channel);
    // Message n is of second n.
    for (let second = 1; second <= 100; second += 1) {
      wal.append(channel, buildTick(timeTickFromMs(BEGAN_MS + second * 1_000)));
    }
  }
  wal.kept = { ageMsMax: 2 * HOUR_MS, bytesMax: undefined, messagesMax: undefined, bytesUsed: undefined };
  positions = [needed('orders', 40n, 101n), needed('items', 60n, 101n)];
  lost = [];
  watch = new HeadroomWatch({
    wal,
    clock: { now: () => nowMs },
    logger: silentLogger,
    signal: new AbortController().signal,
    positions: () => positions,
    lost: (one) => lost.push(one),
  });
});

describe('the watch over what the log keeps', () => {
  test('says nothing until it has looked', async () => {
    expect(watch.status()).toBeUndefined();
    await watch.poll();
    expect(watch.status()).toHaveLength(1);
  });

  test('is of the shard that is furthest behind', async () => {
    await watch.poll();
    await lookAfter(5_000);
    expect(watch.status()).toEqual([
      {
        channel: CHANNEL,
        collection: 'shop.orders',
        keptFromMs: BEGAN_MS + 1_000,
        leftMs: HOUR_MS + 40_000 - 5_000,
        keptUntilMs: BEGAN_MS + 40_000 + 2 * HOUR_MS,
        level: 'ok',
      },
    ]);
  });

  test('looks twice soon, then every half minute, and more often while little is left', async () => {
    const looks = () => wal.calls['bounds'] ?? 0;
    await watch.poll();
    await lookAfter(5_000);
    expect(looks()).toBe(2);
    await lookAfter(29_000);
    expect(looks()).toBe(2);
    await lookAfter(1_000);
    expect(looks()).toBe(3);
    await lookAfter(HOUR_MS - 10 * 60_000);
    expect(watch.status()).toMatchObject([{ level: 'critical' }]);
    await lookAfter(5_000);
    expect(looks()).toBe(5);
    expect(wal.calls['retention']).toBe(2);
  });

  test('finds a position that nobody reads from, before anybody comes to it', async () => {
    positions = [needed('orders', 40n), needed('items', 60n, 101n)];
    wal.expire(CHANNEL, 50n);
    await watch.poll();
    expect(lost).toMatchObject([
      {
        position: { collection: 'shop.orders' },
        bounds: { earliest: 50n },
        oldest: { ordinal: 50n, tick: timeTickFromMs(BEGAN_MS + 50_000) },
        error: { code: 'positionLost', context: { reason: 'removed' } },
      },
    ]);
    // Told once, and no longer what the others are judged by.
    await lookAfter(30_000);
    expect(lost).toHaveLength(1);
    expect(watch.status()).toMatchObject([{ collection: 'shop.items' }]);
  });

  test('finds it before a reader that is behind it', async () => {
    positions = [needed('orders', 40n, 45n)];
    wal.expire(CHANNEL, 45n);
    await watch.poll();
    expect(lost).toEqual([]);
    wal.expire(CHANNEL, 46n);
    await lookAfter(30_000);
    expect(lost).toMatchObject([{ position: { next: 45n } }]);
  });

  test('does not hold what has been read, and says that nothing is left for a new run', async () => {
    wal.expire(CHANNEL, 70n);
    await watch.poll();
    expect(lost).toEqual([]);
    expect(watch.status()).toMatchObject([{ leftMs: 0, level: 'critical' }]);
  });

  test('finds a log that was made anew', async () => {
    wal.recreate(CHANNEL);
    await watch.poll();
    expect(lost.map(({ error }) => error.context['reason'])).toEqual(['recreated', 'recreated']);
  });

  test('is not kept from one channel by the trouble of another', async () => {
    positions.push(needed('parts', 90n, 101n, OTHER));
    wal.failNext('bounds', new ReplicationError('unreachable', 'wal', 'The broker is away.'), CHANNEL);
    await watch.poll();
    expect(watch.status()).toMatchObject([{ channel: OTHER }]);
    await lookAfter(30_000);
    expect(watch.status()).toHaveLength(2);
  });

  test('forgets a channel of which nothing is needed any more', async () => {
    await watch.poll();
    positions = [needed('parts', 90n, 101n, OTHER)];
    await lookAfter(30_000);
    expect(watch.status()).toMatchObject([{ channel: OTHER }]);
  });
});
