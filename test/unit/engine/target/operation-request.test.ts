import { describe, expect, it } from 'vitest';
import { withoutBase } from '../../../../electron/engine/target/operation-request.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

const BASE = { msgType: 500, msgID: '9007199254740993', timestamp: '470657867772067843', sourceID: '3' };

describe('an operation of the source', () => {
  it('loses its base and keeps everything else', () => {
    const request = {
      dbName: 'sales',
      collectionName: 'orders',
      fieldName: 'embedding',
      extraParams: [{ key: 'index_type', value: 'HNSW' }],
      indexName: 'by_embedding',
    };
    const cleaned = withoutBase(encodeMessage('CreateIndexRequest', { base: BASE, ...request }));
    expect(decodeRequest('CreateIndexRequest', cleaned)).toEqual(request);
  });

  it('keeps fields that this version does not know, in their order', () => {
    const unknown = Uint8Array.from([0xfa, 0x06, 2, 1, 2, 0x80, 0x07, 5]);
    const known = encodeMessage('LoadCollectionRequest', { dbName: 'd', collectionName: 'c', replicaNumber: 2 });
    const base = encodeMessage('LoadCollectionRequest', { base: BASE });
    expect(withoutBase(Buffer.concat([known, unknown, base]))).toEqual(new Uint8Array(Buffer.concat([known, unknown])));
  });

  it('is left as it is when it has no base', () => {
    const request = encodeMessage('ReleaseCollectionRequest', { dbName: 'd', collectionName: 'c' });
    expect(withoutBase(request)).toEqual(new Uint8Array(request));
  });

  it('that is cut off fails with the place', () => {
    expect(() => withoutBase(Uint8Array.from([0x12, 9, 1]))).toThrow(
      expect.objectContaining({ code: 'malformedMessage', side: 'wal', context: { offset: 1, bytes: 3 } }),
    );
  });
});
