/**
 * A collection's copy on the target: made, marked as ours, given its partitions, dropped.
 *
 * Phases (durable): pending → creating → created → dropping → dropped. `creating` and `dropping` are on disk before the
 * target is called, so after a crash it is known what may have happened.
 */
import { isSameName } from '../../../shared/model/collection-name.ts';
import type { CollectionId, PartitionId } from '../../../shared/model/ids.ts';
import { OWNER_PROPERTY } from '../../../shared/model/origin-chain.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredCollection, StoredName, TaskStore } from '../../../shared/model/task-state.ts';
import { TIME_TICK_ZERO, type TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, type CollectionSchema } from '../codec/collection-schema.ts';
import type { DropPartitionRecord } from '../codec/records.ts';
import { wholeFields } from '../codec/schema-rewrite.ts';
import { outcomeOf } from '../errors/policy.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { SerialLane } from '../runtime/waiting.ts';
import type { CatalogPartition } from '../source/catalog/catalog.ts';
import type { Target, TargetCollection } from '../target/target.ts';
import type { OnTarget } from './collection-writer.ts';
import type { CopyLoops } from './copy-loops.ts';
import type { OperationJournal } from './operation-journal.ts';
import type { OpenDefinitions } from './open-definitions.ts';

export interface TargetCopyContext {
  readonly target: Target;
  readonly store: Pick<TaskStore, 'updateCollection' | 'addDroppedPartition' | 'beginRename' | 'endRename'>;
  readonly onTarget: OnTarget;
  readonly openDefinitions: Pick<OpenDefinitions, 'mayBeOpen' | 'whenNoneOpen'>;
  /** An alias of that name stands in the way: the source has a collection of the name, so it has ended there. */
  freeName(address: CollectionAddress): Promise<void>;
  /** Aliases stand for the collection, which is about to be dropped. */
  freeOfAliases(id: CollectionId): Promise<void>;
  readonly signal: AbortSignal;
  /** Written into the target's collection: whose copy it is. */
  originOf(id: CollectionId): string;
  /** Which task has made it. */
  readonly owner: string | undefined;
  /** Where it stands on the target. */
  targetOf(address: CollectionAddress): CollectionAddress;
  readonly loops: Pick<CopyLoops, 'assertNone' | 'chainOf'>;
  /** One at a time per database: making and removing the database and what is in it. */
  inDatabaseLane<T>(database: string, body: () => Promise<T>): Promise<T>;
  /** Makes it where it is missing. */
  ensureDatabase(database: string): Promise<void>;
  /** Resolves when no operation that stands before `tick` is under way. */
  whenOperationsDone(tick: TimeTick): Promise<void>;
  /** Resolves when no write of an earlier run, nor one that was given up, can land any more. */
  whenWritesSettled(): Promise<void>;
  /** The collection is on the target, or a partition of it is gone: the catalogue may hold partitions to be made. */
  partitionsWanted(): void;
  /** It is ready, or has been dropped. */
  changed(): void;
  notice(text: string): void;
  readonly clock: Clock;
  readonly journal: Pick<OperationJournal, 'record'>;
}

export class TargetCopy {
  readonly #context: TargetCopyContext;
  readonly #stored: StoredCollection;
  readonly #address: { -readonly [Part in keyof CollectionAddress]: CollectionAddress[Part] };
  readonly #schema: CollectionSchema;
  readonly #droppedPartitions: Set<PartitionId>;
  readonly #knownPartitions = new Set<string>();
  readonly #partitionLane = new SerialLane();
  /** Partitions of the catalogue are being made: calls that must not meet a drop. */
  #partitionsAdded: Promise<void> | undefined;
  #phase: StoredCollection['phase'];
  #targetId: bigint | undefined;
  #targetCreateTick: TimeTick | undefined;
  #dropTick: TimeTick | undefined;
  #ready: Promise<void> | undefined;
  #isReady = false;
  #renamingTo: StoredName | undefined;
  #dropped: Promise<void> | undefined;

  /** `address` is the collection's own, and changes with its name. */
  constructor(
    context: TargetCopyContext,
    stored: StoredCollection,
    address: { -readonly [Part in keyof CollectionAddress]: CollectionAddress[Part] },
    schema: CollectionSchema,
    droppedPartitions: Iterable<PartitionId>,
  ) {
    this.#context = context;
    this.#stored = stored;
    this.#address = address;
    this.#renamingTo = stored.renamingTo;
    this.#schema = schema;
    this.#phase = stored.phase;
    this.#targetId = stored.targetId;
    this.#targetCreateTick = stored.targetCreateTick;
    this.#dropTick = stored.dropTick;
    this.#droppedPartitions = new Set(droppedPartitions);
  }

  /** Follows the name. */
  get #targetAddress(): CollectionAddress {
    return this.#context.targetOf(this.#address);
  }

  get phase(): StoredCollection['phase'] {
    return this.#phase;
  }

  get targetId(): bigint | undefined {
    return this.#targetId;
  }

  get targetCreateTick(): TimeTick | undefined {
    return this.#targetCreateTick;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isDropped(): boolean {
    return this.#phase === 'dropped';
  }

  /** Its drop was begun, perhaps by an earlier run. */
  get isEnding(): boolean {
    return this.#phase === 'dropping' || this.#phase === 'dropped';
  }

  get isBeingRenamed(): boolean {
    return this.#renamingTo !== undefined;
  }

  /** Of the source's drop, once it has been reached. */
  get dropTick(): TimeTick | undefined {
    return this.#dropTick;
  }

  /** Nothing of it is on the target, and nothing will be. */
  passedOver(): void {
    this.#setPhase('dropped');
    this.#context.changed();
  }

  /** The copy exists on the target and is ours. Shared by all who ask. */
  ensureReady(): Promise<void> {
    this.#ready ??= this.#makeReady().then(() => {
      this.#isReady = true;
      this.#context.changed();
      this.#context.partitionsWanted();
    });
    return this.#ready;
  }

  isPartitionDropped(id: PartitionId): boolean {
    return this.#droppedPartitions.has(id);
  }

  hasPartition(id: PartitionId, name: string): boolean {
    return this.#knownPartitions.has(name) && !this.#droppedPartitions.has(id);
  }

  async ensurePartition(name: string): Promise<void> {
    if (name === '' || hasPartitionKey(this.#schema) || this.#knownPartitions.has(name)) return;
    const { target, onTarget } = this.#context;
    const create = (signal: AbortSignal) => target.createPartition(this.#address, name, signal);
    await onTarget('createPartition', create, this.#objectOf(name));
    this.#knownPartitions.add(name);
    this.#record('createPartition', TIME_TICK_ZERO, name);
  }

  /**
   * Partitions that the catalogue shows. They are made on the target unless their drop has been applied already. Not yet on
   * the target itself, the collection asks again later.
   */
  async addPartitions(partitions: readonly CatalogPartition[]): Promise<void> {
    // One after the other: a reading that is older must not end later.
    const added = this.#partitionLane.run(() => this.#addPartitions(partitions));
    const settled = added.catch(() => undefined);
    this.#partitionsAdded = settled;
    await added.finally(() => {
      if (this.#partitionsAdded === settled) this.#partitionsAdded = undefined;
    });
  }

  async #addPartitions(partitions: readonly CatalogPartition[]): Promise<void> {
    for (const { id, name } of partitions) {
      if (!this.#isReady || this.#phase !== 'created') return;
      if (!this.#droppedPartitions.has(id)) await this.ensurePartition(name);
    }
  }

  /**
   * Drops partitions that the source no longer has, though their drop was never read. `list` gives those that the catalogue
   * shows after the target's were listed, so that one that is made meanwhile is among them, or is made again.
   */
  dropPartitionsBut(list: () => Promise<ReadonlySet<string> | undefined>): Promise<void> {
    if (hasPartitionKey(this.#schema)) return Promise.resolve();
    const { target, onTarget } = this.#context;
    return this.#partitionLane.run(async () => {
      const found = await onTarget('describeCollection', (signal) => target.describeCollection(this.#address, signal));
      const keep = await list();
      if (keep === undefined) return;
      for (const name of found?.partitions ?? []) {
        if (keep.has(name)) continue;
        const drop = (signal: AbortSignal) => target.dropPartition(this.#address, name, signal);
        await onTarget('dropPartition', drop, this.#objectOf(name));
        this.#knownPartitions.delete(name);
      }
      this.#context.partitionsWanted();
    });
  }

  /**
   * When every shard has come to the drop. `isRepeated`: an earlier run may have sent it just before
   * it ended. `record`: called when it is done, before it is known as done, since nobody comes here again.
   */
  async dropPartition(
    { partitionId: id, partitionName: name, beginTick: tick }: DropPartitionRecord,
    isRepeated: boolean,
    record: () => void,
  ): Promise<void> {
    const { target, onTarget, openDefinitions } = this.#context;
    await this.#whenUndisturbed(tick);
    if (isRepeated) openDefinitions.mayBeOpen(this.#objectOf(name), 'dropPartition');
    const drop = (signal: AbortSignal) => target.dropPartition(this.#address, name, signal);
    await onTarget('dropPartition', drop, this.#objectOf(name));
    record();
    this.#partitionDropped(id, name);
    this.#context.partitionsWanted();
  }

  #partitionDropped(id: PartitionId, name: string): void {
    const { store } = this.#context;
    store.addDroppedPartition(this.#stored.id, id);
    this.#droppedPartitions.add(id);
    this.#knownPartitions.delete(name);
  }

  /** As below, of one whose end was decided against: its rows stay, and one that bears its name later is the same one. */
  leaveEndedPartition(id: PartitionId): void {
    this.#context.store.addDroppedPartition(this.#stored.id, id);
    this.#droppedPartitions.add(id);
  }

  /** The catalogue has proven its end, and the drop was not met in the log. */
  async dropEndedPartition(id: PartitionId, name: string): Promise<void> {
    const { target, onTarget } = this.#context;
    await this.#partitionLane.run(async () => {
      if (this.#droppedPartitions.has(id)) return;
      const drop = (signal: AbortSignal) => target.dropPartition(this.#address, name, signal);
      await onTarget('dropPartition', drop, this.#objectOf(name));
      this.#partitionDropped(id, name);
    });
  }

  /**
   * When every shard has come to the drop, which stands at `tick`; or when the catalogue has proven the collection's end.
   * Asked for twice it is done once.
   */
  drop(tick: TimeTick): Promise<void> {
    this.#dropped ??= this.#drop(tick);
    return this.#dropped;
  }

  async #drop(tick: TimeTick): Promise<void> {
    // One goes by the name: it would land in the next collection that bears it. Where its message was read once more it has
    // been waited for; a copy that was begun anew does not read it again.
    await this.#context.whenWritesSettled();
    await this.#whenUndisturbed(tick);
    this.#dropTick = tick;
    this.#context.store.updateCollection(this.#stored.id, { phase: 'dropping', dropTick: tick });
    this.#phase = 'dropping';
    await this.#finishDrop();
  }

  /** When every shard has come to the drop, which was decided against: the copy stays on the target, and is nobody's from now on. */
  async leave(tick: TimeTick): Promise<void> {
    await this.#whenUndisturbed(tick);
    this.#dropTick = tick;
    this.#context.store.updateCollection(this.#stored.id, { phase: 'dropped', dropTick: tick });
    this.#phase = 'dropped';
    this.#context.notice(
      `${this.#address.database}.${this.#address.collection} was dropped at the source and stays on the target.`,
    );
    this.#context.changed();
  }

  /** As above, of a partition: its rows stay, and one that bears its name later is the same one. */
  async leavePartition({ partitionId: id, beginTick: tick }: DropPartitionRecord, record: () => void): Promise<void> {
    await this.#whenUndisturbed(tick);
    record();
    this.leaveEndedPartition(id);
  }

  /** An earlier run has begun it, and may have sent it just before it ended. */
  async repeatDrop(): Promise<void> {
    const { database, collection } = this.#address;
    this.#context.openDefinitions.mayBeOpen(`${database}/${collection}`, 'dropCollection');
    await this.#finishDrop();
  }

  async #finishDrop(): Promise<void> {
    const { target, onTarget } = this.#context;
    await this.#context.freeOfAliases(this.#stored.id);
    await this.#context.inDatabaseLane(this.#targetAddress.database, async () => {
      const found = await onTarget('describeCollection', (signal) => target.describeCollection(this.#address, signal));
      // By identity: a later collection of the same name is not ours to drop.
      if (found !== undefined && found.id === this.#targetId) {
        await onTarget('dropCollection', (signal) => target.dropCollection(this.#address, signal));
      }
      // Before it is done with: nobody comes here again.
      this.#record('dropCollection', this.#dropTick ?? TIME_TICK_ZERO);
      this.#setPhase('dropped');
    });
    this.#context.changed();
  }

  /** What is made because rows need it, and what a crash had left half done. */
  #record(operation: string, tick: TimeTick, object?: string): void {
    const { id } = this.#stored;
    const { database, collection: name } = this.#address;
    const at = this.#context.clock.now();
    const ids = { createCollection: `create/${id}`, dropCollection: `drop/${id}` }[operation];
    const collection = { id, name };
    this.#context.journal.record({
      id: ids,
      at,
      tick,
      source: 'log',
      operation,
      database,
      collection,
      object,
      outcome: 'applied',
    });
  }

  #objectOf(partition: string): string {
    return `${this.#address.database}/${this.#address.collection}/${partition}`;
  }

  /** Asked again until nothing is left: what comes up while it waits is waited for as well. */
  async #whenUndisturbed(tick: TimeTick): Promise<void> {
    do {
      await this.#partitionsAdded;
      await this.#context.whenOperationsDone(tick);
    } while (this.#partitionsAdded !== undefined);
  }

  async #makeReady(): Promise<void> {
    const { target, store, onTarget } = this.#context;
    await this.#takeUpRename();
    const { database, collection } = this.#address;
    await this.#context.loops.assertNone(this.#stored);
    const describe = () => onTarget('describeCollection', (signal) => target.describeCollection(this.#address, signal));
    await this.#context.inDatabaseLane(this.#targetAddress.database, async () => {
      const found = await describe();
      if (this.#phase === 'created') {
        if (found === undefined || found.id !== this.#targetId) throw this.#targetChanged(found === undefined);
        for (const partition of found.partitions) this.#knownPartitions.add(partition);
        return;
      }
      const origin = this.#context.originOf(this.#stored.id);
      if (found !== undefined && !(this.#phase === 'creating' && this.#mayTake(found))) throw this.#notOurs(found);
      if (found === undefined) {
        this.#setPhase('creating');
        await this.#context.ensureDatabase(this.#targetAddress.database);
        await this.#context.freeName(this.#address);
        await onTarget('createCollection', (signal) => this.#create(origin, signal));
      }
      const made = found ?? (await describe());
      if (made === undefined) throw this.#targetChanged(true);
      if (!this.#isOwn(made)) await onTarget('setProperties', (signal) => this.#takeOver(signal));
      if (found !== undefined) await this.#addFields(found);
      for (const partition of made.partitions) this.#knownPartitions.add(partition);
      this.#targetId = made.id;
      this.#targetCreateTick = made.createTick;
      const identity = { targetId: made.id, targetCreateTick: made.createTick };
      store.updateCollection(this.#stored.id, { phase: 'created', ...identity });
      this.#phase = 'created';
      if (found === undefined) this.#record('createCollection', this.#stored.createTick);
    });
    if (this.#schema.autoId) {
      this.#context.notice(
        `The source generates the keys of ${database}.${collection}. The copy keeps them, so key generation is off on the target: once it is promoted, applications must send a key with every row.`,
      );
    }
  }

  /** A copy that is taken up again is as old as it was left: the source may have added fields since. */
  async #addFields({ fields }: TargetCollection): Promise<void> {
    const { target, onTarget } = this.#context;
    for (const { field, bytes } of wholeFields(this.#stored.schema)) {
      if (field.isDynamic || fields.includes(field.name)) continue;
      await onTarget('addField', (signal) => target.addField(this.#address, bytes, signal));
      this.#record('addField', TIME_TICK_ZERO, field.name);
    }
  }

  async #create(origin: string, signal: AbortSignal): Promise<void> {
    const { schema, shardCount, consistencyLevel, properties, partitionKeyCount } = this.#stored;
    const { owner, loops } = this.#context;
    const chain = loops.chainOf(this.#stored);
    const whose = { origin, chain, ...(owner === undefined ? {} : { owner }) };
    const shape = { schema, shardCount, consistencyLevel, properties, partitionKeyCount, ...whose };
    try {
      await this.#context.target.createCollection({ ...this.#address, ...shape }, signal);
    } catch (error) {
      // The answer to an earlier attempt was lost, and it had succeeded.
      const isThere = error instanceof ReplicationError && error.code === 'alreadyExists';
      if (!isThere) throw error;
      const found = await this.#context.target.describeCollection(this.#address, signal);
      if (found === undefined || !this.#isOwn(found)) throw this.#notOurs(found);
    }
  }

  /** Not on the target yet: it will be made under the name. */
  willBeNamed({ database, collection }: CollectionAddress): void {
    this.#context.store.endRename(this.#stored.id, { database, name: collection });
    Object.assign(this.#address, { database, collection });
    this.#context.changed();
  }

  /**
   * Nothing else of the collection is under way, and nothing that it has sent can land any more. `rename` makes the call. The
   * intent is on disk before, so that a later run finishes it.
   */
  async rename(to: CollectionAddress, rename: OnTarget): Promise<void> {
    const { store, openDefinitions, signal } = this.#context;
    const { database, collection } = this.#address;
    await openDefinitions.whenNoneOpen(`${database}/${collection}`, signal);
    await openDefinitions.whenNoneOpen(`${to.database}/${to.collection}`, signal);
    const target = this.#context.targetOf(to);
    await this.#inLanes([this.#targetAddress.database, target.database], async () => {
      await this.#context.ensureDatabase(target.database);
      await this.#context.freeName(to);
      const name = { database: to.database, name: to.collection };
      store.beginRename(this.#stored.id, name);
      this.#renamingTo = name;
      await this.#finishRename(to, rename);
    });
  }

  /** An earlier run has begun it, and may have sent it just before it ended. */
  async #takeUpRename(): Promise<void> {
    const renamingTo = this.#renamingTo;
    if (renamingTo === undefined) return;
    const to = { database: renamingTo.database, collection: renamingTo.name };
    const { database, collection } = this.#address;
    const { openDefinitions, onTarget } = this.#context;
    openDefinitions.mayBeOpen(`${database}/${collection}`, 'renameCollection');
    const target = this.#context.targetOf(to);
    await this.#inLanes([this.#targetAddress.database, target.database], () => this.#finishRename(to, onTarget));
  }

  async #finishRename(to: CollectionAddress, rename: OnTarget): Promise<void> {
    const { target, store } = this.#context;
    const from = { ...this.#address };
    const isOurs = async (address: CollectionAddress, signal: AbortSignal): Promise<boolean> =>
      (await target.describeCollection(address, signal))?.id === this.#targetId;
    const end = (at: CollectionAddress): void => {
      store.endRename(this.#stored.id, { database: at.database, name: at.collection });
      Object.assign(this.#address, at);
      this.#renamingTo = undefined;
      this.#context.changed();
    };
    // Two names of the source can be one on the target.
    if (isSameName(this.#targetAddress, this.#context.targetOf(to))) {
      end(to);
      return;
    }
    try {
      await rename('renameCollection', async (signal) => {
        try {
          await target.renameCollection(from, to, signal);
        } catch (error) {
          // The answer to an earlier attempt was lost, and it had succeeded.
          if (!(await isOurs(to, signal))) throw error;
        }
      });
      end(to);
    } catch (error) {
      // Refused: it keeps its name. The catalogue may have another one for it by now.
      if (outcomeOf(toReplicationError(error)) === 'refused' && !this.#context.signal.aborted) end(from);
      throw error;
    }
  }

  /** Of the target's databases, always in the same order. */
  async #inLanes(databases: readonly string[], body: () => Promise<void>): Promise<void> {
    const [first, ...others] = [...new Set(databases)].toSorted();
    if (first === undefined) return body();
    return this.#context.inDatabaseLane(first, () => this.#inLanes(others, body));
  }

  #setPhase(phase: StoredCollection['phase']): void {
    this.#context.store.updateCollection(this.#stored.id, { phase });
    this.#phase = phase;
  }

  /** Of this very task: another one may copy the same collection to the same place. */
  #isOwn({ origin, owner }: TargetCollection): boolean {
    const { owner: own } = this.#context;
    return (
      origin === this.#context.originOf(this.#stored.id) && (owner === undefined || own === undefined || owner === own)
    );
  }

  /** A person's order to copy it again takes over what another task has made of the same collection. */
  #mayTake(found: TargetCollection): boolean {
    return this.#isOwn(found) || (this.#stored.isRecopy && found.origin === this.#context.originOf(this.#stored.id));
  }

  #takeOver(signal: AbortSignal): Promise<void> {
    const { owner, target } = this.#context;
    if (owner === undefined) return Promise.resolve();
    return target.setProperties(this.#address, [{ key: OWNER_PROPERTY, value: owner }], signal);
  }

  #notOurs(found: TargetCollection | undefined): ReplicationError {
    const isOfTheSame = found?.origin === this.#context.originOf(this.#stored.id);
    return isOfTheSame ? this.#unknownCopy() : this.#nameTaken(found);
  }

  #nameTaken(found: TargetCollection | undefined): ReplicationError {
    const { database, collection } = this.#targetAddress;
    const origin = this.#context.originOf(this.#stored.id);
    const [cluster] = found?.origin?.split('/') ?? [];
    const what =
      found?.origin === undefined
        ? 'that this task did not make. Drop or rename it there, then resume.'
        : origin.startsWith(`${cluster}/`)
          ? 'that holds the copy of another collection of the source. Map the names so that each has its own, or drop it there, then resume.'
          : `that another task brings there from another source (etcd cluster ${cluster}). Map the names so that each has its own, then resume.`;
    return new ReplicationError(
      'alreadyExists',
      'target',
      `The target already has a collection ${database}.${collection} ${what}`,
      { context: { database, collection } },
    );
  }

  /**
   * Made of this very collection, and not by this task of this store. Its rows may be ahead of the source's log, and others
   * than ours may write into it: not ours to take without a person's word.
   */
  #unknownCopy(): ReplicationError {
    const { database, collection } = this.#address;
    const name = `${database}.${collection}`;
    return new ReplicationError(
      'storeOutdated',
      'store',
      `The target holds a copy of ${name} that another task has made for the same collection of the source, here or in another data folder. Leave it out of one of the two; where the other one is gone, copy ${name} again to go on with it, or drop it on the target and resume.`,
      { context: { database, collection } },
    );
  }

  #targetChanged(isMissing: boolean): ReplicationError {
    const { database, collection } = this.#targetAddress;
    const what = isMissing ? 'was dropped from the target' : 'was replaced on the target';
    return new ReplicationError(
      'targetChanged',
      'target',
      `The copy of ${database}.${collection} ${what} behind Lifeline's back. Copy the collection again.`,
      { context: { database, collection } },
    );
  }
}
