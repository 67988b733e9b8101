/**
 * One side as it is: databases, the shape of every collection, and all rows by key and hash. What is not loaded is
 * loaded for the reading and released again, so that looking at a cluster leaves it as it was.
 */
import { whenLoaded } from '../content/load-state.ts';
import type { DrillSide, MilvusConnection } from '../content/milvus-client.ts';
import { collectionKey } from '../load/ledger-replay.ts';
import { ALL_PARTITIONS } from '../load/ledger.ts';
import { atOnce } from '../../../../shared/at-once.ts';
import type { CollectionName } from '../../../../shared/model/collection-name.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { describeCollection, listCollections, listDatabases, type CollectionShape } from './collection-shape.ts';
import type { CollectionRows } from './compare-rows.ts';
import { readPartitionRows, type PartitionRows } from './read-rows.ts';

export interface CollectionSnapshot {
  readonly shape: CollectionShape;
  readonly rows: CollectionRows;
}

export interface UnreadableCollection extends CollectionName {
  readonly problem: ReplicationError;
}

export interface ClusterSnapshot {
  readonly databases: readonly string[];
  /** By `collectionKey`. */
  readonly collections: ReadonlyMap<string, CollectionSnapshot>;
  /** Collections that exist but cannot be loaded or read, by `collectionKey`. */
  readonly unreadable: ReadonlyMap<string, UnreadableCollection>;
}

export interface SnapshotProgress {
  readonly side: DrillSide;
  readonly collectionsRead: number;
  readonly collectionsTotal: number;
  readonly rowsRead: number;
}

/** The server waits for its clock at every strong read, and some seconds for a load: those at once share the waits. */
const COLLECTIONS_AT_ONCE = 16;

/** Throws when the server cannot be asked at all; a single collection's problem is part of the result. */
export async function snapshotCluster(
  connection: MilvusConnection,
  signal: AbortSignal,
  onProgress: (progress: SnapshotProgress) => void,
): Promise<ClusterSnapshot> {
  const databases = await listDatabases(connection);
  const names: CollectionName[] = [];
  for (const database of databases) {
    for (const collection of await listCollections(connection, database)) names.push({ database, collection });
  }
  const collections = new Map<string, CollectionSnapshot>();
  const unreadable = new Map<string, UnreadableCollection>();
  let rowsRead = 0;
  const report = (): void =>
    onProgress({
      side: connection.side,
      collectionsRead: collections.size + unreadable.size,
      collectionsTotal: names.length,
      rowsRead,
    });
  report();
  await atOnce(COLLECTIONS_AT_ONCE, names, async (name) => {
    const key = collectionKey(name.database, name.collection);
    try {
      const snapshot = await snapshotCollection(connection, name, signal);
      for (const { rows } of snapshot.rows.values()) rowsRead += rows.size;
      collections.set(key, snapshot);
    } catch (error) {
      if (!isAboutOneCollection(error)) throw error;
      unreadable.set(key, { ...name, problem: error });
    }
    report();
  });
  return { databases, collections, unreadable };
}

/** A refusal concerns the collection; a server that is gone or slow concerns the whole comparison. */
const isAboutOneCollection = (error: unknown): error is ReplicationError =>
  error instanceof ReplicationError && ['invalidRequest', 'unsupported', 'malformedMessage'].includes(error.code);

async function snapshotCollection(
  connection: MilvusConnection,
  name: CollectionName,
  signal: AbortSignal,
): Promise<CollectionSnapshot> {
  const shape = await describeCollection(connection, name);
  const release = await ensureLoaded(connection, shape, signal);
  try {
    const rows = new Map<string, PartitionRows>();
    if (shape.hasPartitionKey) rows.set(ALL_PARTITIONS, await readPartitionRows(connection, shape, undefined, signal));
    else {
      await Promise.all(
        shape.partitions.map(async (partition) => {
          rows.set(partition, await readPartitionRows(connection, shape, partition, signal));
        }),
      );
    }
    return { shape, rows };
  } finally {
    await release();
  }
}

/** Returns what brings the collection back into the state it was found in. */
async function ensureLoaded(
  connection: MilvusConnection,
  shape: CollectionShape,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const names = { db_name: shape.database, collection_name: shape.collection };
  const notLoaded = shape.partitions.filter((partition) => !shape.loadedPartitions.includes(partition));
  const undo =
    shape.loadState === 'notLoaded'
      ? { load: 'LoadCollection', release: 'ReleaseCollection', request: names }
      : notLoaded.length > 0
        ? { load: 'LoadPartitions', release: 'ReleasePartitions', request: { ...names, partition_names: notLoaded } }
        : undefined;
  if (undo !== undefined) await connection.call(undo.load, undo.request);
  await whenLoaded(connection, shape, signal);
  return async () => {
    if (undo !== undefined) await connection.call(undo.release, undo.request);
  };
}
