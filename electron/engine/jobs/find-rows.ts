/** Of a source: whether its Milvus is the one whose catalog was read, and whether its rows can be read there. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import type { MilvusRpc, RpcOptions } from '../milvus/milvus-rpc.ts';
import { countLoaded, isLoaded, requestFor } from './loaded-rows.ts';

/** Enough to know a cluster by, few enough for the time a person waits. */
const COLLECTIONS_MAX = 64;

const titleOf = ({ database, name }: CatalogCollection): string => `${database}.${name}`;

/** @returns a sentence. @throws sourceChanged: another cluster's Milvus; and what keeps its rows from being read. */
export async function findRows(
  rpc: MilvusRpc,
  collections: readonly CatalogCollection[],
  options: RpcOptions,
): Promise<string> {
  if (collections.length === 0) return 'The catalog holds no collection yet, so there are no rows to read.';
  const looked = collections.slice(0, COLLECTIONS_MAX);
  const ids = await Promise.all(looked.map((one) => idOf(rpc, one, options)));
  // One that differs was dropped, or made again, since the catalog was read.
  const known = looked.filter((one, index) => ids[index] === one.id.toString());
  if (known.length === 0) throw anotherCluster(looked[0], ids[0]);
  const areLoaded = await Promise.all(known.map((one) => isLoaded(rpc, one, options)));
  const unloaded = areLoaded.filter((is) => !is).length;
  const first = known.find((_, index) => areLoaded[index]);
  const which = known.length === 1 ? 'the collection' : `the ${known.length} collections that were looked at`;
  if (first === undefined) {
    return `Milvus answers for the catalog's collections. None of ${which} is loaded: a copy has to load what it reads.`;
  }
  const rows = await countLoaded(rpc, first, options);
  const count = rows === undefined ? 'not counted' : `${rows} rows`;
  const rest =
    unloaded === 0
      ? ''
      : ` ${unloaded} of ${which} ${unloaded === 1 ? 'is' : 'are'} not loaded: a copy has to load what it reads.`;
  return `Rows can be read (${titleOf(first)}: ${count}).${rest}`;
}

/** A copy from another cluster's Milvus would fill the target with rows that the log knows nothing of. */
function anotherCluster(collection: CatalogCollection | undefined, id: string | undefined): ReplicationError {
  const what = collection === undefined ? 'its collections are' : `${titleOf(collection)} is`;
  const found = id === undefined ? 'not there' : 'another collection there';
  return new ReplicationError(
    'sourceChanged',
    'source',
    `This Milvus is not the one whose catalog is in etcd: ${what} ${found}. Correct the address of Milvus, or etcd's address and root path.`,
  );
}

/** `undefined`: there is none of that name. */
async function idOf(rpc: MilvusRpc, collection: CatalogCollection, options: RpcOptions): Promise<string | undefined> {
  try {
    return (await rpc.call('DescribeCollection', requestFor(collection), options)).collectionID;
  } catch (error) {
    if (error instanceof ReplicationError && error.code === 'notFound') return undefined;
    throw error;
  }
}
