/** The oldest message that a channel still keeps, and its time: from one or a few messages at the beginning of the log. */
import type { PChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../../shared/time/time-tick.ts';
import { decodeRecord } from '../../codec/decode.ts';
import type { ChannelBounds, Wal } from './wal.ts';

export interface OldestKept {
  readonly ordinal: MessageOrdinal;
  /** Zero: none of the first messages bears a time. */
  readonly tick: TimeTick;
}

/** Ticks come every 0.2 s; only messages of unknown types bear no time. */
const MESSAGES_LOOKED_AT = 8n;
/** Retention may remove the oldest message between the two questions, hardly three times. */
const ATTEMPTS = 3;

/** `undefined`: the channel keeps nothing. @throws as `bounds` and `readAt` do. */
export async function oldestKept(
  wal: Pick<Wal, 'bounds' | 'readAt'>,
  channel: PChannel,
  signal: AbortSignal,
): Promise<OldestKept | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await oldestWithin(wal, channel, await wal.bounds(channel), signal);
    } catch (error) {
      const isGone = error instanceof ReplicationError && error.code === 'positionLost';
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The same of bounds that are known already. @throws positionLost when it has been removed since. */
export async function oldestWithin(
  wal: Pick<Wal, 'readAt'>,
  channel: PChannel,
  { earliest, latest }: ChannelBounds,
  signal: AbortSignal,
): Promise<OldestKept | undefined> {
  if (earliest > latest) return undefined;
  for (let ordinal: bigint = earliest; ordinal <= latest && ordinal < earliest + MESSAGES_LOOKED_AT; ordinal += 1n) {
    const record = decodeRecord((await wal.readAt(channel, asOrdinal(ordinal), signal)).payload);
    // Of several rows the last one's time: the message is kept for all of them.
    if (record.kind !== 'malformed' && record.endTick !== TIME_TICK_ZERO)
      return { ordinal: earliest, tick: record.endTick };
  }
  return { ordinal: earliest, tick: TIME_TICK_ZERO };
}
