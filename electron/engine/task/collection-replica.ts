/**
 * One collection of the source, by identity, and its copy on the target. Two collections that bore one name one after
 * the other are two replicas; the second is created only after the first has been dropped.
 *
 * Phases (durable): pending → creating → created → dropping → dropped. `creating` and `dropping` are on disk before the
 * target is called, so after a crash it is known what may have happened.
 *
 * Not its job: reading, assembling, deciding which collections there are.
 */
import type { CollectionId, PartitionId, VChannel } from '../../../shared/model/ids.ts';
import { ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { CopyState, StoredCollection, TaskStore } from '../../../shared/model/task-state.ts';
import type { CollectionStatus, CopyStatus, Trouble } from '../../../shared/model/task-status.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import {
  asTimeTick,
  TIME_TICK_MAX,
  TIME_TICK_ZERO,
  timeTickToMs,
  type TimeTick,
} from '../../../shared/time/time-tick.ts';
import { hasPartitionKey, parseCollectionSchema, type CollectionSchema } from '../codec/collection-schema.ts';
import type { DeleteRecord, InsertRecord, WalRecord } from '../codec/records.ts';
import { isHeld, hintFor, outcomeOf } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import { retrying } from '../runtime/retry.ts';
import { Conditions, orAborted, SerialLane } from '../runtime/waiting.ts';
import type { CatalogPartition } from '../source/catalog/catalog.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { CollectionWriter } from './collection-writer.ts';
import type { LogEntry } from './log-entry.ts';
import type { IntentMarks } from './intent-marks.ts';
import { ShardBarriers } from './shard-barrier.ts';
import type { LaneOwner, ShardLane } from './shard-lane.ts';
import type { WriteLease } from './write-lease.ts';

export interface ReplicaContext {
  readonly target: Target;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly lease: WriteLease;
  readonly intents: IntentMarks;
  /** Ends every wait, and every repetition. */
  readonly signal: AbortSignal;
  /** Ends calls that are under way: later than `signal`, since a write that was cut off may still happen. */
  readonly callSignal: AbortSignal;
  /** Awaited before the calls are ended. */
  tracked<T>(call: Promise<T>): Promise<T>;
  /** Written into the target's collection: whose copy it is. */
  originOf(id: CollectionId): string;
  /** Collections that bore this name before and must be gone first. */
  predecessorsOf(replica: CollectionReplica): readonly CollectionReplica[];
  /** One at a time per database: making and removing the database and what is in it. */
  databaseLane(database: string): SerialLane;
  /** Makes it where it is missing. */
  ensureDatabase(database: string): Promise<void>;
  /** The entry's content; read again from the broker where it was let go. */
  contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord>;
  release(entry: LogEntry): void;
  laneChanged(lane: ShardLane): void;
  laneConfirmed(lane: ShardLane): void;
  /** A call on the target was confirmed. */
  called(name: string): void;
  /** Rows that the source stamped with `tick` were confirmed. */
  rowsConfirmed(tick: TimeTick): void;
  /** The collection is on the target, or a partition of it is gone: the catalogue may hold partitions to be made. */
  partitionsWanted(): void;
  /** A copied collection has moved on: it may be past its join. */
  joinDue(replica: CollectionReplica): void;
  /** Its copy is gone for good. */
  dropped(replica: CollectionReplica): void;
  /** The collection stops; the others go on. */
  failed(replica: CollectionReplica, error: ReplicationError): void;
  notice(text: string): void;
}

/** Where an operation stands: its message in the operation channel, and its time among the data. */
export interface OperationPlace {
  readonly ordinal: MessageOrdinal;
  readonly tick: TimeTick;
}

interface PendingOperation {
  readonly tick: TimeTick;
  readonly done: Promise<void>;
}

export class CollectionReplica implements LaneOwner {
  readonly id: CollectionId;
  readonly address: CollectionAddress;
  readonly createTick: TimeTick;
  readonly vchannels: readonly VChannel[];
  readonly schema: CollectionSchema;
  readonly #stored: StoredCollection;
  readonly #context: ReplicaContext;
  readonly #writer: CollectionWriter;
  readonly #barriers: ShardBarriers;
  readonly #lanes = new Map<VChannel, ShardLane>();
  readonly #conditions = new Conditions();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #droppedPartitions: Set<PartitionId>;
  readonly #knownPartitions = new Set<string>();
  readonly #operations = new Set<PendingOperation>();
  #lastOperation: Promise<void> = Promise.resolve();
  #lastOperationTick: TimeTick = TIME_TICK_ZERO;
  /** Partitions of the catalogue are being made: calls that must not meet a drop. */
  #partitionsAdded: Promise<void> | undefined;
  #phase: StoredCollection['phase'];
  #targetId: bigint | undefined;
  #dropTick: TimeTick | undefined;
  #operationsUntil: MessageOrdinal;
  readonly #partitionLane = new SerialLane();
  #ready: Promise<void> | undefined;
  #isReady = false;
  #trouble: Trouble | undefined;
  #hasFailed = false;
  #copy: CopyState;
  /** What the copy says of itself. */
  copyStatus: CopyStatus | undefined;

  constructor(context: ReplicaContext, stored: StoredCollection, droppedPartitions: Iterable<PartitionId>) {
    const schema = parseCollectionSchema(stored.schema);
    if ('kind' in schema) {
      throw new ReplicationError(
        'malformedMessage',
        'source',
        `The schema of ${stored.database}.${stored.name} cannot be read: ${schema.what}. Report this collection's schema.`,
      );
    }
    this.#context = context;
    this.#stored = stored;
    this.id = stored.id;
    this.address = { database: stored.database, collection: stored.name };
    this.createTick = stored.createTick;
    this.vchannels = stored.vchannels;
    this.schema = schema;
    this.#phase = stored.phase;
    this.#copy = stored.copy;
    this.#targetId = stored.targetId;
    this.#dropTick = stored.dropTick;
    this.#operationsUntil = stored.operationsUntil;
    this.#droppedPartitions = new Set(droppedPartitions);
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
    this.#barriers = new ShardBarriers(stored.vchannels, (vchannel) => this.#progressOf(vchannel));
    this.#writer = new CollectionWriter({
      target: context.target,
      address: this.address,
      schema,
      onTarget: (name, call) => this.onTarget(name, call),
      lease: context.lease,
      clock: context.clock,
      signal: this.#signal,
      confirmed: (tick) => context.rowsConfirmed(tick),
    });
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  get isDropped(): boolean {
    return this.#phase === 'dropped';
  }

  /** Its drop was begun, perhaps by an earlier run. */
  get isEnding(): boolean {
    return this.#phase === 'dropping' || this.#phase === 'dropped';
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get copy(): CopyState {
    return this.#copy;
  }

  /** After the same was stored. */
  copyMoved(copy: CopyState): void {
    this.#copy = copy;
    this.#conditions.changed();
  }

  /** Its rows are (being) read: there are no shards of it to follow yet. */
  get isBeingCopied(): boolean {
    return this.#copy === 'due' || this.#copy === 'copying';
  }

  /** Resolves when it follows the log, for good or till its end; or has failed. */
  async whenJoined(signal: AbortSignal): Promise<void> {
    const isSettled = () => this.#copy === 'none' || this.#copy === 'joined' || this.isDropped || this.#hasFailed;
    await this.#conditions.until(isSettled, signal);
  }

  /** Up to there the copy, in part or whole, has read what came of operations. */
  #copyUntil(): TimeTick {
    if (this.#copy === 'none') return TIME_TICK_ZERO;
    if (this.#copy !== 'joined') return TIME_TICK_MAX;
    const joined = this.#context.store.joins().find(({ collectionId }) => collectionId === this.id.toString());
    const ticks = joined?.shards.map(({ joinedTick }) => BigInt(joinedTick)) ?? [];
    return asTimeTick(ticks.reduce((latest, tick) => (tick > latest ? tick : latest), 0n));
  }

  get writer(): CollectionWriter {
    return this.#writer;
  }

  /** Whether the collection existed at the source at that time, as far as its log has been applied. */
  isAliveAt(tick: TimeTick): boolean {
    return this.createTick <= tick && (this.#dropTick === undefined || tick < this.#dropTick);
  }

  addLane(lane: ShardLane): void {
    this.#lanes.set(lane.vchannel, lane);
  }

  lanes(): Iterable<ShardLane> {
    return this.#lanes.values();
  }

  /** It was gone from the source before its copy began: there is nothing of it, and will be nothing. */
  passedOver(): void {
    this.#context.store.updateCollection(this.id, { phase: 'dropped' });
    this.#phase = 'dropped';
    this.#conditions.changed();
    this.#context.dropped(this);
  }

  /** Takes up what a crash may have left half done. Collections that were never begun wait for their first record. */
  resume(): void {
    if (this.#phase === 'dropping') this.#guard(this.#finishDrop());
    if (this.#phase === 'created' || this.#phase === 'creating') this.#guard(this.ensureReady());
  }

  /** The copy exists on the target and is ours. Shared by all who ask. */
  ensureReady(): Promise<void> {
    this.#ready ??= this.#makeReady().then(() => {
      this.#isReady = true;
      this.#conditions.changed();
      this.#context.partitionsWanted();
    });
    return this.#ready;
  }

  /** Resolves when the copy has been dropped for good. Rejects when the collection has failed, so that it never will be. */
  async whenDropped(signal: AbortSignal): Promise<void> {
    await this.#conditions.until(() => this.isDropped || this.#hasFailed, signal);
    if (this.#hasFailed) throw this.#inTheWay();
  }

  /**
   * Runs an operation of the operation channel in its place: after the collection's earlier operations, and when every
   * change before it has been applied. Resolves without running it when the collection is dropped first.
   */
  operation(
    { ordinal, tick }: OperationPlace,
    name: string,
    run: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    // Read again after a restart: repeating it could undo what came after it.
    if (ordinal <= this.#operationsUntil) return Promise.resolve();
    const previous = this.#lastOperation;
    // Two proxies may write their operations in another order than that of their times: the later one's place counts.
    if (tick > this.#lastOperationTick) this.#lastOperationTick = tick;
    const place = this.#lastOperationTick;
    // What it did may be undone by now, and the copy has read what came of it all.
    const isPartOfCopy = tick <= this.#copyUntil();
    const done = (async () => {
      await orAborted(previous, this.#signal);
      await this.#conditions.until(() => this.isEnding || (this.#isReady && this.#haveAllReached(place)), this.#signal);
      if (this.isEnding) return;
      await this.onTarget(name, run).catch((error: unknown) => {
        if (!isPartOfCopy || this.#signal.aborted || outcomeOf(toReplicationError(error)) !== 'refused') throw error;
        this.#context.notice(`${name} of ${this.address.collection} was older than its copy and no longer fitted it.`);
      });
      this.#context.store.setOperationsUntil(this.id, ordinal);
      this.#operationsUntil = ordinal;
    })();
    const pending = { tick: place, done };
    this.#operations.add(pending);
    this.#lastOperation = done.catch(() => undefined);
    return done
      .catch((error: unknown) => {
        this.fail(error);
        throw error;
      })
      .finally(() => this.#operations.delete(pending));
  }

  /**
   * Partitions that the catalogue shows. They are made on the target unless their drop has been applied already. Not yet on
   * the target itself, the collection asks again later.
   */
  async addPartitions(partitions: readonly CatalogPartition[]): Promise<void> {
    // One after the other: a reading that is older must not end later.
    const added = this.#partitionLane.run(() => this.#addPartitions(partitions));
    this.#partitionsAdded = added;
    await added;
    if (this.#partitionsAdded === added) this.#partitionsAdded = undefined;
  }

  async #addPartitions(partitions: readonly CatalogPartition[]): Promise<void> {
    try {
      for (const { id, name } of partitions) {
        if (!this.#isReady || this.#phase !== 'created') return;
        if (!this.#droppedPartitions.has(id)) await this.ensurePartition(name);
      }
    } catch (error) {
      if (!this.#signal.aborted) this.fail(error);
    }
  }

  async applyEntries(lane: ShardLane, entries: readonly LogEntry[]): Promise<void> {
    let released = 0;
    try {
      if (!this.#isReady) {
        const predecessors = this.#context.predecessorsOf(this);
        if (predecessors.length > 0) {
          await lane.waitFor(Promise.all(predecessors.map((earlier) => earlier.whenDropped(this.#signal))));
        }
        await orAborted(this.ensureReady(), this.#signal);
      }
      for (let index = 0; index < entries.length;) {
        const end = endOfGroup(entries, index);
        const group = entries.slice(index, end);
        const [first] = group;
        if (first !== undefined) lane.reached(first.beginTick);
        await this.#applyGroup(lane, group);
        for (const entry of group) this.#context.release(entry);
        index = released = end;
      }
    } finally {
      for (const entry of entries.slice(released)) this.#context.release(entry);
    }
  }

  laneChanged(lane: ShardLane): void {
    this.#barriers.progressed();
    this.#conditions.changed();
    this.#context.laneChanged(lane);
    if (this.#copy === 'copied') this.#context.joinDue(this);
  }

  laneConfirmed(lane: ShardLane): void {
    this.#context.laneConfirmed(lane);
  }

  laneFailed(_lane: ShardLane, error: unknown): void {
    this.fail(error);
  }

  release(entry: LogEntry): void {
    this.#context.release(entry);
  }

  /** The collection stops at its last checkpoint, its memory is let go, and the reason is shown. */
  fail(thrown: unknown): void {
    if (this.#context.signal.aborted || this.#hasFailed) return;
    const error = toReplicationError(thrown);
    this.#hasFailed = true;
    this.#trouble = { error: error.toData(), hint: hintFor(error), since: this.#context.clock.now() };
    for (const lane of this.#lanes.values()) lane.stop();
    this.#stop.abort(error);
    this.#conditions.changed();
    this.#context.failed(this, error);
  }

  status(): CollectionStatus {
    const awaited = this.#barriers.awaited();
    const confirmed = this.vchannels.map((vchannel) =>
      timeTickToMs(this.#lanes.get(vchannel)?.confirmed.tick ?? TIME_TICK_ZERO),
    );
    return {
      id: this.id.toString(),
      database: this.address.database,
      name: this.address.collection,
      state: this.#state(),
      ...(awaited === undefined ? {} : { detail: `waits for ${awaited.length} of ${this.vchannels.length} shards` }),
      ...(this.#trouble === undefined ? {} : { trouble: this.#trouble }),
      ...(this.copyStatus === undefined ? {} : { copy: this.copyStatus }),
      ...this.#writer.counters,
      confirmedMs: Math.min(...confirmed),
      shardCount: this.vchannels.length,
    };
  }

  #state(): CollectionStatus['state'] {
    if (this.#hasFailed) return this.#trouble !== undefined && isHeld(this.#trouble.error.code) ? 'held' : 'failed';
    if (this.#trouble !== undefined) return 'blocked';
    if (this.#copy === 'copying') return 'copying';
    if (this.#copy === 'copied') return 'replaying';
    return this.#isReady && this.#copy !== 'due' ? 'following' : 'initializing';
  }

  async #applyGroup(lane: ShardLane, group: readonly LogEntry[]): Promise<void> {
    const deletes: DeleteRecord[] = [];
    const inserts: InsertRecord[] = [];
    for (const entry of group) {
      const record = await this.#context.contentOf(lane, entry);
      switch (record.kind) {
        case 'delete':
        case 'insert':
          if (this.#droppedPartitions.has(record.partitionId)) break;
          await this.ensurePartition(record.partitionName);
          if (record.kind === 'delete') deletes.push(record);
          else inserts.push(record);
          break;
        case 'createPartition':
          if (!this.#droppedPartitions.has(record.partitionId)) await this.ensurePartition(record.partitionName);
          break;
        case 'dropPartition':
          await this.#arriveAtPartitionDrop(lane, record.partitionId, record.partitionName, record.beginTick);
          break;
        case 'dropCollection':
          await lane.waitFor(
            this.#barriers.arrive('collection', record.beginTick, lane.vchannel, () => this.#drop(record.beginTick)),
          );
          break;
        case 'createCollection':
        case 'timeTick':
        case 'operation':
        case 'unknown':
          break;
      }
    }
    const isDoubtful = group.some((entry) => entry.ordinal <= lane.doubtfulUntil);
    if (deletes.length + inserts.length === 0) return;
    const last = group.reduce((highest, { ordinal }) => (ordinal > highest ? ordinal : highest), ORDINAL_NONE);
    await this.#context.intents.cover(lane, last);
    await this.#writer.write(deletes, inserts, isDoubtful);
  }

  async #arriveAtPartitionDrop(lane: ShardLane, id: PartitionId, name: string, tick: TimeTick): Promise<void> {
    // Dropped already, by the shards that came here before a restart: what bears the name now is another partition.
    if (this.#droppedPartitions.has(id)) return;
    const drop = async (): Promise<void> => {
      while (this.#hasCallsBefore(tick)) await this.#callsBefore(tick);
      await this.onTarget('dropPartition', (signal) => this.#context.target.dropPartition(this.address, name, signal));
      this.#context.store.addDroppedPartition(this.id, id);
      this.#droppedPartitions.add(id);
      this.#knownPartitions.delete(name);
      this.#context.partitionsWanted();
    };
    await lane.waitFor(this.#barriers.arrive(`partition ${id}`, tick, lane.vchannel, drop));
  }

  async ensurePartition(name: string): Promise<void> {
    if (name === '' || hasPartitionKey(this.schema) || this.#knownPartitions.has(name)) return;
    await this.onTarget('createPartition', (signal) =>
      this.#context.target.createPartition(this.address, name, signal),
    );
    this.#knownPartitions.add(name);
  }

  async #makeReady(): Promise<void> {
    const { target, store } = this.#context;
    const { database } = this.address;
    await this.#context.databaseLane(database).run(async () => {
      const found = await this.onTarget('describeCollection', (signal) =>
        target.describeCollection(this.address, signal),
      );
      if (this.#phase === 'created') {
        if (found === undefined || found.id !== this.#targetId) throw this.#targetChanged(found === undefined);
        for (const partition of found.partitions) this.#knownPartitions.add(partition);
        return;
      }
      const origin = this.#context.originOf(this.id);
      if (found !== undefined && !(this.#phase === 'creating' && found.origin === origin)) throw this.#nameTaken();
      if (found === undefined) {
        this.#setPhase('creating');
        await this.#context.ensureDatabase(database);
        await this.onTarget('createCollection', (signal) => this.#create(origin, signal));
      }
      const made =
        found ??
        (await this.onTarget('describeCollection', (signal) => target.describeCollection(this.address, signal)));
      if (made === undefined) throw this.#targetChanged(true);
      for (const partition of made.partitions) this.#knownPartitions.add(partition);
      this.#targetId = made.id;
      store.updateCollection(this.id, { phase: 'created', targetId: made.id });
      this.#phase = 'created';
    });
    if (this.schema.autoId) {
      this.#context.notice(
        `The source generates the keys of ${database}.${this.address.collection}. The copy keeps them, so key generation is off on the target.`,
      );
    }
  }

  async #create(origin: string, signal: AbortSignal): Promise<void> {
    const { schema, shardCount, consistencyLevel, properties, partitionKeyCount } = this.#stored;
    try {
      await this.#context.target.createCollection(
        { ...this.address, schema, shardCount, consistencyLevel, properties, partitionKeyCount, origin },
        signal,
      );
    } catch (error) {
      // The answer to an earlier attempt was lost, and it had succeeded.
      const isThere = error instanceof ReplicationError && error.code === 'alreadyExists';
      if (!isThere) throw error;
      const found = await this.#context.target.describeCollection(this.address, signal);
      if (found?.origin !== origin) throw this.#nameTaken();
    }
  }

  async #drop(tick: TimeTick): Promise<void> {
    while (this.#hasCallsBefore(tick)) await this.#callsBefore(tick);
    this.#dropTick = tick;
    this.#context.store.updateCollection(this.id, { phase: 'dropping', dropTick: tick });
    this.#phase = 'dropping';
    await this.#finishDrop();
  }

  async #finishDrop(): Promise<void> {
    const { target, store } = this.#context;
    await this.#context.databaseLane(this.address.database).run(async () => {
      const found = await this.onTarget('describeCollection', (signal) =>
        target.describeCollection(this.address, signal),
      );
      // By identity: a later collection of the same name is not ours to drop.
      if (found !== undefined && found.id === this.#targetId) {
        await this.onTarget('dropCollection', (signal) => target.dropCollection(this.address, signal));
      }
      store.updateCollection(this.id, { phase: 'dropped' });
      this.#phase = 'dropped';
    });
    for (const lane of this.#lanes.values()) lane.stop();
    this.#conditions.changed();
    this.#context.dropped(this);
  }

  /** Asked again right before a drop: what comes up while it waits is waited for as well. */
  #hasCallsBefore(tick: TimeTick): boolean {
    return this.#partitionsAdded !== undefined || [...this.#operations].some((operation) => operation.tick < tick);
  }

  async #callsBefore(tick: TimeTick): Promise<void> {
    const earlier = [...this.#operations].filter((operation) => operation.tick < tick).map(({ done }) => done);
    if (this.#partitionsAdded !== undefined) earlier.push(this.#partitionsAdded);
    await orAborted(Promise.allSettled(earlier), this.#signal);
  }

  /** Repeats a call after the policy, and shows what it is blocked by. */
  onTarget<T>(
    name: string,
    call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#context;
    return retrying((previous) => this.#context.tracked(call(this.#context.callSignal, previous)), this.#signal, {
      blocked: (error, pauseMs) => {
        if (this.#hasFailed) return;
        const since = this.#trouble?.since ?? clock.now();
        this.#trouble = { error: error.toData(), hint: hintFor(error), since, nextTryAt: clock.now() + pauseMs };
      },
      unblocked: () => {
        // The reason of a failure stays, whatever still succeeds beside it.
        if (!this.#hasFailed) this.#trouble = undefined;
      },
    }).then((result) => {
      this.#context.called(name);
      return result;
    });
  }

  #setPhase(phase: StoredCollection['phase']): void {
    this.#context.store.updateCollection(this.id, { phase });
    this.#phase = phase;
  }

  #guard(work: Promise<void>): void {
    work.catch((error: unknown) => this.fail(error));
  }

  #progressOf(vchannel: VChannel): TimeTick {
    return this.#lanes.get(vchannel)?.progress ?? TIME_TICK_ZERO;
  }

  #haveAllReached(tick: TimeTick): boolean {
    return this.vchannels.every((vchannel) => this.#progressOf(vchannel) >= tick);
  }

  #inTheWay(): ReplicationError {
    const { database, collection } = this.address;
    return new ReplicationError(
      'alreadyExists',
      'target',
      `An earlier collection ${database}.${collection} has stopped, and its copy is still on the target. Mend what stopped it, then resume.`,
      { context: { database, collection } },
    );
  }

  #nameTaken(): ReplicationError {
    const { database, collection } = this.address;
    return new ReplicationError(
      'alreadyExists',
      'target',
      `The target already has a collection ${database}.${collection} that this task did not make. Drop or rename it there, then resume.`,
      { context: { database, collection } },
    );
  }

  #targetChanged(isMissing: boolean): ReplicationError {
    const { database, collection } = this.address;
    const what = isMissing ? 'was dropped from the target' : 'was replaced on the target';
    return new ReplicationError(
      'targetChanged',
      'target',
      `The copy of ${database}.${collection} ${what} behind Lifeline's back. Begin a new task to copy it again.`,
      { context: { database, collection } },
    );
  }
}

/** Data messages of one timestamp belong together; every other message stands alone. */
function endOfGroup(entries: readonly LogEntry[], start: number): number {
  const first = entries[start];
  const isData = (entry: LogEntry | undefined): boolean => entry?.kind === 'insert' || entry?.kind === 'delete';
  let end = start + 1;
  if (!isData(first)) return end;
  while (isData(entries[end]) && entries[end]?.beginTick === first?.beginTick) end += 1;
  return end;
}
