/**
 * `milvus.InsertRequest` and `milvus.UpsertRequest` around columns that stay as they came from the log: the two have the
 * same fields under the same numbers as far as they are used here. `hash_keys` is left out; Milvus makes its own from
 * the keys (seen with 2.3.5: rows inserted with and without are the same).
 */
import { bytesFieldLength, numberFieldLength, SizedBytes } from '../codec/sized-bytes.ts';
import type { RowsWrite } from './target.ts';

const FIELD_DB_NAME = 2;
const FIELD_COLLECTION_NAME = 3;
const FIELD_PARTITION_NAME = 4;
const FIELD_FIELDS_DATA = 5;
const FIELD_NUM_ROWS = 7;

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
  let length = numberFieldLength(write.rowCount);
  for (const [, name] of names) if (name.length > 0) length += bytesFieldLength(name.length);
  for (const field of write.fields) length += bytesFieldLength(field.bytes.byteLength);

  const request = new SizedBytes(length);
  for (const [field, name] of names) if (name.length > 0) request.putBytes(field, name);
  for (const field of write.fields) request.putBytes(FIELD_FIELDS_DATA, field.bytes);
  request.putNumber(FIELD_NUM_ROWS, write.rowCount);
  return request.finish();
}
