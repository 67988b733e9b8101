/** What one message of the log asks of the target: rows to be put, or keys to be deleted, in one partition. */
import { layoutOf, type ColumnLayout } from '../codec/column-layout.ts';
import { signatureOf } from '../codec/join-columns.ts';
import { digestOfColumn, digestOfKeys, type KeyDigest } from '../codec/key-digest.ts';
import type { InsertRecord, PrimaryKeys } from '../codec/records.ts';
import type { LogEntry } from './log-entry.ts';
import type { WriteStep } from './write-plan.ts';

interface PieceTraits {
  /** Where rows go, or keys are deleted; empty: Milvus sees to it, or all partitions. */
  readonly partition: string;
  /** An earlier run may have written some of it: by key, then. */
  readonly isDoubtful: boolean;
  readonly keyFieldId: bigint;
}

/** The columns of one message, taken apart for joining. */
interface JoinableColumns {
  readonly layouts: readonly ColumnLayout[];
  /** Columns with the same text can be joined. */
  readonly signature: string;
}

interface PieceBase extends PieceTraits {
  /** The message. */
  readonly entry: LogEntry;
  /** Rows or keys. */
  readonly rowCount: number;
  /** About what it adds to a request. */
  readonly byteCount: number;
}

interface RowsPiece extends PieceBase {
  readonly call: 'insert' | 'upsert';
  readonly record: InsertRecord;
}

interface KeysPiece extends PieceBase {
  readonly call: 'delete';
  readonly keys: PrimaryKeys;
}

export type WritePiece = RowsPiece | KeysPiece;

/** An integer and its comma in an expression. */
const INTEGER_KEY_BYTES = 12;

/** About what they take in an expression. */
export const keysByteCount = (keys: PrimaryKeys): number =>
  keys.type === 'int64'
    ? keys.values.length * INTEGER_KEY_BYTES
    : keys.values.reduce((sum, key) => sum + key.length, 0);

export function toPiece(step: WriteStep, entry: LogEntry, traits: PieceTraits): WritePiece {
  if (step.kind === 'delete') {
    const { keys } = step;
    return { ...traits, entry, call: 'delete', keys, rowCount: keys.values.length, byteCount: keysByteCount(keys) };
  }
  const { record } = step;
  const call = traits.isDoubtful ? 'upsert' : step.kind;
  const byteCount = record.fields.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  return { ...traits, entry, call, record, rowCount: record.rowCount, byteCount };
}

/** `undefined`: its keys cannot be read, and may be any. */
export function digestOf(piece: WritePiece): KeyDigest | undefined {
  if (piece.call === 'delete') return digestOfKeys(piece.keys);
  const column = piece.record.fields.find(({ fieldId }) => fieldId === piece.keyFieldId);
  return column === undefined ? undefined : digestOfColumn(column, piece.rowCount);
}

/** `undefined`: it goes alone. */
export function joinableColumns({ record }: RowsPiece): JoinableColumns | undefined {
  const layouts: ColumnLayout[] = [];
  for (const field of record.fields) {
    const layout = layoutOf(field);
    if (layout === undefined) return undefined;
    layouts.push(layout);
  }
  return { layouts, signature: layouts.map(signatureOf).join('|') };
}
