/**
 * The target's databases, by its own names: made where a collection needs them, and dropped only if this task has made them and
 * nothing is in them.
 */
import type { SeenDatabase, StoredTask, TaskStore } from '../../../shared/model/task-state.ts';
import type { KeyValue } from '../../../shared/model/key-value.ts';
import { SerialLanes } from '../runtime/waiting.ts';
import type { Target } from '../target/target.ts';

export interface TargetDatabasesContext {
  readonly target: Pick<Target, 'listDatabases' | 'createDatabase' | 'dropDatabase' | 'listCollections'>;
  readonly store: Pick<TaskStore, 'addDatabase' | 'removeDatabase' | 'addSeenDatabase' | 'removeSeenDatabase'>;
  /** A call that no collection can show the trouble of, repeated after the policy. */
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

export class TargetDatabases {
  readonly #context: TargetDatabasesContext;
  readonly #lanes = new SerialLanes();
  /** Made by this task, now or earlier. */
  readonly #own = new Set<string>();
  /** Seen on the target in this run. */
  readonly #known = new Set<string>(['default']);
  /** Names at the source by their ids there, of all that it has shown living. */
  readonly #seen = new Map<bigint, string>();

  constructor(context: TargetDatabasesContext) {
    this.#context = context;
  }

  /** Made (or begun), and seen at the source, by an earlier run. */
  takeUp({ databases, seenDatabases }: Pick<StoredTask, 'databases' | 'seenDatabases'>): void {
    for (const database of databases) this.#own.add(database);
    for (const { id, name } of seenDatabases) this.#seen.set(id, name);
  }

  get seen(): ReadonlyMap<bigint, string> {
    return this.#seen;
  }

  /** Kept, since a later run may be the first to read of its end. */
  sawLiving(database: SeenDatabase): void {
    const { id, name } = database;
    if (this.#seen.get(id) === name) return;
    this.#context.store.addSeenDatabase({ id, name });
    this.#seen.set(id, name);
  }

  forgetSeen(id: bigint): void {
    this.#context.store.removeSeenDatabase(id);
    this.#seen.delete(id);
  }

  /** In the database's lane. @returns whether the target has it now. */
  async look(database: string): Promise<boolean> {
    const { target, onTarget } = this.#context;
    const existing = await onTarget('listDatabases', (signal) => target.listDatabases(signal));
    if (existing.includes(database)) this.#known.add(database);
    return this.#known.has(database);
  }

  /** Seen on the target, or made there. */
  isKnown(database: string): boolean {
    return this.#known.has(database);
  }

  /** One at a time per database: making and removing the database and what is in it. */
  inLane<T>(database: string, body: () => Promise<T>): Promise<T> {
    return this.#lanes.run(database, body);
  }

  /** In the database's lane. One that was there before is used, and never dropped. */
  async ensure(database: string, properties: readonly KeyValue[] = []): Promise<void> {
    const { target, store, onTarget } = this.#context;
    if (this.#known.has(database)) return;
    const existing = await onTarget('listDatabases', (signal) => target.listDatabases(signal));
    if (!existing.includes(database)) {
      // Before it is made: a crash in between must not leave one that nobody may drop.
      store.addDatabase(database);
      this.#own.add(database);
      await onTarget('createDatabase', (signal) => target.createDatabase(database, properties, signal));
    }
    this.#known.add(database);
  }

  isOwn(database: string): boolean {
    return this.#own.has(database);
  }

  /** In the database's lane. `kept`: others have put something into it, or it holds copies that are no longer followed. */
  async dropOwn(database: string): Promise<'dropped' | 'kept' | 'notOwn'> {
    const { target, store, onTarget } = this.#context;
    if (!this.#own.has(database)) return 'notOwn';
    const held = await onTarget('listCollections', (signal) => listCollections(target, database, signal));
    if (held.length > 0) return 'kept';
    this.#known.delete(database);
    await onTarget('dropDatabase', (signal) => target.dropDatabase(database, signal));
    store.removeDatabase(database);
    this.#own.delete(database);
    return 'dropped';
  }
}

async function listCollections(
  target: TargetDatabasesContext['target'],
  database: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!(await target.listDatabases(signal)).includes(database)) return [];
  return target.listCollections(database, signal);
}
