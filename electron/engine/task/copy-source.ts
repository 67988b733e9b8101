/** The source of one collection's copy: found by its identity, made readable, read within the allowance. */
import { isSameName } from '../../../shared/model/collection-name.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import { timeTickFromMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { retrying } from '../runtime/retry.ts';
import { pause } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection, CatalogImport } from '../source/catalog/catalog.ts';
import { isNotLoaded } from '../source/rows/range-query.ts';
import type { CollectionIndex, CollectionState, RowKey, RowSource } from '../source/rows/row-source.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { CopyAllowance } from './copy-budget.ts';
import { CopyLoads } from './copy-loads.ts';
import type { PageAnswer } from './pages-ahead.ts';
import { addressOf } from './reconciler/wanted.ts';

/** Between the source's clock and ours, where the source gives no timestamps. */
const CLOCK_SKEW_MS_MAX = 5_000;
/** A server may be behind its own catalogue for a moment; for half a minute it is another one. */
const MISSES_MAX = 8;
/** Before what somebody has released is read again. */
const LOADED_AGAIN_PAUSE_MS = 200;

export interface CopySourceContext {
  readonly rows: RowSource;
  readonly catalog: Catalog;
  readonly store: TaskStore;
  readonly clock: Clock;
  /** Ends the task. */
  readonly signal: AbortSignal;
  readonly observer: (place: string) => RetryObserver;
  readonly allowance: CopyAllowance;
  /** Collections that are not loaded on the source may be loaded for the copy, and are released after it. */
  readonly mayLoad: boolean;
  readonly notice: (text: string) => void;
}

export interface DescribedCollection {
  /** Its name on the source now. */
  readonly address: CollectionAddress;
  readonly partitions: readonly string[];
  readonly loadState: CollectionState['loadState'];
  readonly indexes: readonly CollectionIndex[];
  /** How many times the whole of it is loaded, but for this copy. */
  readonly replicaNumber: number | undefined;
  /** Which fields of it are loaded, by their ids; absent: all. */
  readonly loadFields?: readonly bigint[];
  /** Nothing of it is loaded, but for this copy. */
  readonly isReleased: boolean;
}

export class CopySource {
  readonly #context: CopySourceContext;
  readonly #replica: CollectionReplica;
  readonly #loads: CopyLoads;
  #misses = 0;
  /** As it was found last: its pages are read under that name. */
  #known: CatalogCollection | undefined;

  constructor(context: CopySourceContext, replica: CollectionReplica) {
    const { rows, store } = context;
    this.#context = context;
    this.#replica = replica;
    this.#loads = new CopyLoads({ side: 'source', cluster: rows, store, id: replica.id });
  }

  /** By identity, under whatever name it has now. */
  find(): Promise<CatalogCollection | undefined> {
    const { catalog } = this.#context;
    return this.#ask('catalog', async () => living(await catalog.collection(this.#replica.id)));
  }

  /** Later than every change that stands in the log: of the source, or, where it gives none, of the clock and some more. */
  async now(): Promise<TimeTick> {
    return (await this.guarantee()) ?? timeTickFromMs(this.#context.clock.now() + CLOCK_SKEW_MS_MAX);
  }

  /** What is read with it shows every change that stands in the log by now. */
  guarantee(): Promise<TimeTick | undefined> {
    return this.#ask('now', (signal) => this.#context.rows.now(signal));
  }

  /**
   * Only the catalogue's word makes a collection gone; that a server does not find it is no proof, and is asked again.
   * @throws invalidConfig where the server is another one than the catalogue's.
   */
  describe(): Promise<DescribedCollection | undefined> {
    const { catalog, rows } = this.#context;
    const { id } = this.#replica;
    return this.#ask('describe', async (signal) => {
      const found = living(await catalog.collection(id));
      if (found === undefined) return undefined;
      this.#known = found;
      const address = addressOf(found);
      const state = await rows.describe(address, signal);
      if (state?.id === (id as bigint)) {
        const loadFields = await catalog.loadFields(id);
        return { ...this.#described(address, found, state), ...(loadFields === undefined ? {} : { loadFields }) };
      }
      this.#misses += 1;
      if (this.#misses >= MISSES_MAX) throw anotherCluster(address, state !== undefined);
      throw notFoundYet(address);
    });
  }

  #described(address: CollectionAddress, found: CatalogCollection, state: CollectionState): DescribedCollection {
    const { loaded } = this.#loads;
    const isOurs = (partition: string): boolean =>
      loaded !== undefined && (loaded === 'all' || loaded.includes(partition));
    return {
      address,
      partitions: found.partitions.map(({ name }) => name),
      loadState: state.loadState,
      indexes: state.indexes,
      replicaNumber: loaded === undefined ? state.replicaNumber : undefined,
      isReleased: state.loadedPartitions.every(isOurs),
    };
  }

  /** Imports into the collection that are completed by now. */
  async completedImports(): Promise<readonly CatalogImport[]> {
    const { id } = this.#replica;
    const imports = await this.#ask('imports', () => this.#context.catalog.imports());
    return imports.filter(({ isCompleted, collectionId }) => isCompleted && collectionId === id);
  }

  /** Resolves when what is read from now on shows the imports that the copy is to read. */
  async whenImportsShown(isCovered: (id: bigint) => boolean): Promise<void> {
    const { catalog, rows } = this.#context;
    const imports = (await this.completedImports()).filter((one) => isCovered(one.id));
    if (imports.length === 0) return;
    const isTold = imports.every(({ segments }) => segments.length > 0);
    const segments = isTold ? imports.flatMap((one) => one.segments) : [];
    await this.#ask('imports', async (signal) => {
      const found = living(await catalog.collection(this.#replica.id));
      // Its drop stands behind S.
      if (found === undefined) return;
      const address = { database: found.database, collection: found.name };
      const partitions = found.partitions.map((partition) => partition.id);
      let failure: ReplicationError | undefined;
      try {
        await rows.whenShown({ ...address, partitions, segments }, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = toReplicationError(error);
      }
      // What bore the name meanwhile may have been another.
      if (!(await this.#isAt(address))) throw notFoundYet(address);
      if (failure !== undefined) throw failure;
    });
  }

  async makeReadable({ address, loadState }: DescribedCollection): Promise<void> {
    if (loadState === 'loaded') return;
    if (loadState === 'not-loaded' && !this.#context.mayLoad) throw notLoaded(address);
    await this.#load(address);
  }

  #load(address: CollectionAddress): Promise<void> {
    return this.#ask('load', (signal) => this.#loads.load(address, signal));
  }

  /** What was loaded for the copy, by this run or an earlier one. Also where the copy has failed, its own signal over. */
  async release(found: CollectionAddress): Promise<void> {
    const address = this.#nameOr(found);
    const { signal, observer, notice } = this.#context;
    if (signal.aborted || this.#loads.loaded === undefined) return;
    const release = () => this.#loads.release(address, signal);
    await retrying(release, signal, observer(`release ${this.#replica.id}`));
    notice(
      `${address.database}.${address.collection} was loaded on the source for its copy and has been released again. If somebody else has loaded it in between, it has to be loaded once more.`,
    );
  }

  /** Doubles are counted as well. */
  countRows({ address }: DescribedCollection, guarantee: TimeTick | undefined): Promise<number> {
    const { rows } = this.#context;
    const read = { ...address, partition: '', schema: this.#replica.schema, guarantee };
    return this.#reading('count', address, (signal) => rows.countRows(read, signal));
  }

  /** @throws notReadable naming vectors that the server does not return. */
  assertReadable({ address }: DescribedCollection, guarantee: TimeTick | undefined): Promise<void> {
    const { rows } = this.#context;
    const read = { ...address, partition: '', schema: this.#replica.schema, guarantee };
    return this.#reading('probe', address, (signal) => rows.assertReadable(read, signal));
  }

  async readPage(
    { address }: DescribedCollection,
    guarantee: TimeTick | undefined,
    partition: string,
    after: RowKey | undefined,
  ): Promise<PageAnswer> {
    const { rows, allowance } = this.#context;
    const { schema, signal: ended } = this.#replica;
    await allowance.whenFree(ended);
    let page: PageAnswer | 'renamed';
    do {
      const name = this.#nameOr(address);
      const read = { ...name, partition, schema, after, guarantee, ...allowance.pageSize() };
      page = await this.#reading('readPage', name, async (signal): Promise<PageAnswer | 'renamed'> => {
        try {
          const found = await rows.readPage(read, signal);
          return (await this.#isAt(name)) ? found : 'renamed';
        } catch (error) {
          if (signal.aborted) throw error;
          if (!(await this.#isAt(name))) return 'renamed';
          if (await this.#isThere(partition)) throw error;
          return 'gone';
        }
      });
    } while (page === 'renamed');
    if (page !== undefined && page !== 'gone') {
      const bytes = page.fields.reduce((sum, field) => sum + field.bytes.byteLength, 0);
      allowance.spend(page.rowCount, bytes);
    }
    return page;
  }

  /**
   * A name says nothing of identity: after a rename, what answers under it may be another. So the catalogue is asked after
   * each page, and a page that may have been read under another's name is read again.
   */
  async #isAt(name: CollectionAddress): Promise<boolean> {
    const { catalog } = this.#context;
    const known = this.#known;
    const isUnchanged = () => known !== undefined && catalog.isUnchanged(known);
    if (await this.#ask('catalog', async () => isUnchanged())) return true;
    const found = await this.find();
    if (found === undefined) return true;
    this.#known = found;
    // Renamed and renamed back it bears the same name, and was stored anew.
    return isSameName(addressOf(found), name) && found.changedAt === known?.changedAt;
  }

  #nameOr(address: CollectionAddress): CollectionAddress {
    return this.#known === undefined ? address : addressOf(this.#known);
  }

  async #isThere(partition: string): Promise<boolean> {
    const found = await this.find();
    return found !== undefined && (partition === '' || found.partitions.some(({ name }) => name === partition));
  }

  /** What somebody releases meanwhile is loaded again, where it may be. */
  async #reading<T>(name: string, address: CollectionAddress, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.#ask(name, call);
      } catch (error) {
        if (!isNotLoaded(error) || !this.#context.mayLoad) throw error;
        await this.#load(address);
        await pause(LOADED_AGAIN_PAUSE_MS, this.#replica.signal);
      }
    }
  }

  #ask<T>(name: string, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, id } = this.#replica;
    return retrying(() => call(signal), signal, this.#context.observer(`${name} ${id}`));
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

function anotherCluster({ database, collection }: CollectionAddress, isThere: boolean): ReplicationError {
  const found = isThere ? 'another collection there' : 'not there';
  return new ReplicationError(
    'invalidConfig',
    'config',
    `The source's Milvus is not the one whose catalog is in etcd: ${database}.${collection} is ${found}. No row was read. Correct the address of Milvus, or etcd's address and root path, then resume.`,
    { context: { database, collection } },
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
