/** Where a channel ends now, and what its last message says. */
import type { PChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { Wal } from '../source/wal/wal.ts';

export interface LogEnd {
  readonly ordinal: MessageOrdinal;
  readonly incarnation: string;
  /** Every change up to here stands in the log, where the last message is a tick; zero where it is another. */
  readonly tick: TimeTick;
}

export async function readLogEnd(wal: Wal, channel: PChannel, signal: AbortSignal): Promise<LogEnd> {
  const { earliest, latest: ordinal, incarnation } = await wal.bounds(channel);
  return {
    ordinal,
    incarnation,
    tick: ordinal < earliest ? TIME_TICK_ZERO : await tickAt(wal, channel, ordinal, signal),
  };
}

/** The last message up to `until` that could be a change: one tick at the end is passed over. */
export async function lastChange(
  wal: Wal,
  channel: PChannel,
  until: MessageOrdinal,
  signal: AbortSignal,
): Promise<MessageOrdinal> {
  const { earliest, latest } = await wal.bounds(channel);
  const last = until < latest ? until : latest;
  if (last < earliest) return last;
  return (await tickAt(wal, channel, last, signal)) === TIME_TICK_ZERO ? last : asOrdinal(last - 1n);
}

/** The tick that stands there; zero where another message does. */
async function tickAt(wal: Wal, channel: PChannel, ordinal: MessageOrdinal, signal: AbortSignal): Promise<TimeTick> {
  const record = decodeRecord((await wal.readAt(channel, ordinal, signal)).payload);
  return record.kind === 'timeTick' ? record.beginTick : TIME_TICK_ZERO;
}
