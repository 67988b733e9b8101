import { describe, expect, it } from 'vitest';
import {
  withMappedDatabase,
  withMappedGrant,
  withMappedNames,
  withoutBase,
} from '../../../../electron/engine/target/operation-request.ts';
import { compileMapping, SAME_NAMES } from '../../../../shared/model/name-mapping.ts';
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

describe('an operation for a collection of another name', () => {
  const mapped = { database: 'dr', collection: 'orders_copy' };

  it.each([
    [
      'CreateIndexRequest',
      { fieldName: 'embedding', indexName: 'i', extraParams: [{ key: 'index_type', value: 'HNSW' }] },
    ],
    ['DropIndexRequest', { fieldName: 'embedding', indexName: 'i' }],
    ['LoadCollectionRequest', { replicaNumber: 2 }],
    ['ReleaseCollectionRequest', {}],
    ['LoadPartitionsRequest', { partitionNames: ['a', 'b'], replicaNumber: 1 }],
    ['AlterIndexRequest', { indexName: 'i', extraParams: [{ key: 'mmap.enabled', value: 'true' }] }],
    ['ReleasePartitionsRequest', { partitionNames: ['a'] }],
  ])('%s has the new names and keeps everything else', (type, rest) => {
    const request = encodeMessage(type, { dbName: 'sales', collectionName: 'orders', ...rest });
    expect(
      decodeRequest(
        type,
        withMappedNames(request, () => mapped),
      ),
    ).toEqual({
      dbName: 'dr',
      collectionName: 'orders_copy',
      ...rest,
    });
  });

  it('asks for the names that it bears, the database default by its name, and keeps what this version does not know', () => {
    const unknown = Uint8Array.from([0xfa, 0x06, 2, 1, 2]);
    const request = Buffer.concat([encodeMessage('LoadCollectionRequest', { collectionName: 'orders' }), unknown]);
    const asked: object[] = [];
    const renamed = withMappedNames(request, (address) => {
      asked.push(address);
      return mapped;
    });
    expect(asked).toEqual([{ database: 'default', collection: 'orders' }]);
    expect(Buffer.from(renamed).includes(Buffer.from(unknown))).toBe(true);
  });
});

describe('an operation under names that a mapping gives', () => {
  const mapping = compileMapping({
    ...SAME_NAMES,
    collectionSuffix: '_dr',
    rules: [
      { from: { database: 'sales' }, to: { database: 'dr' } },
      { from: { database: 'sales', collection: 'orders' }, to: { database: 'other', collection: 'bestellungen' } },
    ],
  });

  it('of a database has its new name and keeps everything else', () => {
    const rest = { properties: [{ key: 'database.replica.number', value: '2' }] };
    const request = encodeMessage('AlterDatabaseRequest', { dbName: 'sales', ...rest });
    const mapped = withMappedDatabase(request, (database) => mapping.database(database));
    expect(decodeRequest('AlterDatabaseRequest', mapped)).toEqual({ dbName: 'dr', ...rest });
  });

  it.each([
    ['one collection', 'Collection', 'sales', 'orders', 'other', 'bestellungen'],
    ['a collection of the default database', 'Collection', '', 'orders', 'default', 'orders_dr'],
    ['all collections of a database', 'Collection', 'sales', '*', 'dr', '*'],
    ['all collections of all databases', 'Collection', '*', '*', '*', '*'],
    ['the whole cluster', 'Global', 'sales', '*', 'dr', '*'],
    ['a user who is called like a collection', 'User', 'sales', 'orders', 'dr', 'orders'],
  ])('of a grant is for what the mapping makes of %s', (_what, object, dbName, objectName, toDb, toName) => {
    const entity = { role: { name: 'reader' }, object: { name: object }, grantor: { privilege: { name: 'Search' } } };
    const grant = (names: object) => ({ entity: { ...entity, ...names }, type: 1 });
    const request = encodeMessage('OperatePrivilegeRequest', grant({ dbName, objectName }));
    const mapped = withMappedGrant('operatePrivilege', request, mapping);
    expect(decodeRequest('OperatePrivilegeRequest', mapped)).toEqual(grant({ dbName: toDb, objectName: toName }));
  });

  it('of a grant of 2.5 is for what the mapping makes of its collection', () => {
    const rest = { role: { name: 'reader' }, grantor: { privilege: { name: 'CollectionReadOnly' } } };
    const request = encodeMessage('OperatePrivilegeV2Request', { ...rest, dbName: 'sales', collectionName: 'orders' });
    const mapped = withMappedGrant('operatePrivilegeV2', request, mapping);
    expect(decodeRequest('OperatePrivilegeV2Request', mapped)).toEqual({
      ...rest,
      dbName: 'other',
      collectionName: 'bestellungen',
    });
  });
});
