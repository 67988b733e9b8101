/** What is missing where the log no longer holds what a shard has to be resumed from. Pure. */
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal, type Checkpoint } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredCollection } from '../../../shared/model/task-state.ts';
import type { Gap } from '../../../shared/model/task-history.ts';
import type { GapStatus } from '../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO, timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { OldestKept } from '../source/wal/oldest-kept.ts';
import type { ChannelBounds } from '../source/wal/wal.ts';

/** A shard whose place is gone. */
export interface LostShard {
  readonly channel: PChannel;
  readonly vchannel: VChannel;
  readonly collection: Pick<StoredCollection, 'id' | 'database' | 'name'>;
  readonly checkpoint: Checkpoint;
}

/** What the channel keeps instead. */
export interface KeptLog {
  readonly bounds: ChannelBounds;
  readonly oldest: OldestKept | undefined;
}

/** Why the position is lost, of the error that says so (`source/wal/continuity.ts`). */
export function reasonLost(error: ReplicationError): Gap['reason'] {
  const reason = error.context['reason'];
  return reason === 'recreated' || reason === 'cutOff' ? reason : 'removed';
}

export function gapOf(
  { channel, vchannel, collection, checkpoint }: LostShard,
  kept: KeptLog | undefined,
  reason: Gap['reason'],
  foundAt: number,
): Gap {
  return {
    channel,
    vchannel,
    collectionId: collection.id.toString(),
    database: collection.database,
    collection: collection.name,
    reason,
    from: {
      ordinal: firstOrdinal(checkpoint.resume).toString(),
      tick: checkpoint.tick.toString(),
      ...msOf(checkpoint.tick),
    },
    ...(kept === undefined ? {} : { to: endOf(kept) }),
    foundAt,
  };
}

function endOf({ bounds, oldest }: KeptLog): NonNullable<Gap['to']> {
  const tick = oldest?.tick ?? TIME_TICK_ZERO;
  return {
    ordinal: bounds.earliest.toString(),
    ...(tick === TIME_TICK_ZERO ? {} : { tick: tick.toString() }),
    ...msOf(tick),
  };
}

const msOf = (tick: TimeTick): { ms?: number } => (tick === TIME_TICK_ZERO ? {} : { ms: timeTickToMs(tick) });

const REASONS: Readonly<Record<Gap['reason'], string>> = {
  removed: 'the log has removed them before they were read',
  recreated: 'the log was deleted and made again',
  cutOff: 'the end of the log was cut off',
};

/** Why the collection is held, for a person. */
export function gapError(gap: Gap, cause: ReplicationError): ReplicationError {
  const { from, to } = gap;
  const at = (ms: number | undefined, unknown: string): string =>
    ms === undefined ? unknown : new Date(ms).toISOString();
  const kept = to === undefined ? 'is no longer kept' : `is needed and ${to.ordinal} is the oldest kept`;
  return new ReplicationError(
    'positionLost',
    'wal',
    `Changes of ${gap.database}.${gap.collection} from ${at(from.ms, 'its beginning')} to ${at(to?.ms, 'a time that is not known')} are missing: ${REASONS[gap.reason]} (channel ${gap.channel}, message ${from.ordinal} ${kept}). Copy this collection afresh to go on; others are not concerned.`,
    {
      cause,
      context: {
        reason: gap.reason,
        pchannel: gap.channel,
        vchannel: gap.vchannel,
        ordinal: from.ordinal,
        ...(to === undefined ? {} : { earliest: to.ordinal }),
      },
    },
  );
}

/** One for each channel, its shards together. */
export function gapStatuses(gaps: readonly Gap[]): GapStatus[] {
  const found = new Map<string, Gap[]>();
  for (const gap of gaps) found.set(gap.channel, [...(found.get(gap.channel) ?? []), gap]);
  return [...found].map(([channel, some]) => {
    const from = some.flatMap(({ from: { ms } }) => (ms === undefined ? [] : [ms]));
    const to = some.flatMap((gap) => (gap.to?.ms === undefined ? [] : [gap.to.ms]));
    return {
      channel,
      vchannels: [...new Set(some.map(({ vchannel }) => vchannel))],
      collections: [...new Set(some.map(({ database, collection }) => `${database}.${collection}`))].sort(),
      ...(from.length < some.length ? {} : { fromMs: Math.min(...from) }),
      ...(to.length < some.length ? {} : { toMs: Math.max(...to) }),
    };
  });
}
