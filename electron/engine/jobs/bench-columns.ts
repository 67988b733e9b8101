/** The two columns of the bench's rows as `schema.FieldData`, in the form that the log holds them in. */
import type { FieldSlice } from '../codec/records.ts';
import { bytesField, concatBytes, stringField } from '../codec/wire-write.ts';

/** `schema.DataType`. */
const INT64 = 5;
const FLOAT_VECTOR = 101;
const KEY_FIELD_ID = 100;
const VECTOR_FIELD_ID = 101;
/** A safe integer takes 53 bits. */
const VARINT_BYTES_MAX = 8;

const numberField = (field: number, value: number): Uint8Array =>
  concatBytes([Uint8Array.of(field * 8), varint(value)]);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}

/** Keys `first`, `first + 1`, …; not negative. */
export function keyColumn(first: number, rowCount: number): FieldSlice {
  const packed = new Uint8Array(rowCount * VARINT_BYTES_MAX);
  let at = 0;
  for (let key = first; key < first + rowCount; key += 1) {
    let rest = key;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) packed[at++] = (rest % 0x80) | 0x80;
    packed[at++] = rest;
  }
  const longData = bytesField(3, bytesField(1, packed.subarray(0, at)));
  return column('id', INT64, KEY_FIELD_ID, bytesField(3, longData));
}

/** Rows of `dimension` values each. */
export function vectorColumn(values: Float32Array, dimension: number): FieldSlice {
  const packed = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const vectors = concatBytes([numberField(1, dimension), bytesField(2, bytesField(1, packed))]);
  return column('embedding', FLOAT_VECTOR, VECTOR_FIELD_ID, bytesField(4, vectors));
}

function column(fieldName: string, dataType: number, fieldId: number, data: Uint8Array): FieldSlice {
  const bytes = concatBytes([numberField(1, dataType), stringField(2, fieldName), data, numberField(5, fieldId)]);
  return { fieldId: BigInt(fieldId), fieldName, bytes };
}
