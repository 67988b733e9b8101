/**
 * Imports: files that the source has taken as rows of a collection. They never pass the log, so the catalogue alone tells of them, and
 * only a copy brings them to the target: by their policy the collection is copied again, live.
 *
 * Done once: an import is known durably when a copy has taken its S behind the end of the import (`covers`), or when it was left out, and
 * not before. Until then every reading of the catalogue shows it as new, also to a later run. What is completed while a copy waits for
 * its turn is read by that copy; what is completed behind its S waits for its join, and is due then.
 */
import { nameText } from '../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../shared/model/ids.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { KnownImport, StoredCollection, TaskStore } from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO } from '../../../shared/time/time-tick.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { CatalogImport, CatalogSnapshot } from '../source/catalog/catalog.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import { AS_DECIDED, type OperationJournal, type OperationQuestion } from './operation-journal.ts';

export interface ImportsContext {
  readonly registry: Pick<CollectionRegistry, 'all' | 'get'>;
  readonly store: Pick<TaskStore, 'addImport' | 'forgetImports'>;
  readonly journal: Pick<OperationJournal, 'decide' | 'record'>;
  readonly clock: Clock;
  /** The source's rows can be read. */
  readonly canCopy: boolean;
  /** Resolves when the collection is to be copied again, durably. */
  readonly recopy: (id: CollectionId) => Promise<void>;
  readonly guard: (work: Promise<unknown>) => void;
  readonly notice: (text: string) => void;
  /** What a notice says is no longer so. */
  readonly withdraw: (text: string) => void;
}

export class Imports {
  readonly #context: ImportsContext;
  readonly #known = new Map<bigint, KnownImport>();
  /** New ones that the last reading has shown, with their collections. */
  readonly #open = new Map<bigint, CollectionId>();
  /** Known ones that the last reading has not shown. */
  #absent: ReadonlySet<bigint> = new Set();
  /** By import, whom somebody is at work for. */
  readonly #underWay = new Map<bigint, CollectionReplica>();
  readonly #beginning = new Set<CollectionReplica>();
  readonly #conditions = new Conditions();

  constructor(context: ImportsContext) {
    this.#context = context;
  }

  /** What is stored. What was left out is said by each run. */
  takeUp(imports: readonly KnownImport[], collections: readonly StoredCollection[]): void {
    for (const known of imports) this.#known.set(known.id, known);
    for (const { id, database, name } of collections) {
      if (this.#lacksRows(id)) this.#context.notice(lacksRows({ database, collection: name }));
    }
  }

  /** Nothing is left to be done of what the last reading has shown. */
  get isSettled(): boolean {
    return this.#open.size === 0;
  }

  /** Resolves when copies that read them have begun, or they were left out. */
  whenSettled(signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.isSettled, signal);
  }

  seen({ imports, collections, databases }: CatalogSnapshot): void {
    // What shows nothing at all proves nothing.
    if (databases.length > 0) this.#forgetBut(imports);
    const living = new Set(collections.map(({ id }) => id));
    this.#open.clear();
    for (const one of imports) {
      if (!one.isCompleted || this.#known.has(one.id) || !living.has(one.collectionId)) continue;
      const replica = this.#context.registry.get(one.collectionId);
      if (replica === undefined || replica.isEnding) continue;
      this.#open.set(one.id, one.collectionId);
      // One that is being copied is looked at again behind its join.
      if (replica.isFollowing && this.#underWay.get(one.id) !== replica) this.#context.guard(this.#take(one, replica));
    }
    this.#conditions.changed();
  }

  /** A copy of the collection begins, with its S behind the end of these. `begin` stores that, and that they are known. */
  covers(
    { id, address, isRecopy }: CollectionReplica,
    imports: readonly CatalogImport[],
    begin: (ids: readonly bigint[]) => void,
  ): void {
    const { journal, clock, withdraw } = this.#context;
    // What a first copy reads is nothing that was done about an import.
    for (const one of isRecopy ? imports : []) {
      if (this.isCovered(one.id)) continue;
      const question = questionOf(one, id, address);
      journal.record({ ...question, at: clock.now(), outcome: 'applied', reason: copiedAgain(one) });
    }
    begin(imports.map((one) => one.id));
    for (const one of imports) this.#know({ id: one.id, collectionId: id, isLeftOut: false });
    for (const known of [...this.#known.values()]) {
      if (known.collectionId === id) this.#know({ ...known, isLeftOut: false });
    }
    withdraw(lacksRows(address));
    this.#conditions.changed();
  }

  isCovered(id: bigint): boolean {
    return this.#known.get(id)?.isLeftOut === false;
  }

  /** The collection is the task's no longer, and with it what was stored of its imports. */
  forget(id: CollectionId): void {
    for (const known of [...this.#known.values()]) if (known.collectionId === id) this.#known.delete(known.id);
    for (const [one, collectionId] of [...this.#open]) if (collectionId === id) this.#open.delete(one);
    this.#conditions.changed();
  }

  /** As its policy has it. */
  async #take(one: CatalogImport, replica: CollectionReplica): Promise<void> {
    const { journal } = this.#context;
    const { signal } = replica;
    this.#underWay.set(one.id, replica);
    try {
      const question = questionOf(one, replica.id, replica.address);
      const decision = await journal.decide(question, signal);
      if (this.#known.has(one.id)) return;
      if (decision === 'skip') this.#leaveOut(one, question, replica);
      else await this.#copyAgain(one, question, replica);
    } catch (error) {
      // It stops, is copied again, or has left the task: whoever takes its place reads the catalogue anew.
      if (!signal.aborted) throw error;
    } finally {
      if (this.#underWay.get(one.id) === replica) this.#underWay.delete(one.id);
    }
  }

  #leaveOut(one: CatalogImport, question: OperationQuestion, { id, address }: CollectionReplica): void {
    const { journal, store, clock, notice } = this.#context;
    journal.record({ ...question, at: clock.now(), outcome: 'skipped', reason: `${sizeOf(one)}. ${AS_DECIDED}` });
    const known = { id: one.id, collectionId: id, isLeftOut: true };
    store.addImport(known);
    this.#know(known);
    notice(lacksRows(address));
    this.#conditions.changed();
  }

  /** One copy is enough for all that were completed before it begins to read. */
  async #copyAgain(one: CatalogImport, question: OperationQuestion, replica: CollectionReplica): Promise<void> {
    const { registry, journal, clock, canCopy, recopy } = this.#context;
    if (!replica.isFollowing || registry.get(replica.id) !== replica) return;
    if (!canCopy) {
      const error = notCopied(one, replica.address);
      journal.record({ ...question, at: clock.now(), outcome: 'failed', reason: error.message });
      replica.fail(error);
      return;
    }
    // Another one has begun the same copy.
    if (this.#beginning.has(replica)) return;
    this.#beginning.add(replica);
    try {
      await recopy(replica.id);
    } finally {
      this.#beginning.delete(replica);
    }
  }

  /** The server has forgotten the others: they never come up again. What was left out is said until the collection is copied. */
  #forgetBut(imports: readonly CatalogImport[]): void {
    const there = new Set(imports.map(({ id }) => id));
    const absent = [...this.#known.values()].filter(({ id }) => !there.has(id));
    // A reading that was under way for long may be older than what is known.
    const absentTwice = absent.filter(({ id }) => this.#absent.has(id));
    this.#absent = new Set(absent.map(({ id }) => id));
    const gone = absentTwice.filter(({ isLeftOut }) => !isLeftOut);
    const left = new Set<CollectionId>();
    for (const known of absentTwice.filter(({ isLeftOut }) => isLeftOut)) {
      // One for each collection is enough.
      if (left.has(known.collectionId)) gone.push(known);
      left.add(known.collectionId);
    }
    if (gone.length === 0) return;
    const ids = gone.map(({ id }) => id);
    this.#context.store.forgetImports(ids);
    for (const id of ids) this.#known.delete(id);
  }

  #know(known: KnownImport): void {
    this.#known.set(known.id, known);
    this.#open.delete(known.id);
  }

  #lacksRows(id: CollectionId): boolean {
    return [...this.#known.values()].some(({ collectionId, isLeftOut }) => collectionId === id && isLeftOut);
  }
}

function questionOf(
  one: CatalogImport,
  id: CollectionId,
  { database, collection }: CollectionAddress,
): OperationQuestion {
  return {
    id: `import/${one.id}`,
    tick: TIME_TICK_ZERO,
    source: 'catalogue',
    operation: 'import',
    database,
    collection: { id, name: collection },
    object: one.partition,
  };
}

function sizeOf({ fileCount, rowCount }: CatalogImport): string {
  const files = `${fileCount} ${fileCount === 1 ? 'file' : 'files'}`;
  return rowCount === undefined ? `Rows of ${files}` : `${rowCount} ${rowCount === 1n ? 'row' : 'rows'} of ${files}`;
}

const copiedAgain = (one: CatalogImport): string => `${sizeOf(one)}: the collection is copied again.`;

const lacksRows = (address: CollectionAddress): string =>
  `The copy of ${nameText(address)} lacks rows that an import has put into it on the source: the import was left out, by its policy or as decided. To have them there, copy the collection again.`;

function notCopied(one: CatalogImport, { database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'importNotCopied',
    'config',
    `An import has put rows into ${database}.${collection} on the source (${sizeOf(one).toLowerCase()}). They never pass its log, and the source has no Milvus address to read them from. Add it to the source, or set imports to be skipped; then resume.`,
    { context: { database, collection } },
  );
}
