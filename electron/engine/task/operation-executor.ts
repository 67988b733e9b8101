/** What each operation of the operation channel means for the target. */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { assertNever } from '../../../shared/assert-never.ts';
import type { OperationRecord } from '../codec/records.ts';
import { Conditions, SerialLane } from '../runtime/waiting.ts';
import type { Target } from '../target/target.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { TaskSelection } from './task-selection.ts';

type RunOperation = (replica: CollectionReplica, signal: AbortSignal) => Promise<void>;

/** Asked for when an operation has to wait for a person; disposed when it no longer does. `undefined`: too many wait. */
export type Park = () => Disposable | undefined;

export interface OperationExecutorContext {
  readonly target: Target;
  readonly registry: CollectionRegistry;
  readonly signal: AbortSignal;
  databaseLane(database: string): SerialLane;
  /** Makes it where it is missing. */
  ensureDatabase(database: string): Promise<void>;
  /** Drops it where this task has made it and nothing is in it. */
  dropOwnDatabase(database: string): Promise<'dropped' | 'kept' | 'notOwn'>;
  /** What the source's database is called on the target. */
  targetDatabaseOf(database: string): string;
  readonly selection: Pick<TaskSelection, 'takesUp' | 'hasDatabase'>;
  /** Seen, and deliberately not applied. */
  skipped(record: OperationRecord, reason: string): void;
}

export class OperationExecutor {
  readonly #context: OperationExecutorContext;
  /** Making and removing one database happens in the order of the log, waits included. */
  readonly #databaseOperations = new Map<string, SerialLane>();

  /** By collection and place in the log: with which of the collection's lives each operation is. */
  readonly #underWay = new Map<CollectionId, Map<MessageOrdinal, CollectionReplica>>();
  readonly #changed = new Conditions();

  constructor(context: OperationExecutorContext) {
    this.#context = context;
  }

  /** `park`: the operation waits for somebody to take its collection up again. Not granted, it fails. */
  async execute(record: OperationRecord, ordinal: MessageOrdinal, park: Park): Promise<void> {
    const { target } = this.#context;
    const onCollections = (run: RunOperation) => this.#onCollections(record, ordinal, run, park);
    switch (record.operation) {
      case 'createDatabase':
        return this.#inOrder(record, () => this.#createDatabase(record));
      case 'dropDatabase':
        return this.#inOrder(record, () => this.#dropDatabase(record));
      case 'createIndex':
        return onCollections((_replica, signal) => target.createIndex(record.request, signal));
      case 'dropIndex':
        return onCollections((_replica, signal) => target.dropIndex(record.request, signal));
      case 'loadCollection':
        return onCollections((_replica, signal) => target.loadCollection(record.request, signal));
      case 'releaseCollection':
        return onCollections((_replica, signal) => target.releaseCollection(record.request, signal));
      case 'loadPartitions':
        return onCollections((_replica, signal) => unlessGone(target.loadPartitions(record.request, signal)));
      case 'releasePartitions':
        return onCollections((_replica, signal) => unlessGone(target.releasePartitions(record.request, signal)));
      case 'flush':
        return onCollections((replica, signal) => target.flush(replica.address, signal));
      case 'alterDatabase':
      case 'alterIndex':
      case 'createCredential':
      case 'updateCredential':
      case 'deleteCredential':
      case 'createRole':
      case 'dropRole':
      case 'operateUserRole':
      case 'operatePrivilege':
      case 'createPrivilegeGroup':
      case 'dropPrivilegeGroup':
      case 'operatePrivilegeGroup':
        this.#context.skipped(record, 'this version does not replicate it');
        return;
      default:
        assertNever(record.operation);
    }
  }

  async #onCollections(record: OperationRecord, ordinal: MessageOrdinal, run: RunOperation, park: Park): Promise<void> {
    const replicas = record.collectionNames.flatMap((name) => {
      const replica = this.#context.registry.aliveAt(record.database, name, record.endTick);
      // Of what the task does not replicate nothing is said.
      if (replica === undefined && this.#context.selection.takesUp({ database: record.database, name }))
        this.#context.skipped(record, `there was no collection ${record.database}.${name} then`);
      return replica === undefined ? [] : [replica];
    });
    const place = { ordinal, tick: record.endTick };
    await Promise.all(
      replicas.map((first) =>
        this.#onReplica(first, ordinal, park, (replica) =>
          replica.operation(place, record.operation, (signal) => run(replica, signal)),
        ),
      ),
    );
  }

  /** Repeated with whoever takes the place of a collection that has stopped; in the order of the log there too. */
  async #onReplica(
    first: CollectionReplica,
    ordinal: MessageOrdinal,
    park: Park,
    body: (replica: CollectionReplica) => Promise<void>,
  ): Promise<void> {
    const { registry, signal } = this.#context;
    const { id } = first;
    const underWay = this.#underWay.get(id) ?? new Map<MessageOrdinal, CollectionReplica>();
    this.#underWay.set(id, underWay);
    /** Operations of a collection that has stopped fail in any order, and some time after it. */
    const isNext = (): boolean => {
      const replica = registry.get(id);
      return [...underWay].every(([other, runsOn]) => other >= ordinal || runsOn === replica || replica === undefined);
    };
    try {
      for (let replica: CollectionReplica | undefined = first; replica !== undefined; replica = registry.get(id)) {
        // Under way for those behind it from now on, though not on this one yet.
        if (!underWay.has(ordinal)) underWay.set(ordinal, first);
        if (!isNext()) {
          await this.#changed.until(isNext, signal);
          replica = registry.get(id);
          if (replica === undefined) return;
        }
        underWay.set(ordinal, replica);
        const running = body(replica);
        this.#changed.changed();
        try {
          await running;
          return;
        } catch (error) {
          if (signal.aborted || !replica.hasFailed) throw error;
          using parked = park();
          if (parked === undefined) throw error;
          await registry.whenReplaced(replica, signal);
        }
      }
    } finally {
      underWay.delete(ordinal);
      if (underWay.size === 0) this.#underWay.delete(id);
      this.#changed.changed();
    }
  }

  #inOrder(record: OperationRecord, body: () => Promise<void>): Promise<void> {
    const lane = this.#databaseOperations.get(record.database) ?? new SerialLane();
    this.#databaseOperations.set(record.database, lane);
    return lane.run(body);
  }

  async #createDatabase(record: OperationRecord): Promise<void> {
    const context = this.#context;
    // One of which only single collections are replicated is made with the first of them.
    if (!context.selection.hasDatabase(record.database)) return;
    const database = context.targetDatabaseOf(record.database);
    await context.databaseLane(database).run(() => context.ensureDatabase(database));
  }

  async #dropDatabase(record: OperationRecord): Promise<void> {
    const { registry, signal, selection } = this.#context;
    const { database } = record;
    const name = this.#context.targetDatabaseOf(database);
    const isOurs = selection.hasDatabase(database);
    const before = (tick: TimeTick) => (replica: CollectionReplica) => replica.createTick < tick;
    const earlier = registry.inDatabase(database).filter(before(record.endTick));
    await Promise.all(earlier.map((replica) => replica.whenDropped(signal)));
    await this.#context.databaseLane(name).run(async () => {
      // The source made a database of this name again, and it is in use by now: what was to be dropped is gone with it.
      if (registry.inTargetDatabase(name).length > 0) {
        this.#context.skipped(record, `a later database ${name} is in use`);
        return;
      }
      const dropped = await this.#context.dropOwnDatabase(name);
      if (dropped === 'notOwn' && isOurs) {
        this.#context.skipped(record, `the target's database ${name} was not made by this task`);
      } else if (dropped === 'kept') {
        this.#context.skipped(record, `the target's database ${name} still holds collections`);
      }
    });
  }
}

/** The partition's drop, which came later, may have been applied before: then there is nothing left to do. */
async function unlessGone(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ReplicationError && error.code === 'notFound')) throw error;
  }
}
