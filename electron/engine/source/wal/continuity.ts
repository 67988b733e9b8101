/**
 * The proof that a reader may begin where it was asked to, for logs whose ordinals count by one (NATS, Kafka). Pure.
 * Its other half is in each reader: every message must be the one that follows the last.
 */
import type { PChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import type { MessageOrdinal, ResumePoint } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { ChannelBounds } from './wal.ts';

/** The ordinal that the first message must have; whether it is kept is for `proveStart` to say. */
export function firstOrdinal(start: ResumePoint, lowest: bigint): MessageOrdinal {
  const wanted = start.kind === 'at' ? start.ordinal : start.ordinal + 1n;
  // "After" what lies below all messages means the very beginning. "At" such an ordinal means nothing, and is refused.
  return asOrdinal(start.kind === 'after' && wanted < lowest ? lowest : wanted);
}

/**
 * @param lowest The ordinal of the first message that a new log gets: 1 in NATS, 0 in Kafka.
 * @throws positionLost
 */
export function proveStart(channel: PChannel, start: ResumePoint, bounds: ChannelBounds, lowest: bigint): void {
  if (start.incarnation !== bounds.incarnation) {
    throw positionLost(
      channel,
      `message ${start.ordinal} is of a log that no longer exists: the log was deleted and made again (${start.incarnation} ` +
        `then, ${bounds.incarnation} now)`,
      {
        reason: 'recreated',
        ordinal: start.ordinal.toString(),
        earliest: bounds.earliest.toString(),
        latest: bounds.latest.toString(),
      },
    );
  }
  const first = firstOrdinal(start, lowest);
  const last = start.kind === 'at' ? bounds.latest : bounds.latest + 1n;
  if (first >= bounds.earliest && first <= last) return;
  const reason =
    first < bounds.earliest
      ? `message ${first} is wanted, which has been removed`
      : `message ${start.ordinal} is not in it, so its end has been cut off`;
  throw positionLost(channel, `${reason}; the log ${rangeOf(bounds)}`, {
    reason: first < bounds.earliest ? 'removed' : 'cutOff',
    ordinal: first.toString(),
    earliest: bounds.earliest.toString(),
    latest: bounds.latest.toString(),
  });
}

export function positionLost(
  channel: PChannel,
  reason: string,
  context: Readonly<Record<string, string>>,
): ReplicationError {
  const message = `The position in the log of channel ${channel} is lost: ${reason}. Copy the data anew to go on.`;
  return new ReplicationError('positionLost', 'wal', message, { context: { pchannel: channel, ...context } });
}

export const rangeOf = (bounds: ChannelBounds): string =>
  bounds.earliest > bounds.latest
    ? `keeps nothing and ended at ${bounds.latest}`
    : `keeps ${bounds.earliest} to ${bounds.latest}`;
