/** `milvus.QueryResults` on the wire: its columns as bytes that `Insert` takes, without a single value decoded. */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { SchemaField } from '../../codec/collection-schema.ts';
import type { FieldSlice } from '../../codec/records.ts';
import { readColumn } from '../../codec/row-messages.ts';
import { orFailure, WireCursor } from '../../codec/wire.ts';
import { decodeCallResponse, type MilvusStatus } from '../../milvus/milvus-protocol.ts';
import { withEmptyArrays } from './empty-arrays.ts';

const FIELD_STATUS = 1;
const FIELD_COLUMNS = 2;

/**
 * `fields`: of the collection; columns that are none of them (the row's own timestamp) are left out. The slices share the
 * answer's memory. An answer that failed has a status and no columns. @throws malformedMessage
 */
export function readColumns(
  answer: Uint8Array,
  fields: readonly SchemaField[],
): { readonly status: MilvusStatus | null; readonly fields: readonly FieldSlice[] } {
  const known = new Map(fields.map((field) => [field.id, field]));
  const result = orFailure(() => {
    const columns: FieldSlice[] = [];
    let status: MilvusStatus | null = null;
    const cursor = new WireCursor(answer);
    while (cursor.next()) {
      const { field, fieldOffset } = cursor;
      if (field === FIELD_COLUMNS) {
        const column = readColumn(cursor);
        const schemaField = known.get(column.fieldId);
        if (schemaField !== undefined) columns.push(withEmptyArrays(column, schemaField));
        continue;
      }
      cursor.skip();
      // An answer of nothing but its status is small.
      if (field === FIELD_STATUS) status = decodeCallResponse('Query', cursor.sliceSince(fieldOffset)).status;
    }
    return { status, fields: columns };
  });
  if (!('kind' in result)) return result;
  throw new ReplicationError(
    'malformedMessage',
    'source',
    `An answer of the source cannot be read: ${result.what} at byte ${result.offset}. Report this with the version of the source.`,
    { context: { offset: result.offset, bytes: answer.byteLength } },
  );
}
