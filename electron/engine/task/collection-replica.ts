/**
 * One collection of the source, by identity, with all that is done for it: its copy on the target, its shards, its
 * operations, its trouble. Two collections that bore one name one after the other are two replicas; the second is created
 * only after the first has been dropped.
 *
 * Not its job: reading, assembling, deciding which collections there are.
 */
import { isSameName } from '../../../shared/model/collection-name.ts';
import type { CollectionId, PartitionId, VChannel } from '../../../shared/model/ids.ts';
import type { KeyValue } from '../../../shared/model/key-value.ts';
import { firstOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { CopyState, StoredCollection, TaskStore } from '../../../shared/model/task-state.ts';
import type { CollectionStatus, CopyStatus, ShardStatus, Trouble } from '../../../shared/model/task-status.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import {
  asTimeTick,
  TIME_TICK_MAX,
  TIME_TICK_ZERO,
  timeTickToMs,
  type TimeTick,
} from '../../../shared/time/time-tick.ts';
import { parseCollectionSchema, type CollectionSchema } from '../codec/collection-schema.ts';
import type { FieldSlice, InsertRecord, WalRecord } from '../codec/records.ts';
import { joinSchema, withField } from '../codec/schema-rewrite.ts';
import { isHeld, hintFor } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import { retrying } from '../runtime/retry.ts';
import { Conditions, orAborted } from '../runtime/waiting.ts';
import type { CatalogPartition } from '../source/catalog/catalog.ts';
import type { KeySource } from '../source/rows/row-source.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { WatchedCopy } from './changed-copies.ts';
import { CallGate } from './call-gate.ts';
import { CollectionOperations, type OperationPlace } from './collection-operations.ts';
import { CollectionWriter, type OnTarget } from './collection-writer.ts';
import type { CopyLoops } from './copy-loops.ts';
import { checkDoubtful } from './doubt-check.ts';
import type { DoubtfulKeys } from './doubtful-keys.ts';
import { EntryApplier, type DropQuestion } from './entry-applier.ts';
import type { LogEntry } from './log-entry.ts';
import type { IntentMarks } from './intent-marks.ts';
import type { OpenDefinitions } from './open-definitions.ts';
import { decisionNeeded, type OperationJournal, type OperationQuestion } from './operation-journal.ts';
import type { ShardEntry } from './quarantine.ts';
import { ShardBarriers } from './shard-barrier.ts';
import type { LaneOwner, ShardLane } from './shard-lane.ts';
import { TargetCopy } from './target-copy.ts';
import type { WriteLease } from './write-lease.ts';
import type { WriteSlots } from './write-slots.ts';

export interface ReplicaContext {
  readonly target: Target;
  readonly targetRows: KeySource | undefined;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly lease: WriteLease;
  readonly slots: WriteSlots;
  readonly intents: IntentMarks;
  readonly openDefinitions: OpenDefinitions;
  readonly journal: OperationJournal;
  /** Resolves when the target may be written to: no other engine has taken it over. Right before each call. */
  readonly whenMayWrite: (signal: AbortSignal) => Promise<void>;
  /** Ends every wait, and every repetition. */
  readonly signal: AbortSignal;
  /** Ends calls that are under way: later than `signal`, since a write that was cut off may still happen. */
  readonly callSignal: AbortSignal;
  /** Awaited before the calls are ended. */
  tracked<T>(call: Promise<T>): Promise<T>;
  /** Written into the target's collection: whose copy it is. */
  originOf(id: CollectionId): string;
  /** Which task has made it. */
  readonly owner: string | undefined;
  targetOf(address: CollectionAddress): CollectionAddress;
  readonly loops: Pick<CopyLoops, 'assertNone' | 'chainOf'>;
  /** Collections that bore this name before and must be gone first. */
  predecessorsOf(replica: CollectionReplica): readonly CollectionReplica[];
  /** One at a time per database: making and removing the database and what is in it. */
  inDatabaseLane<T>(database: string, body: () => Promise<T>): Promise<T>;
  /** Makes it where it is missing. */
  ensureDatabase(database: string): Promise<void>;
  /** A person has decided that it is left out. */
  isSkipped(lane: ShardLane, entry: LogEntry): boolean;
  /** The target will never take it as it is. Resolves when that is recorded. */
  refused(replica: CollectionReplica, message: ShardEntry, error: ReplicationError): Promise<void>;
  /** The entry's content; read again from the broker where it was let go. */
  contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord>;
  release(entry: LogEntry): void;
  laneChanged(lane: ShardLane): void;
  laneConfirmed(lane: ShardLane): void;
  /** A call on the target was confirmed. */
  readonly called: (name: string) => void;
  /** Rows that the source stamped with `tick` were confirmed. */
  rowsConfirmed(tick: TimeTick): void;
  /** The collection is on the target, or a partition of it is gone: the catalogue may hold partitions to be made. */
  partitionsWanted(): void;
  /** A copied collection has moved on: it may be past its join. */
  joinDue(replica: CollectionReplica): void;
  /** Its copy is gone for good. */
  dropped(replica: CollectionReplica): void;
  /** A shard cannot go on: its collection is to stop. */
  laneFailed(replica: CollectionReplica, lane: ShardLane, error: unknown): void;
  /** The collection stops; the others go on. */
  failed(replica: CollectionReplica, error: ReplicationError): void;
  readonly notice: (text: string) => void;
  /** An operation of the log has had its effect. */
  operated(replica: CollectionReplica): void;
  /** Rows have columns of fields that the copy does not have: resolves when `missing` names none any more. @see AddedFields */
  fieldsNeeded(replica: CollectionReplica, missing: () => readonly FieldSlice[]): Promise<void>;
  /** The target has refused rows that were sent with that schema. @see AddedFields.refused */
  rowsRefused(replica: CollectionReplica, sentWith: CollectionSchema): Promise<boolean>;
  /** @see TargetCopyContext */
  freeName(address: CollectionAddress): Promise<void>;
  freeOfAliases(id: CollectionId): Promise<void>;
}

const WAITS_FOR: Readonly<Record<ShardLane['activity'], ShardStatus['waitsFor']>> = {
  idle: undefined,
  working: 'target',
  waiting: 'shards',
  stopped: undefined,
};

export class CollectionReplica implements LaneOwner {
  readonly id: CollectionId;
  /** Of its copy on the target: one object, which changes with the name. Whoever must keep a name copies it. */
  readonly address: CollectionAddress;
  readonly createTick: TimeTick;
  readonly vchannels: readonly VChannel[];
  /** Its copy was filled when the copy of its rows began. */
  readonly isRecopy: boolean;
  #properties: readonly KeyValue[];
  #schema: CollectionSchema;
  /** The same, as it is stored. */
  #schemaBytes: Uint8Array;
  readonly #context: ReplicaContext;
  readonly #targetCopy: TargetCopy;
  readonly #operations: CollectionOperations;
  readonly #applier: EntryApplier;
  readonly #writer: CollectionWriter;
  readonly #barriers: ShardBarriers;
  readonly #lanes = new Map<VChannel, ShardLane>();
  readonly #conditions = new Conditions();
  readonly #gate = new CallGate();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #trouble: Trouble | undefined;
  #hasFailed = false;
  #isDetached = false;
  #hasLeft = false;
  #successor: CollectionReplica | undefined;
  #stoppedBy: CollectionId | undefined;
  /** Calls of its own that are under way. */
  readonly #calls = new Set<Promise<unknown>>();
  readonly #storedTicks = new Map<VChannel, TimeTick>();
  #copy: CopyState;
  /** What the copy says of itself. */
  copyStatus: CopyStatus | undefined;

  constructor(context: ReplicaContext, stored: StoredCollection, droppedPartitions: Iterable<PartitionId>) {
    const schema = readSchema(stored, stored.schema);
    this.#context = context;
    this.id = stored.id;
    const address = { database: stored.database, collection: stored.name };
    this.address = address;
    this.createTick = stored.createTick;
    this.vchannels = stored.vchannels;
    this.#properties = stored.properties;
    this.#schema = schema;
    this.#schemaBytes = stored.schema;
    this.isRecopy = stored.isRecopy;
    this.#copy = stored.copy;
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
    this.#barriers = new ShardBarriers(stored.vchannels, (vchannel) => this.#progressOf(vchannel));
    const onTarget: OnTarget = (name, call, object) => this.onTarget(name, call, object);
    this.#writer = new CollectionWriter({
      ...context,
      address: this.address,
      schema,
      onTarget,
      signal: this.#signal,
      schemaRefused: (sentWith) => context.rowsRefused(this, sentWith),
      confirmed: (tick) => {
        // How late a replayed row is says nothing.
        if (this.#copy !== 'copied') context.rowsConfirmed(tick);
      },
    });
    this.#operations = new CollectionOperations(stored.id, stored.operationsUntil, {
      ...context,
      address: this.address,
      onTarget,
      signal: this.#signal,
      whenReached: (tick) => this.#whenReached(tick),
      isEnding: () => this.isEnding,
      operated: () => context.operated(this),
      copyUntil: () => this.#copyUntil(),
      passedOver: (name) =>
        context.notice(`${name} of ${stored.name} was older than its copy and no longer fitted it.`),
    });
    const copyContext = {
      ...context,
      onTarget,
      signal: this.#signal,
      whenOperationsDone: (tick: TimeTick) => this.#operations.whenDone(tick),
      whenWritesSettled: () => this.#writer.whenSettled(),
      changed: () => this.#copyChanged(),
    };
    this.#targetCopy = new TargetCopy(copyContext, stored, address, schema, droppedPartitions);
    this.#applier = new EntryApplier({
      ...context,
      copy: this.#targetCopy,
      writer: this.#writer,
      barriers: this.#barriers,
      whenReady: (lane) => this.#whenReady(lane),
      whenHasFields: (lane, record) => this.#whenHasFields(lane, record),
      decide: (drop) => context.journal.decide(this.#questionOf(drop), this.#signal),
      dropped: (drop, decision) => {
        const outcome = decision === 'apply' ? 'applied' : 'skipped';
        context.journal.record({ ...this.#questionOf(drop), at: context.clock.now(), outcome });
      },
      refused: (message, error) => context.refused(this, message, error),
    });
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Of its copy: grows with the source's. */
  get schema(): CollectionSchema {
    return this.#schema;
  }

  /** Where its copy stands: follows the name. */
  get targetAddress(): CollectionAddress {
    return this.#context.targetOf(this.address);
  }

  get isDropped(): boolean {
    return this.#targetCopy.isDropped;
  }

  /** Nothing of it was ever sent to the target. */
  get isPending(): boolean {
    return this.#targetCopy.phase === 'pending';
  }

  /** Its drop was begun, perhaps by an earlier run. */
  get isEnding(): boolean {
    return this.#targetCopy.isEnding;
  }

  /** It has stopped: for a reason that is shown, or to be taken up again by another in its place. */
  get hasFailed(): boolean {
    return this.#hasFailed || this.#isDetached;
  }

  /** The earlier collection of the same name whose copy is in its way. */
  get stoppedBy(): CollectionId | undefined {
    return this.#stoppedBy;
  }

  get copy(): CopyState {
    return this.#copy;
  }

  /** After the same was stored. */
  copyMoved(copy: CopyState): void {
    this.#copy = copy;
    this.#conditions.changed();
    // From now on it follows the catalogue too.
    if (copy === 'joined') this.#context.operated(this);
  }

  /** Its rows are (being) read: there are no shards of it to follow yet. */
  get isBeingCopied(): boolean {
    return this.#copy === 'due' || this.#copy === 'copying';
  }

  /** It follows the log, for good or till its end, its copy being ready for that. */
  get isJoined(): boolean {
    const hasJoined = this.#copy === 'none' || this.#copy === 'joined';
    // One that was never begun waits for its first record.
    const isMadeReady = this.#targetCopy.isReady || this.#targetCopy.phase === 'pending' || this.isEnding;
    return (hasJoined && isMadeReady) || this.isDropped;
  }

  /** Resolves when it does; or has failed. */
  async whenJoined(signal: AbortSignal): Promise<void> {
    await this.#conditions.until(() => this.isJoined || this.hasFailed, signal);
  }

  /** Up to there the copy, in part or whole, has read what came of operations. */
  #copyUntil(): TimeTick {
    if (this.#copy === 'none') return TIME_TICK_ZERO;
    if (this.#copy !== 'joined') return TIME_TICK_MAX;
    const joined = this.#context.store.joins().find(({ collectionId }) => collectionId === this.id.toString());
    const ticks = joined?.shards.map(({ joinedTick }) => BigInt(joinedTick)) ?? [];
    return asTimeTick(ticks.reduce((latest, tick) => (tick > latest ? tick : latest), 0n));
  }

  /** Its copy on the target, where there is one that must stay as it is. */
  watchedCopy(): WatchedCopy | undefined {
    const { targetId, targetCreateTick, phase } = this.#targetCopy;
    const { isBeingRenamed } = this.#targetCopy;
    if (phase !== 'created' || targetId === undefined || this.hasFailed || isBeingRenamed) return undefined;
    const source = this.#targetStatus().target === undefined ? {} : { source: { ...this.address } };
    return { id: this.id, address: { ...this.targetAddress }, ...source, targetId, targetCreateTick };
  }

  get writer(): CollectionWriter {
    return this.#writer;
  }

  /** Whether the collection existed at the source at that time, as far as its log has been applied. */
  isAliveAt(tick: TimeTick): boolean {
    const { dropTick } = this.#targetCopy;
    return this.createTick <= tick && (dropTick === undefined || tick < dropTick);
  }

  addLane(lane: ShardLane): void {
    this.#lanes.set(lane.vchannel, lane);
  }

  lanes(): Iterable<ShardLane> {
    return this.#lanes.values();
  }

  /** It was gone from the source before its copy began: there is nothing of it, and will be nothing. */
  passedOver(): void {
    this.#targetCopy.passedOver();
  }

  /** Takes up what a crash may have left half done. Collections that were never begun wait for their first record. */
  resume(): void {
    const { phase } = this.#targetCopy;
    if (phase === 'dropping') this.#guard(this.#targetCopy.repeatDrop());
    // Whether a filled copy is to be made ready at all, its copy finds out.
    if (this.isRecopy && this.isBeingCopied) return;
    if (phase === 'created' || phase === 'creating') this.#guard(this.ensureReady());
  }

  /** The copy exists on the target and is ours. Shared by all who ask. */
  ensureReady(): Promise<void> {
    return this.#targetCopy.ensureReady();
  }

  ensurePartition(name: string): Promise<void> {
    return this.#targetCopy.ensurePartition(name);
  }

  /** @see TargetCopy */
  dropPartitionsBut(list: () => Promise<ReadonlySet<string> | undefined>): Promise<void> {
    return this.#targetCopy.dropPartitionsBut(list);
  }

  /** Partitions that the catalogue shows. A failure is the collection's own. */
  async addPartitions(partitions: readonly CatalogPartition[]): Promise<void> {
    try {
      await this.#targetCopy.addPartitions(partitions);
    } catch (error) {
      if (!this.#signal.aborted) this.fail(error);
    }
  }

  /** Resolves when the copy has been dropped for good. Rejects when the collection has failed, so that it never will be. */
  async whenDropped(signal: AbortSignal): Promise<void> {
    const isSettled = () => this.isDropped || this.#hasFailed || this.#hasLeft || this.#successor !== undefined;
    await this.#conditions.until(isSettled, signal);
    if (this.#successor !== undefined) await this.#successor.whenDropped(signal);
    else if (this.#hasFailed) throw this.#inTheWay();
  }

  /** Resolves when it no longer bears the name: dropped, or renamed. Rejects as `whenDropped`. */
  whenAway(name: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#whenAway((address) => !isSameName(address, name), signal);
  }

  /** Resolves when it is no longer in the database. Rejects as `whenDropped`. */
  whenOutOf(database: string, signal: AbortSignal): Promise<void> {
    return this.#whenAway((address) => address.database !== database, signal);
  }

  async #whenAway(isElsewhere: (address: CollectionAddress) => boolean, signal: AbortSignal): Promise<void> {
    const isAway = () => isElsewhere(this.address);
    const isSettled = () =>
      isAway() || this.isDropped || this.#hasFailed || this.#hasLeft || this.#successor !== undefined;
    await this.#conditions.until(isSettled, signal);
    if (isAway()) return;
    if (this.#successor !== undefined) await this.#successor.#whenAway(isElsewhere, signal);
    else if (this.#hasFailed) throw this.#inTheWay();
  }

  /** Runs an operation of the operation channel in its place. @see CollectionOperations */
  async operation(
    place: OperationPlace,
    name: string,
    run: (signal: AbortSignal) => Promise<string | undefined>,
  ): Promise<void> {
    try {
      await this.#operations.run(place, name, run);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /** Its copy is there, and nothing but the log and the catalogue changes it. */
  get isFollowing(): boolean {
    const isJoined = this.#copy === 'none' || this.#copy === 'joined';
    return this.#targetCopy.isReady && isJoined && !this.isEnding && !this.hasFailed;
  }

  /** Whether its copy is there is not known yet. */
  get isBeingMade(): boolean {
    return this.#targetCopy.phase === 'creating' && !this.#targetCopy.isReady;
  }

  /** A step that the catalogue asks for, in one line with the operations of the log. @see CollectionOperations.step */
  step(body: () => Promise<void>): Promise<void> {
    return this.#operations.step(body);
  }

  /** Its copy is there, and may be given fields. */
  get takesFields(): boolean {
    return this.#targetCopy.isReady && !this.isEnding && !this.hasFailed;
  }

  /** Beside that line. @see CollectionOperations.beside */
  beside(body: () => Promise<void>): Promise<void> {
    return this.#operations.beside(body);
  }

  /** Of the source's, those that its copy has been given. */
  get properties(): readonly KeyValue[] {
    return this.#properties;
  }

  propertiesBrought(properties: readonly KeyValue[]): void {
    if (JSON.stringify(properties) === JSON.stringify(this.#properties)) return;
    this.#context.store.setProperties(this.id, properties);
    this.#properties = properties;
  }

  /** The copy has it, and so has every write from now on. `field`: serialized `schema.FieldSchema` of the source. */
  fieldAdded(field: Uint8Array): void {
    this.#schemaIs(joinSchema(this.#schemaBytes, [field]));
  }

  /** Settings of the copy's field are others from now on. `field`: as above. */
  fieldAltered(field: Uint8Array): void {
    this.#schemaIs(withField(this.#schemaBytes, field));
  }

  #schemaIs(bytes: Uint8Array): void {
    const { database, collection: name } = this.address;
    const schema = readSchema({ database, name }, bytes);
    this.#context.store.setSchema(this.id, bytes);
    this.#schemaBytes = bytes;
    this.#schema = schema;
    this.#writer.schemaChanged(schema);
  }

  /** In this run columns of the field are left out of every write. */
  leaveOutField(id: bigint): void {
    this.#writer.leaveOutField(id);
  }

  leavesOutField(id: bigint): boolean {
    return this.#writer.leavesOutField(id);
  }

  /** Nearly always at once. */
  async #whenHasFields(lane: ShardLane, record: InsertRecord): Promise<void> {
    if (this.#writer.unknownColumns(record).length === 0) return;
    const missing = () => this.#writer.unknownColumns(record);
    // Perhaps for a person's answer: the others of its channel are read on meanwhile.
    await lane.waitFor(orAborted(this.#context.fieldsNeeded(this, missing), this.#signal));
  }

  /** In a step. Calls of its own that are under way end first, and none begins meanwhile. */
  async rename(to: CollectionAddress): Promise<void> {
    const closed = await this.#gate.close(this.#signal);
    try {
      await this.#writer.whenSettled();
      const object = `${this.address.database}/${this.address.collection}`;
      await this.#targetCopy.rename(to, (name, call) => this.#attempts(name, call, object));
    } finally {
      closed[Symbol.dispose]();
    }
  }

  /** @see TargetCopy.willBeNamed */
  willBeNamed(to: CollectionAddress): void {
    this.#targetCopy.willBeNamed(to);
  }

  /**
   * The catalogue has proven its end, and every shard is past the place at which that was read. `leave`: it was decided that the
   * copy stays.
   */
  endProven(decision: 'drop' | 'leave'): Promise<void> {
    const progress = this.vchannels.map((vchannel) => this.#progressOf(vchannel));
    const latest = progress.reduce((last, tick) => (tick > last ? tick : last), this.createTick);
    const tick = asTimeTick(latest + 1n);
    return decision === 'drop' ? this.#targetCopy.drop(tick) : this.#targetCopy.leave(tick);
  }

  /** The same of a partition, whose name no other one bears. */
  partitionEndProven(id: PartitionId, name: string): Promise<void> {
    return this.#targetCopy.dropEndedPartition(id, name);
  }

  /** Its rows stay, as decided. */
  leaveEndedPartition(id: PartitionId): void {
    this.#targetCopy.leaveEndedPartition(id);
  }

  /** The copy has a partition of that name, and the drop of this one has not been applied. */
  hasPartition(id: PartitionId, name: string): boolean {
    return this.#targetCopy.hasPartition(id, name);
  }

  /** Resolves when `isPast` says yes to where each shard resumes: true; or the collection has ended or stopped: false. */
  async whenConfirmedPast(
    isPast: (vchannel: VChannel, next: MessageOrdinal) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const isThere = (vchannel: VChannel): boolean => {
      const lane = this.#lanes.get(vchannel);
      return lane !== undefined && isPast(vchannel, firstOrdinal(lane.confirmed.resume));
    };
    const isOver = (): boolean => this.isEnding || this.hasFailed;
    await this.#conditions.until(() => isOver() || this.vchannels.every((shard) => isThere(shard)), signal);
    return !isOver();
  }

  /** Ends all that is done for it, to be taken up again by another in its place. */
  detach(): void {
    this.#isDetached = true;
    this.#halt(new Error('The collection is taken up again.'));
  }

  /** Resolves when no call of its own is under way. After it has stopped. */
  async whenQuiet(): Promise<void> {
    while (this.#calls.size > 0) await Promise.allSettled(this.#calls);
  }

  /** The task no longer replicates it, and never drops its copy. After it was detached. */
  left(): void {
    this.#hasLeft = true;
    this.#conditions.changed();
  }

  /** Whoever waits for this one waits for the other. */
  replacedBy(successor: CollectionReplica): void {
    this.#successor = successor;
    this.#conditions.changed();
  }

  applyEntries(lane: ShardLane, entries: readonly LogEntry[]): Promise<void> {
    return this.#applier.apply(lane, entries);
  }

  /** Resolves when no earlier collection bears its name on the target any more. Rejects where one that does has failed. */
  async whenNameFree(): Promise<void> {
    for (;;) {
      const predecessors = this.#context.predecessorsOf(this);
      if (predecessors.length === 0) return;
      const name = { ...this.address };
      const away = Promise.all(predecessors.map((earlier) => earlier.whenAway(name, this.#signal)));
      // It may be given another name itself meanwhile.
      const named = this.#conditions.until(() => !isSameName(this.address, name), this.#signal);
      away.catch(() => undefined);
      named.catch(() => undefined);
      await Promise.race([away, named]);
    }
  }

  async #whenReady(lane: ShardLane): Promise<void> {
    if (this.#context.predecessorsOf(this).length > 0) await lane.waitFor(this.whenNameFree());
    await orAborted(this.ensureReady(), this.#signal);
  }

  /** Every change before `tick` is applied: true; or the collection is being dropped: false. */
  async #whenReached(tick: TimeTick): Promise<boolean> {
    const isReached = () =>
      this.#targetCopy.isReady && this.vchannels.every((shard) => this.#progressOf(shard) >= tick);
    await this.#conditions.until(() => this.isEnding || isReached(), this.#signal);
    return !this.isEnding;
  }

  #copyChanged(): void {
    if (this.isDropped) for (const lane of this.#lanes.values()) lane.stop();
    this.#conditions.changed();
    if (this.isDropped) this.#context.dropped(this);
  }

  laneChanged(lane: ShardLane): void {
    this.#barriers.progressed();
    this.#conditions.changed();
    this.#context.laneChanged(lane);
    if (this.#copy === 'copied') this.#context.joinDue(this);
  }

  checkDoubtful(keys: DoubtfulKeys): Promise<void> {
    const { targetRows, notice, clock } = this.#context;
    return checkDoubtful(
      {
        targetRows,
        notice,
        clock,
        address: this.address,
        schema: this.schema,
        onTarget: (...args) => this.onTarget(...args),
      },
      keys,
    );
  }

  laneConfirmed(lane: ShardLane): void {
    this.#context.laneConfirmed(lane);
  }

  laneFailed(lane: ShardLane, error: unknown): void {
    this.#context.laneFailed(this, lane, error);
  }

  release(entry: LogEntry): void {
    this.#context.release(entry);
  }

  #questionOf({ operation, tick, partitionId, object }: DropQuestion): OperationQuestion {
    const { database, collection: name } = this.address;
    return {
      id: partitionId === undefined ? `drop/${this.id}` : `drop/${this.id}/${partitionId}`,
      tick,
      source: 'log',
      operation,
      database,
      collection: { id: this.id, name },
      object,
      holdsRows: true,
    };
  }

  /** The collection stops at its last checkpoint, its memory is let go, and the reason is shown. */
  fail(thrown: unknown): void {
    if (this.#context.signal.aborted || this.hasFailed) return;
    const error = toReplicationError(thrown);
    this.#hasFailed = true;
    this.#trouble = { error: error.toData(), hint: hintFor(error), since: this.#context.clock.now() };
    if (thrown instanceof InTheWay) this.#stoppedBy = thrown.collectionId;
    this.#halt(error);
    this.#context.failed(this, error);
  }

  #halt(reason: Error): void {
    for (const lane of this.#lanes.values()) lane.stop();
    this.#stop.abort(reason);
    this.#conditions.changed();
  }

  status(): CollectionStatus {
    const awaited = this.#barriers.awaited();
    const question = this.#hasFailed ? undefined : this.#context.journal.waitingOf(this.id);
    const isHeldBack = question?.holdsRows === true;
    // What has failed comes first, as does what keeps rows from going on.
    const trouble = isHeldBack ? this.#asTrouble(question) : (this.#trouble ?? this.#asTrouble(question));
    const shards = this.vchannels.map((vchannel) => this.#shardStatus(vchannel));
    return {
      id: this.id.toString(),
      database: this.address.database,
      name: this.address.collection,
      state: isHeldBack ? 'held' : this.#state(),
      ...this.#targetStatus(),
      ...(awaited === undefined ? {} : { detail: `waits for ${awaited.length} of ${this.vchannels.length} shards` }),
      ...(trouble === undefined ? {} : { trouble }),
      ...(this.copyStatus === undefined ? {} : { copy: this.copyStatus }),
      ...this.#writer.counters,
      confirmedMs: Math.min(...shards.map(({ confirmedMs }) => confirmedMs)),
      shards,
      shardCount: this.vchannels.length,
    };
  }

  #targetStatus(): Pick<CollectionStatus, 'target'> {
    const { database, collection } = this.targetAddress;
    return isSameName(this.targetAddress, this.address) ? {} : { target: { database, name: collection } };
  }

  /** An operation of it waits for a person. */
  #asTrouble(question: OperationQuestion | undefined): Trouble | undefined {
    if (question === undefined) return undefined;
    const error = decisionNeeded(question);
    return { error: error.toData(), hint: hintFor(error), since: this.#context.journal.askedAt(question) };
  }

  #shardStatus(vchannel: VChannel): ShardStatus {
    const lane = this.#lanes.get(vchannel);
    const waitsFor = lane === undefined ? undefined : WAITS_FOR[lane.activity];
    return {
      vchannel,
      confirmedMs: timeTickToMs(lane?.confirmed.tick ?? this.#storedTicks.get(vchannel) ?? TIME_TICK_ZERO),
      ...(waitsFor === undefined ? {} : { waitsFor }),
    };
  }

  /** Where its shards stood when it was taken up. */
  takenUpAt(vchannel: VChannel, tick: TimeTick): void {
    this.#storedTicks.set(vchannel, tick);
  }

  #state(): CollectionStatus['state'] {
    if (this.#hasFailed) return this.#trouble !== undefined && isHeld(this.#trouble.error.code) ? 'held' : 'failed';
    if (this.#trouble !== undefined) return 'blocked';
    if (this.#copy === 'copying') return 'copying';
    if (this.#copy === 'copied') return 'replaying';
    return this.#targetCopy.isReady && this.#copy !== 'due' ? 'following' : 'initializing';
  }

  /**
   * Repeats a call after the policy, and shows what it is blocked by. `object`: what a definition is about, where it is not
   * the collection.
   */
  onTarget<T>(
    name: string,
    call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
    object = `${this.address.database}/${this.address.collection}`,
  ): Promise<T> {
    return this.#attempts(
      name,
      async (signal, previous) => {
        const inside = await this.#gate.enter(this.#signal);
        try {
          return await call(signal, previous);
        } finally {
          inside[Symbol.dispose]();
        }
      },
      object,
    );
  }

  #attempts<T>(
    name: string,
    call: (signal: AbortSignal, previous: ReplicationError | undefined) => Promise<T>,
    object = `${this.address.database}/${this.address.collection}`,
  ): Promise<T> {
    const { clock, openDefinitions, callSignal, called, whenMayWrite } = this.#context;
    const attempt = async (previous: ReplicationError | undefined): Promise<T> => {
      await openDefinitions.whenSettled(object, name, this.#signal);
      await whenMayWrite(this.#signal);
      return openDefinitions.sent(object, name, () => this.#tracked(call(callSignal, previous)));
    };
    return retrying(attempt, this.#signal, {
      blocked: (error, pauseMs) => {
        if (this.hasFailed) return;
        const since = this.#trouble?.since ?? clock.now();
        this.#trouble = { error: error.toData(), hint: hintFor(error), since, nextTryAt: clock.now() + pauseMs };
      },
      unblocked: () => {
        // The reason of a failure stays, whatever still succeeds beside it.
        if (!this.#hasFailed) this.#trouble = undefined;
      },
    }).then((result) => {
      called(name);
      return result;
    });
  }

  #tracked<T>(call: Promise<T>): Promise<T> {
    const settled = call.catch(() => undefined);
    this.#calls.add(settled);
    void settled.finally(() => this.#calls.delete(settled));
    return this.#context.tracked(call);
  }

  #guard(work: Promise<void>): void {
    work.catch((error: unknown) => this.fail(error));
  }

  #progressOf(vchannel: VChannel): TimeTick {
    return this.#lanes.get(vchannel)?.progress ?? TIME_TICK_ZERO;
  }

  #inTheWay(): ReplicationError {
    return new InTheWay(this.id, this.address);
  }
}

function readSchema(
  { database, name }: Pick<StoredCollection, 'database' | 'name'>,
  bytes: Uint8Array,
): CollectionSchema {
  const schema = parseCollectionSchema(bytes);
  if (!('kind' in schema)) return schema;
  throw new ReplicationError(
    'malformedMessage',
    'source',
    `The schema of ${database}.${name} cannot be read: ${schema.what}. Report this collection's schema.`,
  );
}

class InTheWay extends ReplicationError {
  readonly collectionId: CollectionId;

  constructor(id: CollectionId, { database, collection }: CollectionAddress) {
    super(
      'alreadyExists',
      'target',
      `An earlier collection ${database}.${collection} has stopped, and its copy is still on the target. Mend what stopped it, then retry it: this one goes on by itself.`,
      { context: { database, collection } },
    );
    this.collectionId = id;
  }
}
