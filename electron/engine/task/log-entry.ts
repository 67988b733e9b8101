/**
 * One message of the log on its way through the engine: its outline (kind, order, size) always, its content while the
 * read budget allows. An entry whose content was let go is read again from the broker when it is due.
 */
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { WalRecord } from '../codec/records.ts';

export interface LogEntry {
  readonly ordinal: MessageOrdinal;
  readonly kind: WalRecord['kind'];
  readonly messageId: bigint;
  readonly beginTick: TimeTick;
  readonly endTick: TimeTick;
  /** `undefined`: let go. */
  content: WalRecord | undefined;
  /** Bytes that `content` keeps alive, counted in the read budget. */
  heldBytes: number;
  /** Shards that still have to apply it; the last one frees its bytes. */
  uses: number;
}

export function toLogEntry(ordinal: MessageOrdinal, record: WalRecord, payloadBytes: number): LogEntry {
  return {
    ordinal,
    kind: record.kind,
    messageId: record.messageId,
    beginTick: record.beginTick,
    endTick: record.endTick,
    content: record,
    heldBytes: payloadBytes,
    uses: 0,
  };
}
