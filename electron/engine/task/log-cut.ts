/**
 * A point of a channel from which its changes can be replayed onto rows that are read after it: a tick, with every change
 * above it still to come.
 *
 * The last message alone is no such point. Between two ticks messages stand unsorted: a delete may stand before it and an
 * earlier insert of the same key behind it, and replayed alone that insert would bring the row back.
 */
import type { PChannel } from '../../../shared/model/ids.ts';
import type { Checkpoint, MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { LogEnd } from './log-end.ts';

/** Ticks come every 200 ms; what stands between two of them is read once more by the follower. */
const READ_BYTES_MAX = 1024 * 1024;

/**
 * The first tick behind `end` that is not below `now`, a timestamp the source gave after `end` was read: every change above
 * it then stands behind `end`, and reading resumes at the oldest of those that stand before the tick. Waits for the tick.
 */
export async function readLogCut(
  wal: Wal,
  channel: PChannel,
  { ordinal: end, incarnation, tick: endTick }: LogEnd,
  now: TimeTick,
  signal: AbortSignal,
): Promise<Checkpoint> {
  const at = (ordinal: MessageOrdinal, tick: TimeTick): Checkpoint => ({
    resume: { kind: 'at', ordinal, incarnation },
    tick,
  });
  if (endTick !== TIME_TICK_ZERO && endTick >= now) return at(end, endTick);
  const reader = await wal.open(channel, { kind: 'after', ordinal: end, incarnation }, signal);
  const passed: { ordinal: MessageOrdinal; tick: TimeTick }[] = [];
  try {
    for (;;) {
      for (const { ordinal, payload } of await reader.read(READ_BYTES_MAX, signal)) {
        const record = decodeRecord(payload);
        if (record.kind === 'malformed') throw malformed(channel, ordinal, record.what);
        if (record.kind !== 'timeTick') {
          passed.push({ ordinal, tick: record.endTick });
        } else if (record.beginTick >= now) {
          const oldestAbove = passed.find(({ tick }) => tick > record.beginTick);
          return at(oldestAbove?.ordinal ?? ordinal, record.beginTick);
        }
      }
    }
  } finally {
    await reader.close();
  }
}

function malformed(channel: PChannel, ordinal: MessageOrdinal, what: string): ReplicationError {
  return new ReplicationError(
    'malformedMessage',
    'wal',
    `Message ${ordinal} of ${channel} in the source's log cannot be read (${what}), so no copy can begin there. Report this message.`,
  );
}
