import protobuf from 'protobufjs/light.js';
import definitions from '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js';
import { describe, expect, it } from 'vitest';
import { readKeyColumn } from '../../../../electron/engine/codec/primary-keys.ts';
import { keyColumn, vectorColumn } from '../../../../electron/engine/jobs/bench-columns.ts';

const fieldData = protobuf.Root.fromJSON('default' in definitions ? definitions.default : definitions)
  .resolveAll()
  .lookupType('milvus.proto.schema.FieldData');

describe("the bench's columns", () => {
  it('hold the keys in their order, of one byte and of several', () => {
    const column = keyColumn(126, 4);
    expect(readKeyColumn(column)).toEqual({ type: 'int64', values: BigInt64Array.of(126n, 127n, 128n, 129n) });
    expect(readKeyColumn(keyColumn(2 ** 52, 1))).toEqual({ type: 'int64', values: BigInt64Array.of(2n ** 52n) });
    expect(column).toMatchObject({ fieldId: 100n, fieldName: 'id' });
  });

  it('hold vectors as Milvus reads them', () => {
    const { bytes } = vectorColumn(Float32Array.of(0.5, 1, -2, 0.25), 2);
    expect(fieldData.toObject(fieldData.decode(bytes), { longs: Number })).toEqual({
      type: 101,
      fieldName: 'embedding',
      fieldId: 101,
      vectors: { dim: 2, floatVector: { data: [0.5, 1, -2, 0.25] } },
    });
  });
});
