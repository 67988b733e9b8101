/** Whether a collection of the source is loaded, and how many rows it then counts. */
import type { MilvusRpc, RpcOptions } from '../milvus/milvus-rpc.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';

/** `common.LoadState`. */
const LOADED = 3;
/** `common.ConsistencyLevel`: nothing waits for the newest change. */
const EVENTUALLY = 3;

export type NamedCollection = Pick<CatalogCollection, 'database' | 'name'>;

export const requestFor = ({ database, name }: NamedCollection) => ({ dbName: database, collectionName: name });

export async function isLoaded(rpc: MilvusRpc, collection: NamedCollection, options: RpcOptions): Promise<boolean> {
  const { state } = await rpc.call('GetLoadState', { ...requestFor(collection), partitionNames: [] }, options);
  return state === LOADED;
}

/** Of a loaded one, decimal. @returns `undefined`: the server answers without a number. */
export async function countLoaded(
  rpc: MilvusRpc,
  collection: NamedCollection,
  options: RpcOptions,
): Promise<string | undefined> {
  const query = {
    ...requestFor(collection),
    expr: '',
    outputFields: ['count(*)'],
    partitionNames: [],
    guaranteeTimestamp: '1',
    consistencyLevel: EVENTUALLY,
    queryParams: [],
  };
  const { fieldsData } = await rpc.call('Query', query, options);
  return fieldsData[0]?.scalars?.longData?.data?.[0];
}
