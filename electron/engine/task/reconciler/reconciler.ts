/**
 * Closes what the catalogue of the source and the target have differently: names, aliases, properties, indexes, what is loaded,
 * and ends whose message never came. The log tells when, where it tells at all; this is for what it leaves out, or has lost.
 *
 * Only the loop: which objects a reading shows (`#look`, `ends.ts`, `aliases.ts`, `databases.ts`), whether one may be closed by now (`stamps.ts`), what is to be
 * done (`diff.ts`, `renames.ts`), in whose line it is done (`CollectionReplica.step`, `TargetAliases`).
 *
 * Nothing ends for being absent. A collection ends by the word of the same id's end. What belongs to a collection (an alias,
 * an index, a load) ends when two readings, one of them behind the stamp, show the collection alive and that gone, or the
 * alias' own word of its end. So an empty etcd, another root path or another cluster takes nothing away.
 */
import { isSameName, nameText } from '../../../../shared/model/collection-name.ts';
import type { CollectionId } from '../../../../shared/model/ids.ts';
import { ReplicationError, toReplicationError } from '../../../../shared/model/replication-error.ts';
import { isRefused } from '../../errors/policy.ts';
import type { Clock } from '../../runtime/clock.ts';
import { retrying, type RetryObserver } from '../../runtime/retry.ts';
import { Conditions, pause } from '../../runtime/waiting.ts';
import type { Catalog, CatalogCollection, CatalogDatabase, CatalogSnapshot } from '../../source/catalog/catalog.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { KeySource } from '../../source/rows/row-source.ts';
import type { Target } from '../../target/target.ts';
import type { CollectionRegistry } from '../collection-registry.ts';
import type { CollectionReplica } from '../collection-replica.ts';
import type { TaskSelection } from '../task-selection.ts';
import type { TargetAliases } from '../target-aliases.ts';
import { aliasesSeen } from './aliases.ts';
import { contestedProperties, databasesSeen, type ContestedProperties, type DatabasesContext } from './databases.ts';
import { stepsBetween } from './diff.ts';
import { endOf, endsOfPartitions } from './ends.ts';
import { AddedFields, notAltered } from './fields.ts';
import { nameClash, nextName, temporaryName, type NamedCopy } from './renames.ts';
import type { NamesSeen, Seen } from './seen.ts';
import { Stamps } from './stamps.ts';
import { StepJournal, type StepJournalContext } from './step-journal.ts';
import { askedOf, makeStep } from './steps.ts';
import { addressOf, broughtBy, stateOf, wantedState } from './wanted.ts';

/**
 * Milvus writes an operation into the log after it has changed its catalogue (proxy, `SendReplicateMessagePack` behind the
 * call): some milliseconds on a quiet server, this on a very slow one.
 */
const LATE_OPERATIONS_MS = 2_000;
/** What waits for something else to end is looked at again. */
const BLOCKED_PAUSE_MS = 1_000;

export interface ReconcilerContext {
  readonly registry: CollectionRegistry;
  readonly catalog: Pick<Catalog, 'collection'>;
  readonly target: Target;
  /** Describes copies; where it is absent names, aliases and ends are looked after alone. */
  readonly targetRows: KeySource | undefined;
  readonly aliases: TargetAliases;
  readonly databases: DatabasesContext['databases'];
  readonly journal: StepJournalContext['journal'];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observer: RetryObserver;
  readonly selection: Pick<TaskSelection, 'coversDatabase' | 'hasDatabase' | 'takesUp'>;
  /** Where a copy of that name stands, and what a database is called, on the target. */
  readonly targetOf: (address: CollectionAddress) => CollectionAddress;
  readonly targetDatabaseOf: (database: string) => string;
  /** The source's etcd, as the task knows it. */
  clusterId(): string;
  /** The ends of the log now. Resolves when all operations up to there stand in their lines. @see LogReaders.stamp */
  stamp(): Promise<(replica: CollectionReplica) => Promise<boolean>>;
  /** The catalogue is to be read once more. */
  readonly readAgain: () => void;
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly guard: (work: Promise<unknown>) => void;
  readonly notice: (text: string) => void;
}

export class Reconciler {
  readonly #context: ReconcilerContext;
  readonly #journal: StepJournal;
  readonly fields: AddedFields;
  readonly #stamps = new Stamps();
  /** What was found, or made, the same on both sides. */
  readonly #settled = new WeakMap<CollectionReplica, string>();
  /** By object, the state that could not be made: tried again when the catalogue shows something else, or by the next run. */
  readonly #refusals = new Map<string, string>();
  readonly #names: NamesSeen = { settled: new Map(), forget: (object) => this.#stamps.forget(object) };
  /** Databases that the selection covers as a whole, as the last reading has them. */
  #databases: readonly CatalogDatabase[] = [];
  /** Of these a rename was left out, by policy or as decided. */
  readonly #keepsName = new WeakSet<CollectionReplica>();
  /** The name that the source has given it is another's on the target. */
  readonly #nameTaken = new WeakSet<CollectionReplica>();
  /** Operations of the log were refused, and are left to the catalogue. */
  readonly #left = new WeakSet<CollectionReplica>();
  /** Settings of fields that the target has refused to alter, in this run. */
  readonly #settingsLeft = new Set<string>();
  readonly #closing = new Set<string>();
  readonly #blocked = new Set<string>();
  readonly #conditions = new Conditions();
  /** A copy that the last reading could not be held against: it bears another name by now, or something of it was broken off. */
  #isIncomplete = false;
  #isPausing = false;
  /** etcd's, of the newest reading: a stamp counts for later ones. */
  #revision = 0n;
  #isOlderTold = false;

  constructor(context: ReconcilerContext) {
    this.#context = context;
    this.#journal = new StepJournal(context);
    this.fields = new AddedFields({ ...context, journal: this.#journal });
  }

  /** The log has changed something of the copy: what it is like is not known any more. */
  operated(replica: CollectionReplica): void {
    this.#settled.delete(replica);
    this.#refusals.delete(objectOf(replica));
    this.#context.readAgain();
  }

  /** An operation of the log was refused: what comes of it is done as the catalogue shows. @returns whether it can be. */
  leftTo(replica: CollectionReplica): boolean {
    if (this.#context.targetRows === undefined) return false;
    this.#left.add(replica);
    this.operated(replica);
    return true;
  }

  /** What the log sets of a database, and another one that is the same on the target has otherwise by the last reading. */
  contested(database: Pick<CatalogDatabase, 'name' | 'properties'>): ContestedProperties | undefined {
    return contestedProperties(this.#context, database, this.#databases);
  }

  /** For whoever looks for what holds it up. */
  toString(): string {
    return `closing ${[...this.#closing].join()}; blocked ${[...this.#blocked].join()}; ${this.#stamps.toString()}`;
  }

  /** Whether all that the readings so far have shown is closed, or waits for what the task itself cannot bring about. */
  get isSettled(): boolean {
    return !this.#isIncomplete && this.#closing.size === 0 && this.#blocked.size >= this.#stamps.size;
  }

  /** Resolves when it is. A stamp that is passed asks for the next reading by itself: who waits here need not read. */
  whenSettled(signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.isSettled, signal);
  }

  /** @throws sourceChanged where another cluster was read. */
  seen(snapshot: CatalogSnapshot): void {
    if (snapshot.clusterId !== this.#context.clusterId()) throw anotherCluster();
    if (snapshot.revision < this.#revision) {
      this.#isOlder();
      return;
    }
    this.#revision = snapshot.revision;
    const fresh: Seen[] = [];
    this.#databases = snapshot.databases.filter(({ name }) => this.#context.selection.coversDatabase(name));
    this.#blocked.clear();
    this.#isIncomplete = false;
    // A Milvus has at least its default database: what shows none shows nothing, and is looked at again.
    if (snapshot.databases.length === 0) this.#lookAgainLater();
    const shown = new Set<string>();
    const refused = new Set<string>();
    for (const seen of this.#look(snapshot)) {
      if (this.#refusals.get(seen.object) === seen.state) {
        refused.add(seen.object);
        continue;
      }
      shown.add(seen.object);
      const verdict = this.#stamps.seen(seen.object, seen.state);
      if (verdict === 'new') fresh.push(seen);
      if (verdict === 'due' && !this.#closing.has(seen.object)) this.#context.guard(this.#close(seen));
    }
    this.#stamps.keep(shown);
    for (const object of [...this.#refusals.keys()]) if (!refused.has(object)) this.#refusals.delete(object);
    if (fresh.length > 0) this.#context.guard(this.#stamp(fresh));
    this.#conditions.changed();
  }

  /** An etcd that was put back shows what was, and would undo what has come since. */
  #isOlder(): void {
    this.#isIncomplete = true;
    this.#lookAgainLater();
    if (this.#isOlderTold) return;
    this.#isOlderTold = true;
    this.#context.notice(
      "The source's etcd shows an older state than it has shown before: it seems to have been put back from a backup. Nothing is changed on the target by what it shows. If the source was put back with it, begin a new task.",
    );
  }

  *#look(snapshot: CatalogSnapshot): Iterable<Seen> {
    const { registry } = this.#context;
    const living = new Map(snapshot.collections.map((collection) => [collection.id, collection]));
    for (const replica of registry.all()) {
      const collection = living.get(replica.id);
      if (collection !== undefined) this.#nameOfPending(replica, collection);
      else if (snapshot.ended.collections.has(replica.id)) this.#nameOfEnded(replica, living);
      if (collection !== undefined) this.#takeFields(replica, collection);
      if (!replica.isFollowing) continue;
      const seen =
        collection === undefined
          ? endOf(replica, snapshot, this.#journal)
          : this.#differs(replica, collection, snapshot, living);
      if (seen !== undefined) yield seen;
      yield* endsOfPartitions(replica, collection, snapshot, this.#journal);
    }
    const named = { ...this.#context, journal: this.#journal, names: this.#names };
    yield* aliasesSeen(named, snapshot, living);
    yield* databasesSeen(named, snapshot);
  }

  /** Also while it is replayed: its rows may wait for them. @see AddedFields */
  #takeFields(replica: CollectionReplica, { schema }: CatalogCollection): void {
    const object = `fields of ${replica.id}`;
    if (this.#closing.has(object) || !replica.takesFields || !this.fields.isBehind(replica, schema)) return;
    this.#closing.add(object);
    const taken = this.fields.take(replica, schema).catch((error: unknown) => {
      this.#context.signal.throwIfAborted();
      // It stops, or its end is near.
      if (!replica.signal.aborted && !replica.isEnding) replica.fail(error);
    });
    this.#context.guard(
      taken.finally(() => {
        this.#closing.delete(object);
        // Others may have been shown meanwhile; and an index of a new one.
        this.#isIncomplete = true;
        this.#settled.delete(replica);
        this.#context.readAgain();
        this.#conditions.changed();
      }),
    );
  }

  /** What has not been asked of the target yet is made there under its newest name. */
  #nameOfPending(replica: CollectionReplica, collection: CatalogCollection): void {
    const wanted = addressOf(collection);
    if (isSameName(replica.address, wanted)) return;
    const others = [...this.#context.registry.all()].filter((other) => other !== replica);
    // One that is to be made anew is not there either, while an earlier one bears its name.
    const isBehind = others.some((other) => other.isFollowing && isSameName(other.address, replica.address));
    if (!replica.isPending && !(replica.isBeingMade && isBehind)) return;
    if (others.some((other) => isSameName(other.address, wanted))) return;
    replica.willBeNamed(wanted);
  }

  /** One that has ended before it was made here is made under a name of its own, where another one has its name for good. */
  #nameOfEnded(replica: CollectionReplica, living: ReadonlyMap<CollectionId, CatalogCollection>): void {
    if (!replica.isPending && !replica.isBeingMade) return;
    const { database, collection } = replica.address;
    const isHeld = [...this.#context.registry.all()].some((other) => {
      const shown = living.get(other.id);
      const isNamesake = other.isFollowing && isSameName(other.address, replica.address);
      return isNamesake && shown !== undefined && isSameName(addressOf(shown), other.address);
    });
    if (isHeld && collection !== temporaryName(replica.id)) {
      replica.willBeNamed({ database, collection: temporaryName(replica.id) });
    }
  }

  #differs(
    replica: CollectionReplica,
    collection: CatalogCollection,
    snapshot: CatalogSnapshot,
    living: ReadonlyMap<CollectionId, CatalogCollection>,
  ): Seen | undefined {
    const object = objectOf(replica);
    const state = stateOf(collection, snapshot.definitions.get(replica.id));
    const hasName = isSameName(replica.address, addressOf(collection)) || this.#keepsName.has(replica);
    if (this.#settled.get(replica) === state && hasName) {
      this.#stamps.forget(object);
      return undefined;
    }
    const close = async (): Promise<boolean> => {
      if (!(await this.#takeName(replica, living))) return false;
      const { schema } = replica;
      await this.#alter(replica, collection, snapshot);
      this.#left.delete(replica);
      // What was held against the copy as it was before it had a field says nothing of that field's index.
      if (replica.schema === schema) this.#settled.set(replica, state);
      else {
        this.#isIncomplete = true;
        this.#context.readAgain();
      }
      return true;
    };
    return { object, state, replicas: [replica], close };
  }

  /** @returns whether the copy bears the name that the catalogue shows, or is to keep its own. */
  async #takeName(replica: CollectionReplica, living: ReadonlyMap<CollectionId, CatalogCollection>): Promise<boolean> {
    const copies = [...this.#context.registry.all()].map(({ id, address }): NamedCopy => {
      const collection = living.get(id);
      return { id, address: { ...address }, wanted: collection === undefined ? undefined : addressOf(collection) };
    });
    const own = copies.find(({ id }) => id === replica.id);
    if (own?.wanted === undefined || isSameName(own.address, own.wanted)) return true;
    const { targetOf } = this.#context;
    const isSamePlace = (a: CollectionAddress, b: CollectionAddress) => isSameName(targetOf(a), targetOf(b));
    const clash = nameClash(own, copies, isSamePlace);
    if (clash !== undefined) {
      this.#nameTaken.add(replica);
      throw namesClash(own.wanted, clash.address, targetOf(own.wanted));
    }
    const to = nextName(own, copies, isSamePlace);
    if (to === undefined) return false;
    const isApplied = await this.#journal.inLine(
      { operation: 'renameCollection', object: `${to.database}.${to.collection}`, what: nameText(own.address) },
      replica,
      () => this.#rename(replica, to),
    );
    if (!isApplied) {
      this.#keepsName.add(replica);
      this.#context.notice(
        `${nameText(own.address)} is called ${nameText(own.wanted)} at the source by now. Its copy keeps its name, as decided, and follows it.`,
      );
      return true;
    }
    this.#keepsName.delete(replica);
    // Others may have waited for the name that it bore; and its own may have been one in between.
    this.#isIncomplete = true;
    this.#context.readAgain();
    return isSameName(replica.address, own.wanted);
  }

  async #rename(replica: CollectionReplica, to: CollectionAddress): Promise<void> {
    try {
      await replica.rename(to);
    } catch (error) {
      if (toReplicationError(error).code === 'alreadyExists') this.#nameTaken.add(replica);
      throw error;
    }
  }

  async #alter(replica: CollectionReplica, collection: CatalogCollection, snapshot: CatalogSnapshot): Promise<void> {
    const { target, targetRows } = this.#context;
    if (targetRows === undefined) return;
    await replica.addPartitions(collection.partitions);
    const definitions = snapshot.definitions.get(replica.id);
    await replica.step(async () => {
      const { address } = replica;
      const [described, found] = await Promise.all([
        replica.onTarget('describe', (signal) => targetRows.describe(address, signal)),
        replica.onTarget('describe', (signal) => target.readProperties(address, signal)),
      ]);
      // Dropped there by somebody: that is found elsewhere (`changed-copies.ts`).
      if (described === undefined || found === undefined) return;
      const wanted = wantedState(collection, replica.schema, definitions, replica.properties);
      const brought = broughtBy(collection, replica.properties);
      replica.propertiesBrought(brought.before);
      const fields = wanted.fields.filter((setting) => !this.#settingsLeft.has(settingText(replica, setting)));
      const { properties, fields: settings } = found;
      const left = new Set<string>();
      for (const step of stepsBetween({ ...wanted, fields }, { ...described, properties, fields: settings })) {
        const field = 'index' in step ? step.index.fieldName : '';
        // A field has one index: beside one that is left where it is no other can be made.
        if (left.has(field)) continue;
        try {
          const isMade = await this.#journal.run(askedOf(step), replica, () => makeStep(target, replica, step));
          if (!isMade && step.kind === 'dropIndex') left.add(field);
          if (isMade && step.kind === 'alterField') this.fields.altered(replica, step.field, collection.schema);
        } catch (error) {
          // What a server does not offer must not keep it from the rest; nor is it released for that again.
          if (!isRefused(error) || replica.signal.aborted) throw error;
          if (step.kind === 'alterField') {
            this.#settingsLeft.add(settingText(replica, { field: step.field, key: step.property.key }));
            this.#context.notice(notAltered(replica.address, step.field, error));
          } else if (step.kind === 'removeProperties') {
            this.#context.notice(
              `The source has taken properties off ${nameText(replica.address)}, which stay on its copy: ${error.message}`,
            );
          } else {
            throw error;
          }
        }
      }
      replica.propertiesBrought(brought.after);
    });
  }

  async #stamp(fresh: readonly Seen[]): Promise<void> {
    const { signal, observer } = this.#context;
    await pause(LATE_OPERATIONS_MS, signal);
    const whenPast = await retrying(() => this.#context.stamp(), signal, observer);
    for (const { object, state, replicas } of fresh) {
      this.#context.guard(
        Promise.all(replicas.map((replica) => whenPast(replica))).then((past) => {
          // One that has stopped, or is gone, is looked at anew.
          if (past.includes(false)) this.#brokenOff(object);
          else if (!this.#stamps.passed(object, state)) return;
          this.#conditions.changed();
          this.#context.readAgain();
        }),
      );
    }
  }

  /** What there is to be done is not known before the next reading. */
  #brokenOff(object: string): void {
    this.#stamps.forget(object);
    this.#isIncomplete = true;
  }

  async #close({ object, state, replicas, close }: Seen): Promise<void> {
    this.#closing.add(object);
    try {
      if (await close()) this.#stamps.forget(object);
      else this.#waitFor(object);
    } catch (error) {
      this.#context.signal.throwIfAborted();
      this.#stamps.forget(object);
      // It stops, is taken up again, or has left the selection: nothing was refused.
      if (replicas.some((replica) => replica.signal.aborted)) {
        this.#brokenOff(object);
        this.#context.readAgain();
        return;
      }
      this.#refusals.set(object, state);
      this.#refused(object, toReplicationError(error));
    } finally {
      this.#closing.delete(object);
      this.#conditions.changed();
    }
  }

  #refused(object: string, error: ReplicationError): void {
    const replica = [...this.#context.registry.all()].find((one) => objectOf(one) === object);
    if (replica?.hasFailed === true) return;
    // What stood in the log must have its effect, here as there; and a name that is taken is a person's to free.
    if (replica !== undefined && (this.#left.has(replica) || this.#nameTaken.has(replica))) {
      replica.fail(error);
      return;
    }
    this.#context.notice(`What the source's catalogue shows could not be made on the target: ${error.message}`);
  }

  #waitFor(object: string): void {
    this.#blocked.add(object);
    this.#lookAgainLater();
  }

  #lookAgainLater(): void {
    const { signal, guard, readAgain } = this.#context;
    if (this.#isPausing) return;
    this.#isPausing = true;
    guard(
      pause(BLOCKED_PAUSE_MS, signal).then(() => {
        this.#isPausing = false;
        readAgain();
      }),
    );
  }
}

const objectOf = ({ id }: CollectionReplica): string => `collection ${id}`;

const settingText = (
  { id }: CollectionReplica,
  { field, key }: { readonly field: string; readonly key: string },
): string => `${id}/${field}/${key}`;

function namesClash(
  wanted: CollectionAddress,
  other: CollectionAddress,
  { database, collection }: CollectionAddress,
): ReplicationError {
  return new ReplicationError(
    'alreadyExists',
    'config',
    `The source has renamed a collection to ${nameText(wanted)}, which would be ${database}.${collection} on the target, as ${nameText(other)} is. Rename one of the two at the source, then resume.`,
    { context: { database, collection, outcome: 'refused' } },
  );
}

function anotherCluster(): ReplicationError {
  return new ReplicationError(
    'sourceChanged',
    'source',
    "Another cluster's etcd answers at the source's address. Nothing on the target was changed by what it shows. Correct the address, or begin a new task for the new cluster.",
  );
}
