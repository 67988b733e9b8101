/** Writes for tests of the window and of joining, out of real columns. */
import type { FieldSlice, InsertRecord, PrimaryKeys } from '../../../../electron/engine/codec/records.ts';
import { JoinedWrite } from '../../../../electron/engine/task/joined-write.ts';
import type { LogEntry } from '../../../../electron/engine/task/log-entry.ts';
import { toPiece } from '../../../../electron/engine/task/write-piece.ts';
import { asCollectionId, asPartitionId, asVChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

export const KEY_FIELD_ID = 100n;

const common = {
  messageId: 0n,
  database: 'default',
  collectionName: 'orders',
  collectionId: asCollectionId(1n),
  vchannel: asVChannel('dml_0_1v0'),
  partitionId: asPartitionId(1n),
};

export interface Options {
  readonly at?: number;
  readonly partition?: string;
  readonly isDoubtful?: boolean;
  /** Text of each row; its own number unless given. */
  readonly text?: string;
  readonly valueType?: number;
}

const entryAt = (at: number, kind: LogEntry['kind']): LogEntry => ({
  ordinal: asOrdinal(BigInt(at)),
  kind,
  messageId: 0n,
  beginTick: asTimeTick(BigInt(at)),
  endTick: asTimeTick(BigInt(at)),
  content: undefined,
  rowCount: 1,
  heldBytes: 1,
  uses: 1,
});

const column = (fieldId: number, fieldName: string, type: number, scalars: object): FieldSlice => ({
  fieldId: BigInt(fieldId),
  fieldName,
  bytes: encodeMessage('schema.FieldData', { type, fieldName, fieldId, scalars }),
});

const traits = ({ partition = 'p', isDoubtful = false }: Options) => ({
  partition,
  isDoubtful,
  keyFieldId: KEY_FIELD_ID,
});

export function insertRecord(
  keys: readonly number[],
  { at = 1, partition = 'p', text, valueType = 21 }: Options = {},
): InsertRecord {
  const tick = asTimeTick(BigInt(at));
  return {
    kind: 'insert',
    ...common,
    beginTick: tick,
    endTick: tick,
    partitionName: partition,
    rowCount: keys.length,
    fields: [
      column(100, 'id', 5, { longData: { data: keys.map(String) } }),
      column(101, 'value', valueType, { stringData: { data: keys.map((key) => text ?? `v${key}`) } }),
    ],
  };
}

export const inserting = (keys: readonly number[], options: Options = {}): JoinedWrite =>
  new JoinedWrite(
    toPiece(
      { kind: 'insert', record: insertRecord(keys, options) },
      entryAt(options.at ?? 1, 'insert'),
      traits(options),
    ),
  );

export const upserting = (keys: readonly number[], options: Options = {}): JoinedWrite =>
  new JoinedWrite(
    toPiece(
      { kind: 'upsert', record: insertRecord(keys, options) },
      entryAt(options.at ?? 1, 'insert'),
      traits(options),
    ),
  );

/** Rows whose keys cannot be read. */
export function insertingUnknown(options: Options = {}): JoinedWrite {
  const record = insertRecord([1], options);
  const step = { kind: 'insert' as const, record: { ...record, fields: record.fields.slice(1) } };
  return new JoinedWrite(toPiece(step, entryAt(options.at ?? 1, 'insert'), traits(options)));
}

export function deleting(keys: readonly (number | string)[], options: Options = {}): JoinedWrite {
  const at = options.at ?? 1;
  const tick = asTimeTick(BigInt(at));
  const primaryKeys: PrimaryKeys =
    typeof keys[0] === 'string'
      ? { type: 'varchar', values: keys.map(String) }
      : { type: 'int64', values: BigInt64Array.from(keys.map(BigInt)) };
  const { partition = 'p' } = options;
  const record = {
    kind: 'delete' as const,
    ...common,
    beginTick: tick,
    endTick: tick,
    partitionName: partition,
    keys: primaryKeys,
  };
  return new JoinedWrite(
    toPiece({ kind: 'delete', record, keys: primaryKeys }, entryAt(at, 'delete'), traits(options)),
  );
}

interface Column {
  readonly scalars: {
    readonly longData?: { readonly data: string[] };
    readonly stringData?: { readonly data: string[] };
  };
}

/** The rows of columns, as `key:value`. */
export function rowsOf(fields: readonly FieldSlice[]): string[] {
  const [keys, values] = fields.map(
    (field) => (decodeRequest('schema.FieldData', field.bytes) as unknown as Column).scalars,
  );
  return (keys?.longData?.data ?? []).map((key, row) => `${key}:${values?.stringData?.data[row]}`);
}
