/**
 * The columns of the log, or of a query's answer, as the public Insert and Upsert take them. Nearly all of them pass as they
 * are. What does not (read in milvus internal/proxy of the 2.5 branch, and run on Milvus Lite where it has the field):
 *
 * - **Nullable columns** hold one value per row beside `valid_data`: so the proxy writes them into the log
 *   (validate_util.go, fillWithNullValue, and pkg/util/typeutil/schema.go, AppendFieldData, in pkg v2.5.7), and so a query
 *   answers. From a client it takes the valid ones alone, and refuses another number of them (fillWithNullValueImpl).
 * - **Columns with a default value** have lost their `valid_data` on the way into the log, unless they may be null as well
 *   (fillWithDefaultValue); from a client the proxy wants it, one flag for each row.
 * - **A function's output** is none of the client's columns: it is refused (util.go, checkFieldsDataBySchema). BM25's is not in
 *   the log in the first place, since the nodes behind the log make it (querynodev2/pipeline/embedding_node.go,
 *   flushcommon/pipeline/flow_graph_embedding_node.go), and a query never shows it (CanRetrieveRawFieldData).
 *
 * Servers that know nothing of `valid_data` (2.3, 2.4) step over it.
 */
import type { CollectionSchema, SchemaField } from './collection-schema.ts';
import { encodeColumn, FIELD_SCALARS, FIELD_VALID_DATA, layoutOf, type ColumnLayout } from './column-layout.ts';
import type { DecodeFailure, FieldSlice } from './records.ts';
import { MalformedWire, orFailure, WireCursor } from './wire.ts';
import { bytesField, concatBytes } from './wire-write.ts';

/** Of so many rows. Columns that pass as they are stay the same slices. A column that contradicts itself is malformed. */
export type ToInsert = (columns: readonly FieldSlice[], rowCount: number) => readonly FieldSlice[] | DecodeFailure;

/** What the columns of a collection go through, found once. */
export function toInsertOf({ fields }: Pick<CollectionSchema, 'fields'>): ToInsert {
  const special = new Map(
    fields
      .filter((field) => field.isNullable || field.hasDefault || field.isFunctionOutput)
      .map((field) => [field.id, field]),
  );
  if (special.size === 0) return (columns) => columns;
  return (columns, rowCount) =>
    orFailure(() => columns.flatMap((column) => rewritten(column, special.get(column.fieldId), rowCount)));
}

function rewritten(column: FieldSlice, field: SchemaField | undefined, rowCount: number): FieldSlice | [] {
  if (field === undefined) return column;
  return field.isFunctionOutput ? [] : withValidValues(column, rowCount);
}

/** The column with a flag for each of its rows, and with the values that are flagged valid. */
export function withValidValues(column: FieldSlice, rowCount: number): FieldSlice {
  const layout = layoutOf(column);
  if (layout === undefined || layout.family !== FIELD_SCALARS) {
    throw new MalformedWire(`a nullable column ${column.fieldName} of a form that is not known`, 0);
  }
  if (layout.validity.length === 0) {
    const flags = bytesField(FIELD_VALID_DATA, new Uint8Array(rowCount).fill(1));
    return { ...column, bytes: concatBytes([column.bytes, flags]) };
  }
  const flags = concatBytes(layout.validity);
  if (flags.byteLength !== rowCount || flags.some((flag) => flag > 1)) {
    throw new MalformedWire(`a column ${column.fieldName} of ${rowCount} rows with other flags of validity`, 0);
  }
  const validCount = flags.reduce((sum, flag) => sum + flag, 0);
  if (validCount === rowCount) return column;
  const { kept, valueCount } = valuesOf(layout, flags);
  if (valueCount === rowCount) return encodeColumn({ ...layout, values: kept });
  // Only the valid ones are there already.
  if (valueCount === validCount) return column;
  throw new MalformedWire(`a column ${column.fieldName} of ${rowCount} rows that holds ${valueCount} values`, 0);
}

/** `schema.ScalarField`: float and double; all other numbers are varints. */
const WIDTHS: Readonly<Partial<Record<number, number>>> = { 4: 4, 5: 8 };

/** The valid values, those side by side as one view; and how many there are in all. */
function valuesOf(layout: ColumnLayout, flags: Uint8Array): { readonly kept: Uint8Array[]; valueCount: number } {
  const kept: Uint8Array[] = [];
  let valueCount = 0;
  for (const piece of layout.values) {
    const endOfNext = walker(layout, piece);
    let keptFrom: number | undefined;
    let at = 0;
    while (at < piece.byteLength) {
      const end = endOfNext(at);
      const isValid = flags[valueCount] === 1;
      if (isValid) keptFrom ??= at;
      else if (keptFrom !== undefined) {
        kept.push(piece.subarray(keptFrom, at));
        keptFrom = undefined;
      }
      valueCount += 1;
      at = end;
    }
    if (keptFrom !== undefined) kept.push(piece.subarray(keptFrom));
  }
  return { kept, valueCount };
}

/** Called with the beginnings of the piece's values one after the other, gives the end of each. */
function walker({ form, member }: ColumnLayout, piece: Uint8Array): (from: number) => number {
  if (form === 'listed') {
    const cursor = new WireCursor(piece);
    return () => {
      cursor.next();
      cursor.bytes();
      return cursor.offset;
    };
  }
  const width = WIDTHS[member];
  if (width !== undefined) {
    if (piece.byteLength % width !== 0) throw new MalformedWire('a number that is cut off', 0);
    return (from) => from + width;
  }
  return (from) => {
    let at = from;
    while (at < piece.byteLength && (piece[at] ?? 0) >= 0x80) at += 1;
    return at + 1;
  };
}
