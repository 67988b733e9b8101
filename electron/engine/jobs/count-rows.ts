/** How many rows a collection of the source holds: counted where it is loaded, else as its data coordinator keeps book. */
import type { MilvusRpc, RpcOptions } from '../milvus/milvus-rpc.ts';
import { countLoaded, isLoaded, requestFor, type NamedCollection } from './loaded-rows.ts';
import type { CountedRows } from './selection-preview.ts';

/** @returns `undefined`: the server says neither. */
export async function countRows(
  rpc: MilvusRpc,
  collection: NamedCollection,
  options: RpcOptions,
): Promise<CountedRows | undefined> {
  if (await isLoaded(rpc, collection, options)) {
    const count = await countLoaded(rpc, collection, options);
    if (count !== undefined) return { rows: BigInt(count), from: 'count' };
  }
  const { stats } = await rpc.call('GetCollectionStatistics', requestFor(collection), options);
  const rows = stats.find(({ key }) => key === 'row_count')?.value;
  return rows === undefined || !/^\d+$/.test(rows) ? undefined : { rows: BigInt(rows), from: 'statistics' };
}
