/**
 * Where a message stands in the source's log.
 *
 * A message id is opaque to all but the adapter that made it, with one exception that the engine lives on: ids of one
 * channel are totally ordered. Every adapter therefore gives its ids as a `bigint` ordinal (NATS: the stream sequence,
 * Kafka: the offset, Pulsar: ledger, entry and batch index packed) and alone knows how to turn them into Milvus' bytes.
 */
import type { TimeTick } from '../time/time-tick.ts';

declare const ordinalBrand: unique symbol;
export type MessageOrdinal = bigint & { readonly [ordinalBrand]: 'MessageOrdinal' };
export const asOrdinal = (value: bigint): MessageOrdinal => value as MessageOrdinal;

/**
 * Where to begin reading. `at`: with this very message. `after`: with the message that follows it; an ordinal below all
 * messages means the very beginning of the log.
 */
export interface ResumePoint {
  readonly kind: 'at' | 'after';
  readonly ordinal: MessageOrdinal;
  /**
   * Identity of the log that the ordinal counts in (NATS: the stream's creation time, Kafka: the topic id). A log that
   * was deleted and made again counts from the start and must never be taken for the old one.
   */
  readonly incarnation: string;
}

/** Below the ordinal of every message: `after` it is the beginning. */
export const ORDINAL_NONE = -1n as MessageOrdinal;

/**
 * A promise: all changes of the vchannel up to and including `tick` are confirmed by the target, and reading from
 * `resume` finds every change after it. The two belong together and were fixed when `tick` was read.
 */
export interface Checkpoint {
  readonly resume: ResumePoint;
  readonly tick: TimeTick;
}

/** Negative when `a` reads from earlier than `b`, both of one log. */
export function compareResumePoints(a: ResumePoint, b: ResumePoint): number {
  if (a.ordinal !== b.ordinal) return a.ordinal < b.ordinal ? -1 : 1;
  if (a.kind === b.kind) return 0;
  return a.kind === 'at' ? -1 : 1;
}

/** Of the first message that is read from there. */
export function firstOrdinal({ kind, ordinal }: ResumePoint): MessageOrdinal {
  return kind === 'at' ? ordinal : asOrdinal(ordinal + 1n);
}
