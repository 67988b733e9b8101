/**
 * One message of the log on its way through the engine: its outline (kind, order, size) always, its content while the
 * read budget allows. An entry whose content was let go is read again from the broker when it is due.
 */
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { BudgetMember } from '../runtime/read-budget.ts';
import type { WalRecord } from '../codec/records.ts';

export interface LogEntry {
  readonly ordinal: MessageOrdinal;
  readonly kind: WalRecord['kind'];
  readonly messageId: bigint;
  readonly beginTick: TimeTick;
  readonly endTick: TimeTick;
  /** `undefined`: let go. */
  content: WalRecord | undefined;
  /** Rows and keys in it. */
  readonly rowCount: number;
  /** Bytes that `content` keeps alive, counted in the read budget. */
  heldBytes: number;
  /** Whose part of the read budget that is. */
  holder?: BudgetMember;
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
    rowCount: rowCountOf(record),
    heldBytes: payloadBytes,
    uses: 0,
  };
}

function rowCountOf(record: WalRecord): number {
  if (record.kind === 'insert') return record.rowCount;
  return record.kind === 'delete' ? record.keys.values.length : 0;
}
