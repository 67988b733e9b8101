/** How many rows a collection of the source holds: counted where it is loaded, else as its data coordinator keeps book. */
import type { MilvusRpc, RpcOptions } from '../milvus/milvus-rpc.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import type { CountedRows } from './selection-preview.ts';

/** `common.LoadState`. */
const LOADED = 3;
/** `common.ConsistencyLevel`: nothing waits for the newest change. */
const EVENTUALLY = 3;

/** @returns `undefined`: the server says neither. */
export async function countRows(
  rpc: MilvusRpc,
  { database, name }: Pick<CatalogCollection, 'database' | 'name'>,
  options: RpcOptions,
): Promise<CountedRows | undefined> {
  const address = { dbName: database, collectionName: name };
  const { state } = await rpc.call('GetLoadState', { ...address, partitionNames: [] }, options);
  if (state === LOADED) {
    const query = {
      ...address,
      expr: '',
      outputFields: ['count(*)'],
      partitionNames: [],
      guaranteeTimestamp: '1',
      consistencyLevel: EVENTUALLY,
      queryParams: [],
    };
    const { fieldsData } = await rpc.call('Query', query, options);
    const count = fieldsData[0]?.scalars?.longData?.data?.[0];
    if (count !== undefined) return { rows: BigInt(count), from: 'count' };
  }
  const { stats } = await rpc.call('GetCollectionStatistics', address, options);
  const rows = stats.find(({ key }) => key === 'row_count')?.value;
  return rows === undefined || !/^\d+$/.test(rows) ? undefined : { rows: BigInt(rows), from: 'statistics' };
}
