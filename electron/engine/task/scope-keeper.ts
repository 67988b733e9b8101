/**
 * What the task follows, in line with what is selected: at its start, and when somebody changes the selection while it runs.
 * One change after the other; what is changed is planned in `selection-change.ts` and stored in one transaction.
 */
import { randomUUID } from 'node:crypto';
import { nameText } from '../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../shared/model/ids.ts';
import { isSameNames, SAME_NAMES, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { EVERYTHING, isEverything, type Selection } from '../../../shared/model/selection.ts';
import type {
  StoredCollection,
  StoredShard,
  StoredTask,
  TaskScope,
  TaskStore,
} from '../../../shared/model/task-state.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import { orAborted, SerialLane } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import type { KeySource } from '../source/rows/row-source.ts';
import type { Wal } from '../source/wal/wal.ts';
import { wholeSnapshot } from '../source/catalog/whole-snapshot.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import { CopyLoads } from './copy-loads.ts';
import { isSameSelection, planSelection, type SelectionChangeContext } from './selection-change.ts';
import { TaskSelection } from './task-selection.ts';

export interface ScopeKeeperContext {
  readonly catalog: Pick<Catalog, 'snapshot'>;
  readonly wal: Pick<Wal, 'decodeMessageId' | 'bounds'>;
  readonly store: TaskStore;
  readonly rows?: KeySource | undefined;
  /** Under the source's names. */
  readonly targetRows?: KeySource | undefined;
  readonly registry: CollectionRegistry;
  readonly signal: AbortSignal;
  readonly observer: RetryObserver;
  readonly isDropped: (id: CollectionId) => boolean;
  readonly isOwnCopyThere: SelectionChangeContext['isOwnCopyThere'];
  /** A question whose refusal is no trouble of the task's. */
  readonly asked: <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** What is stored is taken up, and nobody else changes it. */
  whenStarted(): Promise<void>;
  /** No other engine has taken the target over. */
  whenMayWrite(): Promise<void>;
  /** Stores the checkpoints of now. */
  flush(): void;
  /** It is no longer in the store. */
  left(replica: CollectionReplica): void;
  /** They are in the store: the shards are those of them that are not copied. */
  come(collections: readonly StoredCollection[], shards: readonly StoredShard[]): Promise<void>;
  /** The catalogue is to be read again. */
  changed(): void;
  readonly notice: (text: string) => void;
}

export class ScopeKeeper {
  readonly selection: TaskSelection;
  readonly #context: ScopeKeeperContext;
  readonly #lane = new SerialLane();
  /** The start has come to what is selected. */
  #isApplied = false;
  #isSelecting = false;

  constructor(context: ScopeKeeperContext, selection: Selection) {
    this.#context = context;
    this.selection = new TaskSelection(selection);
  }

  /** What belongs to a new selection is about to be added, and is not missed. */
  get isSelecting(): boolean {
    return this.#isSelecting;
  }

  /** Of a task that begins now. One that shares source and target with others by its selection has a marker of its own. */
  newScope(taskId: string, mapping: NameMapping = SAME_NAMES): TaskScope {
    const selection = this.selection.current;
    const isAlone = isEverything(selection) && isSameNames(mapping);
    return { owner: randomUUID(), marker: isAlone ? '' : taskId, selection, mapping };
  }

  /** What has changed between two starts. Before what is stored is taken up. */
  async applyAtStart(stored: StoredTask, collections: readonly CatalogCollection[]): Promise<void> {
    const selection = this.selection.current;
    this.#isApplied = true;
    const before = stored.scope.selection ?? EVERYTHING;
    if (isSameSelection(before, selection)) return;
    const { store, notice } = this.#context;
    const plan = await planSelection(this.#planning(), { before, selection }, stored.collections, collections);
    await this.#releaseLoads(plan.removed);
    store.applySelection(plan);
    for (const { id, database, name } of stored.collections) {
      if (plan.removed.includes(id)) notice(notFollowed({ database, collection: name }));
    }
  }

  /** @see TaskEngine.select */
  select(selection: Selection): Promise<void> {
    return this.#lane.run(() => this.#select(selection));
  }

  /** All that the catalogue holds now. */
  catalogRead(collections: readonly CatalogCollection[]): void {
    const { registry, isDropped } = this.#context;
    this.selection.noteLeftOut(collections, ({ id }) => registry.get(id) !== undefined || isDropped(id));
  }

  async #select(selection: Selection): Promise<void> {
    const before = this.selection.current;
    // From now on, so that what is born meanwhile is taken by the new one alone.
    this.selection.set(selection);
    if (!this.#isApplied) return;
    this.#isSelecting = true;
    try {
      await orAborted(this.#context.whenStarted(), this.#context.signal);
      for (let isDone = false; !isDone;) isDone = await this.#apply(selection);
    } catch (error) {
      this.selection.set(before);
      throw error;
    } finally {
      this.#isSelecting = false;
      this.#context.changed();
    }
  }

  /** @returns false: somebody has taken one of them up again meanwhile, and it is to be looked at anew. */
  async #apply(selection: Selection): Promise<boolean> {
    const { catalog, store, registry, signal, observer, isDropped } = this.#context;
    const { collections } = await retrying(() => wholeSnapshot(catalog), signal, observer);
    const stored = store.load();
    const change = { before: stored?.scope.selection ?? EVERYTHING, selection };
    const plan = await planSelection(this.#planning(), change, stored?.collections ?? [], collections);
    const leaving = plan.removed.map((id) => registry.get(id)).filter((replica) => replica !== undefined);
    for (const replica of leaving) replica.detach();
    await orAborted(Promise.all(leaving.map((replica) => replica.whenQuiet())), signal);
    await this.#releaseLoads(plan.removed);
    if (leaving.some((replica) => registry.get(replica.id) !== replica)) return false;
    // The log may have told of one meanwhile.
    const added = plan.added.filter(({ id }) => registry.get(id) === undefined && !isDropped(id));
    const shards = plan.shards.filter(({ collectionId }) => added.some(({ id }) => id === collectionId));
    this.#context.flush();
    store.applySelection({ ...plan, added, shards });
    for (const replica of leaving) {
      registry.remove(replica);
      replica.left();
      this.#context.left(replica);
      this.#context.notice(notFollowed(replica.address));
    }
    await this.#context.come(added, shards);
    return true;
  }

  #planning(): SelectionChangeContext {
    const { wal, rows, isOwnCopyThere } = this.#context;
    return { wal, canCopy: rows !== undefined, isOwnCopyThere };
  }

  /** What was loaded for copies that end here. Where it cannot be released, that is said. */
  async #releaseLoads(ids: readonly CollectionId[]): Promise<void> {
    const { rows, targetRows, store, signal, asked, notice } = this.#context;
    const clusters = { source: rows, target: targetRows };
    for (const { id, database, name } of store.load()?.collections ?? []) {
      if (!ids.includes(id)) continue;
      for (const side of ['source', 'target'] as const) {
        const cluster = clusters[side];
        if (cluster === undefined || store.loadedForCopy(id)[side] === undefined) continue;
        const loads = new CopyLoads({ side, cluster, store, id });
        const address = { database, collection: name };
        try {
          if (side === 'target') await this.#context.whenMayWrite();
          await asked((call) => loads.release(address, call));
        } catch (error) {
          signal.throwIfAborted();
          const { message } = toReplicationError(error);
          notice(`${nameText(address)} was loaded on the ${side} for its copy and stays so: ${message}`);
        }
      }
    }
  }
}

const notFollowed = (address: CollectionAddress): string =>
  `${nameText(address)} is no longer replicated. Its copy stays on the target as it is, and grows old.`;
