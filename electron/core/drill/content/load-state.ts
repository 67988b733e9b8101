/** Whether a collection can be queried, and the wait for it: the library's own waits for a load without an end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectionName } from '../../../../shared/model/collection-name.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { MilvusConnection } from './milvus-client.ts';

export type LoadState = 'loaded' | 'loading' | 'notLoaded';

/** A load takes 3 s on a quiet machine. */
const LOAD_TIMEOUT_MS = 60_000;
const LOAD_PROBE_INTERVAL_MS = 100;

export async function loadStateOf(
  connection: MilvusConnection,
  { database, collection }: CollectionName,
  partitions: readonly string[],
): Promise<LoadState> {
  const { state } = (await connection.call('GetLoadState', {
    db_name: database,
    collection_name: collection,
    partition_names: partitions,
  })) as { state: string };
  return state === 'LoadStateLoaded' ? 'loaded' : state === 'LoadStateLoading' ? 'loading' : 'notLoaded';
}

/** Resolves when the collection, or what of it is to be loaded, is. Throws `timeout` after a minute. */
export async function whenLoaded(
  connection: MilvusConnection,
  name: CollectionName,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + LOAD_TIMEOUT_MS;
  while ((await loadStateOf(connection, name, [])) !== 'loaded') {
    if (Date.now() > deadline) {
      throw new ReplicationError(
        'timeout',
        connection.side,
        `The ${connection.side} has not loaded ${name.database}.${name.collection} within ` +
          `${String(LOAD_TIMEOUT_MS / 1000)} s. Look at its memory and at its log.`,
      );
    }
    await delay(LOAD_PROBE_INTERVAL_MS, undefined, { signal });
  }
}
