/**
 * `milvus.InsertRequest` and `milvus.UpsertRequest` around columns that stay as they came from the log: the two have the
 * same fields under the same numbers as far as they are used here. `hash_keys` is left out; Milvus makes its own from
 * the keys (seen with 2.3.5: rows inserted with and without are the same).
 */
import type { RowsWrite } from './target.ts';

const FIELD_DB_NAME = 2;
const FIELD_COLLECTION_NAME = 3;
const FIELD_PARTITION_NAME = 4;
const FIELD_FIELDS_DATA = 5;
const FIELD_NUM_ROWS = 7;

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

const bytesFieldLength = (byteLength: number): number => 1 + varintLength(byteLength) + byteLength;

/**
 * One allocation of the exact size and one copy of each column, which is what it takes to put them behind one another
 * for gRPC. Repeats nothing of the rows but `rowCount`, which must be theirs.
 */
export function encodeRowsRequest(write: RowsWrite): Uint8Array {
  const names = [
    [FIELD_DB_NAME, Buffer.from(write.database)],
    [FIELD_COLLECTION_NAME, Buffer.from(write.collection)],
    [FIELD_PARTITION_NAME, Buffer.from(write.partition)],
  ] as const;
  let length = 1 + varintLength(write.rowCount);
  for (const [, name] of names) if (name.length > 0) length += bytesFieldLength(name.length);
  for (const field of write.fields) length += bytesFieldLength(field.bytes.byteLength);

  const request = Buffer.allocUnsafe(length);
  let offset = 0;
  const putVarint = (value: number): void => {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) request[offset++] = (rest % 0x80) | 0x80;
    request[offset++] = rest;
  };
  const putBytes = (field: number, bytes: Uint8Array): void => {
    request[offset++] = field * 8 + WIRE_BYTES;
    putVarint(bytes.byteLength);
    request.set(bytes, offset);
    offset += bytes.byteLength;
  };
  for (const [field, name] of names) if (name.length > 0) putBytes(field, name);
  for (const field of write.fields) putBytes(FIELD_FIELDS_DATA, field.bytes);
  request[offset++] = FIELD_NUM_ROWS * 8 + WIRE_VARINT;
  putVarint(write.rowCount);
  return request;
}
