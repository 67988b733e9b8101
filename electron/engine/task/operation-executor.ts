/**
 * What each operation of the operation channel means for the target, by the policy that the operator has set for it. What
 * became of each is recorded.
 *
 * Operations of one collection happen in its own order (`collection-operations.ts`), those of a database, and those of
 * rights, one after the other in the order of the log. The latter are known by their place in the log once they have had
 * their effect: read again after a crash they are left alone, since repeating one could undo what came after it.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError, toReplicationError, type ErrorCode } from '../../../shared/model/replication-error.ts';
import { assertNever } from '../../../shared/assert-never.ts';
import { readKeyValues, withoutKeyValues } from '../codec/key-values.ts';
import type { OperationRecord, UnknownRecord } from '../codec/records.ts';
import { isRefused } from '../errors/policy.ts';
import { Conditions, SerialLanes } from '../runtime/waiting.ts';
import type { CatalogDatabase, KeyValue } from '../source/catalog/catalog.ts';
import { withAddress } from '../target/operation-request.ts';
import type { RightsOperation, Target } from '../target/target.ts';
import type { CollectionRegistry } from './collection-registry.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { TaskSelection } from './task-selection.ts';
import {
  AS_DECIDED,
  decided,
  type OperationEvent,
  type OperationJournal,
  type OperationQuestion,
  type Park,
} from './operation-journal.ts';
import type { ContestedProperties } from './reconciler/databases.ts';
import { subjectOf, subjectText, type RightsOperations } from './rights-operations.ts';

/** Of these the catalogue shows what comes of them. */
const SHOWN_BY_CATALOGUE: ReadonlySet<string> = new Set([
  'createIndex',
  'dropIndex',
  'loadCollection',
  'releaseCollection',
  'loadPartitions',
  'releasePartitions',
]);
/** It does not fit what the copy is by now; other refusals are about the target or its user. */
const UNFIT: ReadonlySet<string> = new Set<ErrorCode>(['alreadyExists', 'invalidRequest', 'notFound']);

type RunOperation = (replica: CollectionReplica, signal: AbortSignal) => Promise<void>;

export interface OperationOutcome {
  readonly outcome: Exclude<OperationEvent['outcome'], 'waiting'>;
  readonly reason?: string;
}

/** Field of `milvus.CreateDatabaseRequest` (2.4 and later). */
const DATABASE_PROPERTIES = 3;
/** Field of `milvus.AlterDatabaseRequest` (2.4 and later). A request that deletes keys sets none. */
const ALTERED_PROPERTIES = 4;

export interface OperationExecutorContext {
  readonly target: Target;
  readonly registry: CollectionRegistry;
  readonly journal: OperationJournal;
  readonly rights: RightsOperations;
  readonly signal: AbortSignal;
  now(): number;
  inDatabaseLane<T>(database: string, body: () => Promise<T>): Promise<T>;
  /** Makes it where it is missing. */
  ensureDatabase(database: string, properties: readonly KeyValue[]): Promise<void>;
  ownsDatabase(database: string): boolean;
  /** Drops it where this task has made it and nothing is in it. */
  dropOwnDatabase(database: string): Promise<'dropped' | 'kept' | 'notOwn'>;
  /** What the source's database is called on the target. */
  targetDatabaseOf(database: string): string;
  readonly selection: Pick<TaskSelection, 'takesUp' | 'hasDatabase' | 'coversDatabase'>;
  /** A call that no collection can show the trouble of, repeated after the policy; a failure is the caller's. */
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  /** Begins to copy a collection again, by and by. */
  readonly recopy: (id: CollectionId) => Promise<void>;
  readonly notice: (text: string) => void;
  /** The copy is made what the catalogue shows, or stops. @returns whether that can be done. */
  leaveToCatalogue(replica: CollectionReplica): boolean;
  /** What of these properties another of the source's databases, which is the same on the target, has otherwise. */
  readonly contestedOf: (
    database: Pick<CatalogDatabase, 'name' | 'properties'>,
  ) => Promise<ContestedProperties | undefined>;
  /** Seen, and deliberately not applied. */
  skipped(record: OperationRecord | UnknownRecord, reason: string): void;
}

interface Place {
  readonly ordinal: MessageOrdinal;
  readonly park: Park;
}

export class OperationExecutor {
  readonly #context: OperationExecutorContext;
  /** Making and removing one database, and all that is about rights, happens in the order of the log, waits included. */
  readonly #lanes = new SerialLanes();
  /** Lanes in which one has failed, with its error: the task ends, and begins again before it. */
  readonly #broken = new Map<string, unknown>();

  /** By collection and place in the log: with which of the collection's lives each operation is. */
  readonly #underWay = new Map<CollectionId, Map<MessageOrdinal, CollectionReplica>>();
  readonly #changed = new Conditions();

  constructor(context: OperationExecutorContext) {
    this.#context = context;
  }

  /** `park`: the operation waits for somebody to take its collection up again, or to decide. Not granted, it fails. */
  async execute(record: OperationRecord | UnknownRecord, ordinal: MessageOrdinal, park: Park): Promise<void> {
    const place = { ordinal, park };
    if (record.kind === 'unknown') return this.#unknown(record, place);
    const { target, selection } = this.#context;
    const { database } = record;
    const onCollections = (run: RunOperation) => this.#onCollections(record, place, run);
    // Under the name that its copy bears by now, which may be another than the log's.
    const requestFor = ({ address }: CollectionReplica) => withAddress(record.request, address);
    switch (record.operation) {
      case 'createDatabase':
        // One of which only single collections are replicated is made with the first of them.
        return this.#onDatabase(
          record,
          place,
          () => selection.hasDatabase(database),
          () => this.#createDatabase(record),
        );
      case 'dropDatabase':
        return this.#onDatabase(
          record,
          place,
          () => this.#isDropOurs(database),
          () => this.#dropDatabase(record),
        );
      case 'alterDatabase':
        return this.#onDatabase(
          record,
          place,
          () => selection.coversDatabase(database),
          () => this.#alterDatabase(record),
        );
      case 'createIndex':
        return onCollections((replica, signal) => target.createIndex(requestFor(replica), signal));
      case 'alterIndex':
        return onCollections((replica, signal) => target.alterIndex(requestFor(replica), signal));
      case 'dropIndex':
        return onCollections((replica, signal) => target.dropIndex(requestFor(replica), signal));
      case 'loadCollection':
        return onCollections((replica, signal) => target.loadCollection(requestFor(replica), signal));
      case 'releaseCollection':
        return onCollections((replica, signal) => target.releaseCollection(requestFor(replica), signal));
      case 'loadPartitions':
        return onCollections((replica, signal) => unlessGone(target.loadPartitions(requestFor(replica), signal)));
      case 'releasePartitions':
        return onCollections((replica, signal) => unlessGone(target.releasePartitions(requestFor(replica), signal)));
      case 'flush':
        return onCollections((replica, signal) => target.flush(replica.address, signal));
      case 'truncateCollection':
        return this.#truncate(record, place);
      case 'createCredential':
      case 'updateCredential':
      case 'deleteCredential':
      case 'createRole':
      case 'dropRole':
      case 'operateUserRole':
      case 'operatePrivilege':
      case 'operatePrivilegeV2':
      case 'createPrivilegeGroup':
      case 'dropPrivilegeGroup':
      case 'operatePrivilegeGroup':
        return this.#onRights(record.operation, record, place);
      case 'createAlias':
      case 'dropAlias':
      case 'alterAlias':
      case 'alterCollection':
      case 'alterCollectionField':
      case 'renameCollection':
      case 'addField':
        // Read from the catalogue, which tells it of every server.
        return;
      default:
        assertNever(record.operation);
    }
  }

  async #onCollections(record: OperationRecord, { ordinal, park }: Place, run: RunOperation): Promise<void> {
    const replicas = record.collectionNames.flatMap((name) => {
      const replica = this.#context.registry.aliveAt(record.database, name, record.endTick);
      // Of what the task does not replicate nothing is said.
      if (replica === undefined && this.#context.selection.takesUp({ database: record.database, name }))
        this.#context.skipped(record, noneThen(record.database, name));
      return replica === undefined ? [] : [replica];
    });
    const place = { ordinal, tick: record.endTick, park };
    await Promise.all(
      replicas.map((first) =>
        this.#onReplica(first, ordinal, park, (replica) =>
          replica.operation(place, record.operation, (signal) =>
            this.#orAsTheCatalogueShows(record, replica, run, signal),
          ),
        ),
      ),
    );
  }

  /**
   * What the target refuses may have been meant for the collection that bears the name by now (a rename is not in the log), or
   * may need an operation that the source's log has lost. Where the catalogue shows what comes of it in the end, it is passed
   * over, and the catalogue is followed: it stops the collection only if that is refused as well.
   */
  async #orAsTheCatalogueShows(
    record: OperationRecord,
    replica: CollectionReplica,
    run: RunOperation,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      await run(replica, signal);
      return undefined;
    } catch (error) {
      const { code } = toReplicationError(error);
      const isFit = SHOWN_BY_CATALOGUE.has(record.operation) && UNFIT.has(code);
      if (!isFit || !this.#context.leaveToCatalogue(replica)) throw error;
      const reason = 'The target refused it: what comes of it is taken from the catalogue.';
      this.#context.skipped(record, reason);
      return reason;
    }
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

  /** One after the other in a lane; by the policy; once, whatever is read again. */
  #inOrder(
    lane: string,
    record: OperationRecord | UnknownRecord,
    { park }: Place,
    question: OperationQuestion,
    run: () => Promise<OperationOutcome>,
    concerns: () => boolean = () => true,
  ): Promise<void> {
    const { journal, signal } = this.#context;
    return this.#lanes.run(lane, async () => {
      // Behind one that has not had its effect nothing may be done: it would be recorded as what it was not.
      if (this.#broken.has(lane)) throw this.#broken.get(lane);
      signal.throwIfAborted();
      if (journal.isSettled(question.id) || !concerns()) return;
      if ((await decided(journal, question, park, signal)) === 'skip') {
        this.#settle(record, question, { outcome: 'skipped', reason: AS_DECIDED });
        return;
      }
      try {
        const told = await run();
        // What comes behind it goes on: to try it again, with the next run, could undo that.
        this.#settle(record, question, told, told.outcome === 'failed');
      } catch (error) {
        if (!signal.aborted && error instanceof ReplicationError)
          this.#settle(record, question, { outcome: 'failed', reason: error.message });
        this.#broken.set(lane, error);
        throw error;
      }
    });
  }

  #settle(
    record: OperationRecord | UnknownRecord,
    question: OperationQuestion,
    { outcome, reason }: OperationOutcome,
    isPassedOver = false,
  ): void {
    this.#context.journal.record({ ...question, at: this.#context.now(), outcome, reason, isPassedOver });
    if (outcome === 'skipped') this.#context.skipped(record, reason ?? '');
  }

  /** @param concerns Asked when it is its turn: of what is not the task's nothing is done and nothing is said. */
  #onDatabase(
    record: OperationRecord,
    place: Place,
    concerns: () => boolean,
    run: () => Promise<OperationOutcome>,
  ): Promise<void> {
    return this.#inOrder(`database ${record.database}`, record, place, questionOf(record, place), run, concerns);
  }

  #isDropOurs(database: string): boolean {
    const context = this.#context;
    return context.selection.hasDatabase(database) || context.ownsDatabase(context.targetDatabaseOf(database));
  }

  async #createDatabase({ database, request }: OperationRecord): Promise<OperationOutcome> {
    const context = this.#context;
    const name = context.targetDatabaseOf(database);
    const told = readKeyValues(request, DATABASE_PROPERTIES);
    const contested = told.length === 0 ? undefined : await context.contestedOf({ name: database, properties: told });
    if (contested !== undefined) context.notice(contested.sentence);
    const properties = told.filter(({ key }) => contested?.keys.has(key) !== true);
    await context.inDatabaseLane(name, () => context.ensureDatabase(name, properties));
    return { outcome: 'applied' };
  }

  async #dropDatabase({ database, endTick }: OperationRecord): Promise<OperationOutcome> {
    const { registry, signal } = this.#context;
    const name = this.#context.targetDatabaseOf(database);
    const before = (tick: TimeTick) => (replica: CollectionReplica) => replica.createTick < tick;
    const earlier = registry.inDatabase(database).filter(before(endTick));
    await Promise.all(earlier.map((replica) => replica.whenOutOf(database, signal)));
    return this.#context.inDatabaseLane(name, async () => {
      // The source made a database of this name again, and it is in use by now: what was to be dropped is gone with it.
      if (registry.inTargetDatabase(name).length > 0) {
        return { outcome: 'skipped', reason: `A later database ${name} is in use.` };
      }
      const dropped = await this.#context.dropOwnDatabase(name);
      if (dropped === 'dropped') return { outcome: 'applied' };
      const reason = dropped === 'kept' ? 'still holds collections' : 'was not made by this task';
      return { outcome: 'skipped', reason: `The target's database ${name} ${reason}.` };
    });
  }

  /** What the target cannot do is no reason to stop the others: it is recorded, and said. */
  async #alterDatabase({ database, request }: OperationRecord): Promise<OperationOutcome> {
    const { target, onTarget, notice, contestedOf } = this.#context;
    const properties = readKeyValues(request, ALTERED_PROPERTIES);
    const contested = await contestedOf({ name: database, properties });
    if (contested !== undefined) notice(contested.sentence);
    const reason = contested === undefined ? {} : { reason: contested.sentence };
    if (contested !== undefined && properties.every(({ key }) => contested.keys.has(key)))
      return { outcome: 'skipped', ...reason };
    const agreed = contested === undefined ? request : withoutKeyValues(request, ALTERED_PROPERTIES, contested.keys);
    try {
      await onTarget('alterDatabase', (signal) => target.alterDatabase(agreed, signal));
      return { outcome: 'applied', ...reason };
    } catch (error) {
      if (!isRefused(error)) throw error;
      notice(`The properties of the database ${database} differ on the target: ${error.message}`);
      return { outcome: 'failed', reason: error.message };
    }
  }

  async #onRights(operation: RightsOperation, record: OperationRecord, place: Place): Promise<void> {
    const { journal, rights } = this.#context;
    const subject = subjectOf(record);
    const object = subjectText(subject);
    const question = { ...questionOf(record, place), ...(object === undefined ? {} : { object }) };
    const left =
      journal.settings.replicateRights === true
        ? rights.protectedReason(subject)
        : 'Rights are not replicated by this protection.';
    if (left !== undefined) {
      if (!journal.isSettled(question.id)) this.#settle(record, question, { outcome: 'skipped', reason: left });
      return;
    }
    await this.#inOrder('rights', record, place, question, () => rights.run(operation, record, subject));
  }

  /** Its rows are gone without a message for each: the collection is copied again. */
  async #truncate(record: OperationRecord, place: Place): Promise<void> {
    const { registry, recopy, selection } = this.#context;
    await Promise.all(
      record.collectionNames.map((name) => {
        const replica = registry.aliveAt(record.database, name, record.endTick);
        if (replica === undefined) {
          if (selection.takesUp({ database: record.database, name }))
            this.#context.skipped(record, noneThen(record.database, name));
          return Promise.resolve();
        }
        const collection = { id: replica.id, name };
        const question = { ...questionOf(record, place), id: `log/${place.ordinal}/${replica.id}`, collection };
        return this.#inOrder(`collection ${replica.id}`, record, place, question, async () => {
          try {
            // On disk before the history says it: a run that ends in between is asked for it once more.
            await recopy(replica.id);
          } catch (error) {
            if (registry.get(replica.id)?.isEnding === false) throw error;
            return { outcome: 'skipped', reason: 'The collection is being dropped, or is no longer replicated.' };
          }
          return { outcome: 'applied', reason: 'The collection is copied again.' };
        });
      }),
    );
  }

  async #unknown(record: UnknownRecord, place: Place): Promise<void> {
    const operation = `messageType ${record.messageType}`;
    const question = { ...questionOf({ ...record, operation, database: '' }, place), isSkipOnly: true };
    await this.#inOrder(`unknown ${place.ordinal}`, record, place, question, () =>
      Promise.resolve({ outcome: 'skipped', reason: 'This version does not know it.' }),
    );
  }
}

const noneThen = (database: string, name: string): string => `there was no collection ${database}.${name} then`;

function questionOf(
  { operation, database, endTick }: Pick<OperationRecord, 'database' | 'endTick'> & { readonly operation: string },
  { ordinal }: Place,
): OperationQuestion {
  return { id: `log/${ordinal}`, tick: endTick, source: 'log', operation, database };
}

/** The partition's drop, which came later, may have been applied before: then there is nothing left to do. */
async function unlessGone(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ReplicationError && error.code === 'notFound')) throw error;
  }
}
