import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRowsRequest } from '../../../../electron/engine/target/insert-request.ts';
import { decodeRequest } from '../../../support/milvus-messages.ts';

const field = (name: string, bytes: Uint8Array) => ({ fieldId: 100n, fieldName: name, bytes });

describe('a request for rows', () => {
  it('is what Milvus reads as InsertRequest and as UpsertRequest', () => {
    // FieldData: field_name (2) = "id", scalars (3) left empty.
    const bytes = Uint8Array.from([0x12, 2, 0x69, 0x64]);
    const request = encodeRowsRequest({
      database: 'sales',
      collection: 'orders',
      partition: 'y2024',
      rowCount: 300,
      fields: [field('id', bytes), field('id', bytes)],
    });
    for (const name of ['InsertRequest', 'UpsertRequest'] as const) {
      expect(decodeRequest(name, request)).toEqual({
        dbName: 'sales',
        collectionName: 'orders',
        partitionName: 'y2024',
        fieldsData: [{ fieldName: 'id' }, { fieldName: 'id' }],
        numRows: 300,
      });
    }
  });

  it('leaves an empty partition name out', () => {
    const request = encodeRowsRequest({ database: 'd', collection: 'c', partition: '', rowCount: 1, fields: [] });
    expect(decodeRequest('InsertRequest', request)).toEqual({ dbName: 'd', collectionName: 'c', numRows: 1 });
  });

  it('carries columns of any size byte by byte and is exactly as long as it must be', () => {
    const anyColumn = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(20_000).fill(7)));
    fc.assert(
      fc.property(fc.array(anyColumn, { maxLength: 5 }), fc.nat(), fc.string(), (columns, rowCount, name) => {
        // As field_name (2) each column is well-formed whatever it holds, read back as unknown bytes of its own.
        const fields = columns.map((bytes) => field('x', bytes));
        const request = encodeRowsRequest({ database: name, collection: 'c', partition: 'p', rowCount, fields });
        const rest = Buffer.from(request);
        let found = 0;
        for (const { bytes } of fields) {
          const at = rest.indexOf(Buffer.from(bytes), found);
          expect(at).toBeGreaterThanOrEqual(found);
          found = at + bytes.byteLength;
        }
        // num_rows follows the last column and ends the request.
        const tail = rest.subarray(rest.length - 1 - varintLength(rowCount));
        expect(tail[0]).toBe(7 << 3);
      }),
    );
  });
});

function varintLength(value: number): number {
  return Math.max(1, Math.ceil((32 - Math.clz32(value)) / 7));
}
