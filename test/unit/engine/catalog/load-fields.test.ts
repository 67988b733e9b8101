/**
 * Which fields of a collection are loaded: in etcd (`querypb.CollectionLoadInfo`, `load_fields = 8`, Milvus 2.4 and later,
 * pkg/proto/query_coord.proto) and in the public request. No server of the lab has them, so they are proven on bytes.
 */
import { Writer } from 'protobufjs';
import { expect, test } from 'vitest';
import { assembleDefinitions } from '../../../../electron/engine/source/catalog/assemble-definitions.ts';
import { loadPartitionsRequest, loadRequest } from '../../../../electron/engine/source/rows/definition-requests.ts';
import { asCollectionId } from '../../../../shared/model/ids.ts';
import { decodeAs } from '../../../support/golden-messages.ts';

const ID = 450n;
const ADDRESS = { database: 'shop', collection: 'orders' };

/** As Go writes it: packed. */
function loadInfo(...fields: readonly number[]): Uint8Array {
  const writer = Writer.create().uint32(8).int64(Number(ID)).uint32(24).int32(2);
  if (fields.length === 0) return writer.finish();
  writer.uint32(66).fork();
  for (const field of fields) writer.int64(field);
  return writer.ldelim().finish();
}

const loadOf = (value: Uint8Array) =>
  assembleDefinitions([], [{ key: `querycoord-collection-loadinfo/${ID}`, value }], []).get(asCollectionId(ID))?.load;

test('are read from the catalogue, where not all are', () => {
  expect(loadOf(loadInfo(100, 102))).toMatchObject({ replicaNumber: 2, fields: [100n, 102n] });
  expect(loadOf(loadInfo())).not.toHaveProperty('fields');
});

test('are named in the request to the target', () => {
  const whole = decodeAs('milvus.LoadCollectionRequest', loadRequest(ADDRESS, 2, ['id', 'vector']));
  expect(whole).toMatchObject({
    dbName: 'shop',
    collectionName: 'orders',
    replicaNumber: 2,
    loadFields: ['id', 'vector'],
  });
  const part = decodeAs('milvus.LoadPartitionsRequest', loadPartitionsRequest(ADDRESS, ['p'], 1, ['id']));
  expect(part).toMatchObject({ partitionNames: ['p'], replicaNumber: 1, loadFields: ['id'] });
  expect(decodeAs('milvus.LoadCollectionRequest', loadRequest(ADDRESS, 1))).not.toMatchObject({ loadFields: ['id'] });
});
