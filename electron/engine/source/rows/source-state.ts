/** What a collection is on a cluster besides its rows: partitions, indexes, and whether it can be read. */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { LoadedPart } from '../../../../shared/model/task-state.ts';
import { pause } from '../../runtime/waiting.ts';
import type { MilvusRpc, RpcOptions } from '../../milvus/milvus-rpc.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { CollectionIndex, CollectionState, WillLoad } from './row-source.ts';

const DEADLINE_MS = 60_000;
/** A collection with a partition key may have thousands of partitions. */
const CALLS_AT_ONCE = 16;
const LOAD_LOOK_INTERVAL_MS = 200;
/** Then it is said that it takes long, and looked for again by whoever repeats what is not ready. */
const LOAD_WAIT_MS = 10_000;
/** `common.LoadState`. */
const NOT_LOADED = 1;
const LOADING = 2;
const LOADED = 3;
/** `merr.ErrReplicaNotFound`: what is not loaded has no replicas. */
const REPLICA_NOT_FOUND = 400;

interface PartitionState {
  readonly name: string;
  readonly state: number;
}

const nameOf = ({ database, collection }: CollectionAddress) => ({ dbName: database, collectionName: collection });

const objectMissing = (error: unknown): unknown =>
  error instanceof ReplicationError && error.code === 'notFound' ? error.context['object'] : undefined;

const isCollectionMissing = (error: unknown): boolean =>
  ['collection', 'database'].includes(String(objectMissing(error)));

function notKnownEverywhere(side: 'source' | 'target', address: CollectionAddress, cause: unknown): ReplicationError {
  const { database, collection } = address;
  return new ReplicationError(
    'notReady',
    side,
    `The ${side} has ${database}.${collection}, and not all of its parts know it yet. Wait until all of Milvus runs.`,
    { cause, context: { database, collection } },
  );
}

export class SourceState {
  readonly #rpc: MilvusRpc;
  readonly #side: 'source' | 'target';

  constructor(rpc: MilvusRpc, side: 'source' | 'target') {
    this.#rpc = rpc;
    this.#side = side;
  }

  async describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined> {
    const id = await this.#idOf(address, signal);
    if (id === undefined) return undefined;
    try {
      const partitions = await this.#partitions(address, signal);
      const states = partitions.map(({ state }) => state);
      const isLoaded = states.every((state) => state === LOADED);
      const isLoading = states.every((state) => state === LOADED || state === LOADING);
      return {
        id,
        partitions: partitions.map(({ name }) => name),
        loadedPartitions: partitions.filter(({ state }) => state === LOADED).map(({ name }) => name),
        loadState: isLoaded ? 'loaded' : isLoading ? 'loading' : 'not-loaded',
        indexes: await this.#indexes(address, signal),
        replicaNumber: isLoading ? await this.#wholeReplicaNumber(address, signal) : undefined,
      };
    } catch (error) {
      if (!isCollectionMissing(error)) throw error;
      // While a server starts, its parts may not know yet what its catalogue has (2.3.5): only the latter tells that it is gone.
      if ((await this.#idOf(address, signal)) === undefined) return undefined;
      throw notKnownEverywhere(this.#side, address, error);
    }
  }

  /** `undefined`: there is none. */
  async #idOf(address: CollectionAddress, signal: AbortSignal): Promise<bigint | undefined> {
    try {
      const { collectionID } = await this.#rpc.call('DescribeCollection', nameOf(address), optionsFor(address, signal));
      return BigInt(collectionID);
    } catch (error) {
      if (isCollectionMissing(error)) return undefined;
      throw error;
    }
  }

  /** Milvus calls a collection loaded of which one partition is (2.3.5), so each is asked for. */
  async #partitions(address: CollectionAddress, signal: AbortSignal): Promise<PartitionState[]> {
    const name = nameOf(address);
    const options = optionsFor(address, signal);
    const { partitionNames } = await this.#rpc.call('ShowPartitions', name, options);
    const whole = await this.#rpc.call('GetLoadState', { ...name, partitionNames: [] }, options);
    if (whole.state === NOT_LOADED) return partitionNames.map((partition) => ({ name: partition, state: NOT_LOADED }));
    const found: PartitionState[] = [];
    for (let from = 0; from < partitionNames.length; from += CALLS_AT_ONCE) {
      const some = partitionNames.slice(from, from + CALLS_AT_ONCE);
      const states = await Promise.all(some.map((partition) => this.#stateOf(address, partition, signal)));
      some.forEach((partition, index) => {
        const state = states[index];
        if (state !== undefined) found.push({ name: partition, state });
      });
    }
    return found;
  }

  /** `undefined`: dropped since its name was read. */
  async #stateOf(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<number | undefined> {
    const request = { ...nameOf(address), partitionNames: [partition] };
    try {
      return (await this.#rpc.call('GetLoadState', request, optionsFor(address, signal))).state;
    } catch (error) {
      if (objectMissing(error) === 'partition') return undefined;
      throw error;
    }
  }

  async #indexes(address: CollectionAddress, signal: AbortSignal): Promise<readonly CollectionIndex[]> {
    const name = nameOf(address);
    try {
      const { indexDescriptions } = await this.#rpc.call('DescribeIndex', name, optionsFor(address, signal));
      return indexDescriptions.map(({ fieldName, indexName, params }) => ({ fieldName, indexName, params }));
    } catch (error) {
      if (objectMissing(error) === 'index') return [];
      throw error;
    }
  }

  async #wholeReplicaNumber(address: CollectionAddress, signal: AbortSignal): Promise<number | undefined> {
    const replicaNumber = await this.#replicaNumber(address, signal);
    return replicaNumber === 0 ? undefined : replicaNumber;
  }

  /** 0 of what is not loaded. */
  async #replicaNumber(address: CollectionAddress, signal: AbortSignal): Promise<number> {
    try {
      return (await this.#rpc.call('GetReplicas', nameOf(address), optionsFor(address, signal))).replicas.length;
    } catch (error) {
      if (error instanceof ReplicationError && error.context['milvusCode'] === REPLICA_NOT_FOUND) return 0;
      throw error;
    }
  }

  /** Loads what is not loaded yet. @throws notReady where that takes longer than some seconds; to be called again then. */
  async load(
    address: CollectionAddress,
    earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void> {
    const endsAtMs = performance.now() + LOAD_WAIT_MS;
    for (let isAsked = false; ; isAsked = true) {
      const partitions = await this.#partitions(address, signal);
      if (partitions.every(({ state }) => state === LOADED)) return;
      if (!isAsked) await this.#ask(address, { partitions, earlier, willLoad }, signal);
      if (performance.now() > endsAtMs) break;
      await pause(LOAD_LOOK_INTERVAL_MS, signal);
    }
    throw new ReplicationError(
      'notReady',
      this.#side,
      `${address.database}.${address.collection} is still being loaded on the ${this.#side}. The copy goes on when it is.`,
      { context: { ...address, outcome: 'refused' } },
    );
  }

  async #ask(
    address: CollectionAddress,
    {
      partitions,
      earlier,
      willLoad,
    }: { partitions: readonly PartitionState[]; earlier: LoadedPart | undefined; willLoad: WillLoad },
    signal: AbortSignal,
  ): Promise<void> {
    const missing = partitions.filter(({ state }) => state !== LOADED && state !== LOADING).map(({ name }) => name);
    if (missing.length === 0) return;
    const name = nameOf(address);
    const options = optionsFor(address, signal);
    const replicaNumber = Math.max(1, await this.#replicaNumber(address, signal));
    if (missing.length === partitions.length || earlier === 'all') {
      willLoad('all');
      await this.#rpc.call('LoadCollection', { ...name, replicaNumber }, options);
      return;
    }
    willLoad([...new Set([...(earlier ?? []), ...missing])]);
    await this.#rpc.call('LoadPartitions', { ...name, partitionNames: missing, replicaNumber }, options);
  }

  async release(address: CollectionAddress, loaded: LoadedPart, signal: AbortSignal): Promise<void> {
    const name = nameOf(address);
    const options = optionsFor(address, signal);
    try {
      if (loaded === 'all') {
        await this.#rpc.call('ReleaseCollection', name, options);
        return;
      }
      const { partitionNames } = await this.#rpc.call('ShowPartitions', name, options);
      const there = loaded.filter((partition) => partitionNames.includes(partition));
      if (there.length > 0) await this.#rpc.call('ReleasePartitions', { ...name, partitionNames: there }, options);
    } catch (error) {
      if (!['collection', 'database'].includes(String(objectMissing(error)))) throw error;
    }
  }
}

const optionsFor = ({ database, collection }: CollectionAddress, signal: AbortSignal): RpcOptions => ({
  deadlineMs: DEADLINE_MS,
  signal,
  context: { database, collection },
});
