/**
 * Copies collections, a few at a time: takes S, has the rows copied, takes E, and hands the shards over to be followed
 * from S. Proof and states: SPEC.md.
 */
import { asVChannel } from '../../../shared/model/ids.ts';
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO, timeTickFromMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { retrying } from '../runtime/retry.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import type { RowSource, SourceCollectionState } from '../source/rows/row-source.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { copyRows } from './collection-copy.ts';
import type { CollectionReplica } from './collection-replica.ts';
import { readLogCut } from './log-cut.ts';
import { readLogEnd, type LogEnd } from './log-end.ts';

/** One reads while another waits for its target; more only makes the source slower for its users. */
const COLLECTIONS_AT_ONCE = 2;
/** Between the source's clock and ours, where the source gives no timestamps. */
const CLOCK_SKEW_MS_MAX = 5_000;

/** A collection whose rows are confirmed, ready to be followed from S. */
export interface CopiedReplica {
  readonly replica: CollectionReplica;
  /** Pinned at S, their intent at E. */
  readonly shards: readonly StoredShard[];
  /** E of each shard: the last message that could be a change. */
  readonly ends: ReadonlyMap<VChannel, MessageOrdinal>;
  readonly copyBeganMs: number;
  readonly copyEndedMs: number;
}

export interface CopyRunnerContext {
  readonly rows: RowSource | undefined;
  /** Collections that are not loaded on the source may be loaded for the copy, and are released after it. */
  readonly mayLoad: boolean;
  readonly wal: Wal;
  readonly catalog: Catalog;
  readonly target: Target;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observer: (place: string) => RetryObserver;
  readonly predecessorsOf: (replica: CollectionReplica) => readonly CollectionReplica[];
  readonly copied: (copy: CopiedReplica) => void;
}

interface QueuedCopy {
  readonly replica: CollectionReplica;
  /** Pinned at S by an earlier run; none where the copy has not been begun. */
  readonly shards: readonly StoredShard[];
}

interface DescribedCollection {
  /** Its name on the source now. */
  readonly address: CollectionAddress;
  readonly partitions: readonly string[];
  readonly state: SourceCollectionState;
}

export class CopyRunner {
  readonly #context: CopyRunnerContext;
  readonly #queue: QueuedCopy[] = [];
  #running = 0;

  constructor(context: CopyRunnerContext) {
    this.#context = context;
  }

  add(copy: QueuedCopy): void {
    this.#queue.push(copy);
    this.#next();
  }

  #next(): void {
    while (this.#running < COLLECTIONS_AT_ONCE) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#running += 1;
      this.#run(next)
        .catch((error: unknown) => next.replica.fail(error))
        .finally(() => {
          this.#running -= 1;
          this.#next();
        });
    }
  }

  async #run({ replica, shards }: QueuedCopy): Promise<void> {
    const { clock, store, rows } = this.#context;
    if (rows === undefined) throw noRowSource(replica.address);
    const copyBeganMs = clock.now();
    const pinned = replica.copy === 'due' ? await this.#pin(rows, replica) : shards;
    if (pinned === undefined) {
      replica.passedOver();
      return;
    }
    await this.#copy(rows, replica);
    const ends = new Map<VChannel, MessageOrdinal>();
    const lastChanges = new Map<VChannel, MessageOrdinal>();
    for (const { vchannel, channel } of pinned) {
      const { ordinal, tick } = await this.#logEnd(channel);
      ends.set(vchannel, ordinal);
      lastChanges.set(vchannel, tick === TIME_TICK_ZERO ? ordinal : asOrdinal(ordinal - 1n));
    }
    store.endCopy(replica.id, ends);
    replica.copyMoved('copied');
    this.#context.copied({
      replica,
      shards: pinned.map((shard) => ({ ...shard, intent: ends.get(shard.vchannel) })),
      ends: lastChanges,
      copyBeganMs,
      copyEndedMs: clock.now(),
    });
  }

  /** By identity, under whatever name it has now. */
  #find(replica: CollectionReplica): Promise<CatalogCollection | undefined> {
    return this.#onSource('catalog', replica, async () => {
      return living(await this.#context.catalog.collection(replica.id));
    });
  }

  /**
   * S: where each shard's channel ends now, before the first row is read. `undefined`: the collection is gone, and so
   * perhaps is its drop in the log. One that the catalogue shows after S was taken has its drop behind S: Milvus marks
   * the catalogue before it writes the message (internal/rootcoord, 2.3).
   */
  async #pin(rows: RowSource, replica: CollectionReplica): Promise<readonly StoredShard[] | undefined> {
    const found = await this.#find(replica);
    if (found === undefined) return undefined;
    const ends = await Promise.all(found.startPositions.map(({ pchannel }) => this.#logEnd(pchannel)));
    const now = await this.#now(rows, replica);
    const shards = await Promise.all(
      found.startPositions.map(async ({ vchannel, pchannel }, index): Promise<StoredShard> => {
        const end = ends[index];
        if (end === undefined) throw new ReplicationError('bug', 'internal', 'A shard has no end of its log.');
        const { wal, observer } = this.#context;
        const cut = () => readLogCut(wal, pchannel, end, now, replica.signal);
        const checkpoint = await retrying(cut, replica.signal, observer(pchannel));
        return {
          vchannel: asVChannel(vchannel),
          collectionId: replica.id,
          channel: pchannel,
          checkpoint,
          intent: end.ordinal,
        };
      }),
    );
    if ((await this.#find(replica)) === undefined) return undefined;
    this.#context.store.beginCopy(replica.id, shards);
    replica.copyMoved('copying');
    return shards;
  }

  async #copy(rows: RowSource, replica: CollectionReplica): Promise<void> {
    const { predecessorsOf, target } = this.#context;
    const found = await this.#describe(rows, replica);
    // Its drop stands behind S.
    if (found === undefined) return;
    const { address, state } = found;
    await orAborted(
      Promise.all(predecessorsOf(replica).map((earlier) => earlier.whenDropped(replica.signal))),
      replica.signal,
    );
    await orAborted(replica.ensureReady(), replica.signal);
    for (const request of state.indexRequests) {
      await replica.onTarget('createIndex', (signal) => target.createIndex(request, signal));
    }
    const isLoadedForCopy = await this.#makeReadable(rows, replica, address, state);
    try {
      await this.#copyRows(rows, replica, found);
    } finally {
      if (isLoadedForCopy) await this.#release(rows, replica, address);
    }
    const { loadRequest } = state;
    if (loadRequest !== undefined) {
      await replica.onTarget('loadCollection', (signal) => target.loadCollection(loadRequest, signal));
    }
  }

  async #copyRows(
    rows: RowSource,
    replica: CollectionReplica,
    { address, partitions }: DescribedCollection,
  ): Promise<void> {
    const { store } = this.#context;
    const guarantee = await this.#onSource('now', replica, (signal) => rows.now(signal));
    let rowsCopied = 0;
    let sourceDoubles = 0;
    await copyRows(
      {
        rows,
        store,
        onSource: (name, call) => this.#onSource(name, replica, call),
        isThere: (partition) => this.#isThere(replica, address, partition),
        ensurePartition: (partition) => replica.ensurePartition(partition),
        write: (partition, page, isDoubtful) => replica.writer.writeCopied(partition, page, isDoubtful),
        copied: (rowCount, doubles) => {
          rowsCopied += rowCount;
          sourceDoubles += doubles;
          replica.copyStatus = { rowsCopied, sourceDoubles };
        },
      },
      { id: replica.id, address, schema: replica.schema, partitions, guarantee },
    );
  }

  /** Also where the copy has failed: the signal of the collection is over then. */
  async #release(rows: RowSource, replica: CollectionReplica, address: CollectionAddress): Promise<void> {
    const { signal, observer } = this.#context;
    if (signal.aborted) return;
    await retrying(() => rows.release(address, signal), signal, observer(`release ${replica.id}`));
  }

  /** Only the catalogue's word makes a collection gone; that a server does not find it is no proof, and is asked again. */
  #describe(rows: RowSource, replica: CollectionReplica): Promise<DescribedCollection | undefined> {
    const { catalog } = this.#context;
    return this.#onSource('describe', replica, async (signal) => {
      const found = living(await catalog.collection(replica.id));
      if (found === undefined) return undefined;
      const address: CollectionAddress = { database: found.database, collection: found.name };
      const state = await rows.describe(address, signal);
      if (state === undefined) throw notFoundYet(address);
      return { address, partitions: found.partitions.map(({ name }) => name), state };
    });
  }

  async #makeReadable(
    rows: RowSource,
    replica: CollectionReplica,
    address: CollectionAddress,
    { loadState }: SourceCollectionState,
  ): Promise<boolean> {
    if (loadState === 'loaded') return false;
    if (loadState === 'not-loaded' && !this.#context.mayLoad) throw notLoaded(address);
    await this.#onSource('load', replica, (signal) => rows.load(address, signal));
    return loadState === 'not-loaded';
  }

  /** A name says nothing of identity: what answers under it may be another by now. */
  async #isThere(replica: CollectionReplica, address: CollectionAddress, partition: string): Promise<boolean> {
    const found = await this.#find(replica);
    if (found === undefined) return false;
    if (found.name !== address.collection || found.database !== address.database) throw renamed(address);
    return partition === '' || found.partitions.some(({ name }) => name === partition);
  }

  /** Later than every change that stands in the log: of the source, or, where it gives none, of the clock and some more. */
  async #now(rows: RowSource, replica: CollectionReplica): Promise<TimeTick> {
    const given = await this.#onSource('now', replica, (signal) => rows.now(signal));
    return given ?? timeTickFromMs(this.#context.clock.now() + CLOCK_SKEW_MS_MAX);
  }

  #logEnd(channel: PChannel): Promise<LogEnd> {
    const { wal, signal, observer } = this.#context;
    return retrying(() => readLogEnd(wal, channel, signal), signal, observer(channel));
  }

  #onSource<T>(name: string, replica: CollectionReplica, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return retrying(() => call(replica.signal), replica.signal, this.#context.observer(`${name} ${replica.id}`));
  }
}

/** What the catalogue holds as made and not dropped. */
function living(found: Awaited<ReturnType<Catalog['collection']>>): CatalogCollection | undefined {
  return found === 'gone' || found === 'creating' ? undefined : found;
}

function notFoundYet({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'notReady',
    'source',
    `The source's catalogue holds ${database}.${collection}, and its server does not find it. It is asked again.`,
    { context: { database, collection } },
  );
}

function renamed({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'notReadable',
    'source',
    `${database}.${collection} was renamed while its rows were copied. Resume, and the copy goes on under its new name.`,
    { context: { database, collection } },
  );
}

function noRowSource({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'invalidConfig',
    'config',
    `The rows of ${database}.${collection} are to be copied, and the source has no Milvus address to read them from. Add it to the source, then resume.`,
  );
}

function notLoaded({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'notReadable',
    'source',
    `${database}.${collection} is not loaded on the source, so its rows cannot be read. Load it there, or allow Lifeline to load it for the copy, then resume.`,
    { context: { database, collection } },
  );
}
