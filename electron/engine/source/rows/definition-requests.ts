/** Requests that make on one cluster what a collection is on another, under the name that it bears there. */
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import { encodeRequest } from '../../milvus/milvus-protocol.ts';
import type { CollectionIndex } from './row-source.ts';

const nameOf = ({ database, collection }: CollectionAddress) => ({ dbName: database, collectionName: collection });

/** Serialized `milvus.CreateIndexRequest`, without its base. */
export const createIndexRequest = (
  address: CollectionAddress,
  { fieldName, indexName, params }: CollectionIndex,
): Uint8Array => encodeRequest('CreateIndex', { ...nameOf(address), fieldName, indexName, extraParams: params });

/** Serialized `milvus.DropIndexRequest`, without its base. */
export const dropIndexRequest = (
  address: CollectionAddress,
  { fieldName, indexName }: Omit<CollectionIndex, 'params'>,
): Uint8Array => encodeRequest('DropIndex', { ...nameOf(address), fieldName, indexName });

/** Serialized `milvus.LoadCollectionRequest`, without its base. `loadFields` (2.4 and later): none: all. */
export const loadRequest = (
  address: CollectionAddress,
  replicaNumber: number,
  loadFields: readonly string[] = [],
): Uint8Array => encodeRequest('LoadCollection', { ...nameOf(address), replicaNumber, loadFields });

/** Serialized `milvus.LoadPartitionsRequest`, without its base. */
export const loadPartitionsRequest = (
  address: CollectionAddress,
  partitionNames: readonly string[],
  replicaNumber: number,
  loadFields: readonly string[] = [],
): Uint8Array => encodeRequest('LoadPartitions', { ...nameOf(address), partitionNames, replicaNumber, loadFields });

/** Serialized `milvus.ReleaseCollectionRequest`, without its base. */
export const releaseRequest = (address: CollectionAddress): Uint8Array =>
  encodeRequest('ReleaseCollection', nameOf(address));

/** Serialized `milvus.ReleasePartitionsRequest`, without its base. */
export const releasePartitionsRequest = (address: CollectionAddress, partitionNames: readonly string[]): Uint8Array =>
  encodeRequest('ReleasePartitions', { ...nameOf(address), partitionNames });
