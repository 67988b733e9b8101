import protobuf from 'protobufjs/light.js';
import definitions from '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js';
import { describe, expect, it } from 'vitest';
import { decodeMutation } from '../../../../electron/engine/milvus/milvus-protocol.ts';

const result = protobuf.Root.fromJSON('default' in definitions ? definitions.default : definitions)
  .resolveAll()
  .lookupType('milvus.proto.milvus.MutationResult');

describe('the answer to a write', () => {
  it('says what became of the rows, whatever keys it repeats', () => {
    const answer = {
      status: { errorCode: 1, code: 8, reason: 'rate limit' },
      IDs: { intId: { data: [1, 2, 3] } },
      succIndex: [0, 1],
      errIndex: [2],
      insertCnt: 2,
      upsertCnt: 3,
    };
    expect(decodeMutation('Insert', result.encode(result.fromObject(answer)).finish())).toMatchObject({
      status: { errorCode: 1, code: 8, reason: 'rate limit' },
      errIndex: [2],
      insertCnt: '2',
      upsertCnt: '3',
      deleteCnt: '0',
    });
  });

  it('is read without its keys, of either type', () => {
    for (const IDs of [{ intId: { data: [1, 2] } }, { strId: { data: ['a', 'b'] } }]) {
      const bytes = result.encode(result.fromObject({ status: {}, IDs, succIndex: [0, 1], insertCnt: 2 })).finish();
      const decoded = decodeMutation('Insert', bytes);
      expect(decoded.insertCnt).toBe('2');
      expect(decoded).not.toHaveProperty('IDs');
      expect(decoded).not.toHaveProperty('succIndex');
    }
  });
});
