import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import { GapKeeper } from '../../../../electron/engine/task/gap-keeper.ts';
import type { LostShard } from '../../../../electron/engine/task/gap.ts';
import { asCollectionId, asPChannel, asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { gapSchema, type Gap } from '../../../../shared/model/task-history.ts';
import { gapStatusSchema } from '../../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO, timeTickFromMs } from '../../../../shared/time/time-tick.ts';
import { MemoryWal } from '../../../support/memory-wal.ts';
import { buildTick } from '../../../support/wal-builder.ts';

const CHANNEL = asPChannel('dml_0');
const BEGAN_MS = Date.parse('2026-05-01T12:00:00Z');
const ORDERS = { id: asCollectionId(1n), database: 'shop', name: 'orders' };
const ITEMS = { id: asCollectionId(2n), database: 'shop', name: 'items' };
const cause = new ReplicationError('positionLost', 'wal', 'Gone.', { context: { reason: 'removed' } });

const shard = (collection: LostShard['collection'], index: number, ordinal: bigint): LostShard => ({
  channel: CHANNEL,
  vchannel: asVChannel(`dml_0_${collection.id}v${index}`),
  collection,
  checkpoint: {
    resume: { kind: 'at', ordinal: asOrdinal(ordinal), incarnation: 'made-1' },
    tick: timeTickFromMs(BEGAN_MS + Number(ordinal) * 1_000),
  },
});

let wal: MemoryWal;
let recorded: Gap[];
let keeper: GapKeeper;
const signal = new AbortController().signal;

beforeEach(() => {
  wal = new MemoryWal();
  wal.addChannel(CHANNEL);
  for (let second = 1; second <= 100; second += 1) {
    wal.append(CHANNEL, buildTick(timeTickFromMs(BEGAN_MS + second * 1_000)));
  }
  wal.expire(CHANNEL, 50n);
  recorded = [];
  keeper = new GapKeeper({
    wal,
    store: { recordGap: (gap) => recorded.push(gap) },
    clock: { now: () => BEGAN_MS + 200_000 },
    logger: silentLogger,
  });
});

describe('a gap', () => {
  test('is declared with its shard, from where to where, and why', async () => {
    const error = keeper.declare(shard(ORDERS, 0, 20n), await keeper.kept(CHANNEL, signal), cause);
    expect(recorded).toEqual([
      {
        channel: CHANNEL,
        vchannel: 'dml_0_1v0',
        collectionId: '1',
        database: 'shop',
        collection: 'orders',
        reason: 'removed',
        from: { ordinal: '20', tick: timeTickFromMs(BEGAN_MS + 20_000).toString(), ms: BEGAN_MS + 20_000 },
        to: { ordinal: '50', tick: timeTickFromMs(BEGAN_MS + 50_000).toString(), ms: BEGAN_MS + 50_000 },
        foundAt: BEGAN_MS + 200_000,
      },
    ]);
    expect(gapSchema.parse(recorded[0])).toEqual(recorded[0]);
    expect(error).toMatchObject({ code: 'positionLost', side: 'wal', cause });
    expect(error.message).toBe(
      'Changes of shop.orders from 2026-05-01T12:00:20.000Z to 2026-05-01T12:00:50.000Z are missing: the log has removed ' +
        'them before they were read (channel dml_0, message 20 is needed and 50 is the oldest kept). Copy this collection ' +
        'afresh to go on; others are not concerned.',
    );
  });

  test('is shown by channel, over all its shards and collections, until they are copied anew', async () => {
    const kept = await keeper.kept(CHANNEL, signal);
    for (const lost of [shard(ORDERS, 0, 20n), shard(ORDERS, 1, 30n), shard(ITEMS, 0, 10n)]) {
      keeper.declare(lost, kept, cause);
    }
    const shown = keeper.status();
    expect(shown).toEqual([
      {
        channel: CHANNEL,
        vchannels: ['dml_0_1v0', 'dml_0_1v1', 'dml_0_2v0'],
        collections: ['shop.items', 'shop.orders'],
        fromMs: BEGAN_MS + 10_000,
        toMs: BEGAN_MS + 50_000,
      },
    ]);
    expect(gapStatusSchema.array().parse(shown)).toEqual(shown);
    keeper.closed(ITEMS.id);
    expect(keeper.status()).toMatchObject([{ collections: ['shop.orders'], fromMs: BEGAN_MS + 20_000 }]);
    keeper.closed(ORDERS.id);
    expect(keeper.status()).toBeUndefined();
  });

  test('has no beginning where nothing was ever confirmed, and no end where the log does not answer', async () => {
    wal.failNext('bounds', new ReplicationError('unreachable', 'wal', 'The broker is away.'));
    const kept = await keeper.kept(CHANNEL, signal);
    const lost = shard(ORDERS, 0, 20n);
    const error = keeper.declare({ ...lost, checkpoint: { ...lost.checkpoint, tick: TIME_TICK_ZERO } }, kept, cause);
    expect(recorded[0]).not.toHaveProperty('to');
    expect(recorded[0]?.from).toEqual({ ordinal: '20', tick: '0' });
    expect(error.message).toContain('from its beginning to a time that is not known');
    expect(keeper.status()).toEqual([{ channel: CHANNEL, vchannels: ['dml_0_1v0'], collections: ['shop.orders'] }]);
  });

  test.each(['recreated', 'cutOff', 'removed'] as const)('says of a log that it was %s', async (reason) => {
    const told = new ReplicationError('positionLost', 'wal', 'Gone.', { context: { reason } });
    keeper.declare(shard(ORDERS, 0, 20n), await keeper.kept(CHANNEL, signal), told);
    expect(recorded[0]?.reason).toBe(reason);
  });
});
