/**
 * Empty arrays in a column that a query returned. Milvus sends them as values that are nothing at all, not even an empty
 * list of the element's type, and a Milvus that is given such a value in an insert *dies* (seen with 2.3.5 on both
 * sides: its process ends). So each of them becomes the empty list that a client would have sent.
 */
import type { SchemaField } from '../../codec/collection-schema.ts';
import type { FieldSlice } from '../../codec/records.ts';
import { WireCursor } from '../../codec/wire.ts';
import { bytesField, concatBytes } from '../../codec/wire-write.ts';

/** `schema.DataType.Array`. */
const ARRAY = 22;

const FIELD_DATA_SCALARS = 3;
const SCALARS_ARRAY = 8;
const ARRAY_VALUES = 1;

/** By the element's `schema.DataType`: the field of `schema.ScalarField` that holds a list of it. */
const LIST_OF: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 10: 4, 11: 5, 20: 6, 21: 6 };

const NOTHING = new Uint8Array();

/** The same slice where it has none, or is no column of arrays. @throws MalformedWire */
export function withEmptyArrays(column: FieldSlice, { dataType, elementType }: SchemaField): FieldSlice {
  const list = LIST_OF[elementType];
  if (dataType !== ARRAY || list === undefined) return column;
  const empty = bytesField(list, NOTHING);
  const bytes = replaced(column.bytes, FIELD_DATA_SCALARS, (scalars) =>
    replaced(scalars, SCALARS_ARRAY, (array) =>
      replaced(array, ARRAY_VALUES, (value) => (value.byteLength === 0 ? empty : value)),
    ),
  );
  return bytes === column.bytes ? column : { ...column, bytes };
}

/** The message with every occurrence of one of its fields replaced; the message itself where all stay as they are. */
function replaced(message: Uint8Array, replacedField: number, replace: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  /** Of the message, as far as it stands in the parts. */
  let done = 0;
  const cursor = new WireCursor(message);
  while (cursor.next()) {
    const { field, fieldOffset } = cursor;
    if (field !== replacedField) {
      cursor.skip();
      continue;
    }
    const bytes = cursor.bytes();
    const replacement = replace(bytes);
    if (replacement === bytes) continue;
    parts.push(message.subarray(done, fieldOffset), bytesField(field, replacement));
    done = cursor.offset;
  }
  return parts.length === 0 ? message : concatBytes([...parts, message.subarray(done)]);
}
