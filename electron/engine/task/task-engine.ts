/**
 * One task, running: opens the source's log and catalogue and the target, takes up the stored state, and keeps a
 * follower per channel going until it is stopped. It wires and watches; reading, ordering and writing are elsewhere.
 */
import type { CollectionId, PChannel, VChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal, ORDINAL_NONE, type MessageOrdinal, type ResumePoint } from '../../../shared/model/position.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type {
  StoredChannel,
  StoredCollection,
  StoredShard,
  StoredTask,
  TaskStore,
} from '../../../shared/model/task-state.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import type { CreateCollectionRecord, OperationRecord, WalRecord } from '../codec/records.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ReadBudget } from '../runtime/read-budget.ts';
import { retrying } from '../runtime/retry.ts';
import { orAborted, pause, SerialLane } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import type { ChannelBounds, Wal } from '../source/wal/wal.ts';
import type { Target } from '../target/target.ts';
import {
  assertSameSource,
  firstState,
  newChannel,
  readSourceIdentity,
  shardsFromCreation,
  toStoredCollection,
} from './begin-task.ts';
import { BirthRegistrar } from './birth-registrar.ts';
import { ChannelFollower, type FollowerContext } from './channel-follower.ts';
import { catchUp } from './catch-up.ts';
import { CheckpointTracker } from './checkpoint-tracker.ts';
import { CollectionRegistry } from './collection-registry.ts';
import { CollectionReplica, type ReplicaContext } from './collection-replica.ts';
import { CopyRunner, type CopiedReplica } from './copy-runner.ts';
import { IntentMarks } from './intent-marks.ts';
import { lastChange } from './log-end.ts';
import { joinCertificate } from './join-certificate.ts';
import type { LogEntry } from './log-entry.ts';
import type { StartPoint } from '../../../shared/model/start-point.ts';
import type { RowSource } from '../source/rows/row-source.ts';
import { WriteLease } from './write-lease.ts';
import { OperationExecutor } from './operation-executor.ts';
import { OperationFollower } from './operation-follower.ts';
import { ShardLane } from './shard-lane.ts';
import { StatusBoard } from './status-board.ts';

/** A write takes milliseconds, a bad day's write seconds. */
const DRAIN_TIMEOUT_MS = 30_000;
/** Between two readings of the whole catalogue; a burst of changes is one reading. */
const CATALOG_PAUSE_MS = 500;

/** The task has changed its own stored state and must be started over. Nothing is wrong. */
export class RestartNeeded extends Error {
  override readonly name = 'RestartNeeded';
}

export interface TaskEngineOptions {
  readonly taskId: string;
  readonly rootPath: string;
  readonly walKind: string;
  readonly budgetBytes: number;
  /** Time for calls under way when the task is stopped; 30 s unless given. */
  readonly drainTimeoutMs?: number;
  /** Where a new task begins. */
  readonly start: StartPoint;
}

export interface TaskEngineParts {
  readonly wal: Wal;
  readonly catalog: Catalog;
  /** Reads the source's rows; absent where its address is not known. */
  readonly rows?: RowSource | undefined;
  readonly target: Target;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class TaskEngine {
  readonly #options: TaskEngineOptions;
  readonly #parts: TaskEngineParts;
  readonly #board: StatusBoard;
  readonly #budget: ReadBudget;
  readonly #registry = new CollectionRegistry();
  readonly #followers = new Map<PChannel, ChannelFollower>();
  readonly #followerOf = new Map<VChannel, ChannelFollower>();
  readonly #databaseLanes = new Map<string, SerialLane>();
  readonly #dropped = new Set<CollectionId>();
  /** Ends every wait and every loop: the caller's stop, or a failure that the task cannot survive. */
  readonly #end = new AbortController();
  /** Ends calls on the target, after they have had their time: a write that was cut off may still happen. */
  readonly #endCalls = new AbortController();
  readonly #calls = new Set<Promise<unknown>>();
  /** Made by this task, now or earlier. */
  readonly #ownDatabases = new Set<string>();
  /** Seen on the target in this run. */
  readonly #knownDatabases = new Set<string>(['default']);
  readonly #running = new Set<Promise<unknown>>();
  readonly #births: BirthRegistrar;
  readonly #catalogReadings = new SerialLane();
  /** Its channels are known and are being read. */
  readonly #started = Promise.withResolvers<void>();
  #operations: OperationFollower | undefined;
  #isReadingDue = false;
  #tracker: CheckpointTracker | undefined;
  #lease: WriteLease | undefined;
  readonly #intents: IntentMarks;
  readonly #copies: CopyRunner;
  /** Shards that are read apart from their channels; settled when they no longer are. */
  readonly #catchUps = new Set<Promise<void>>();
  readonly #joins = new Map<CollectionId, CopiedReplica>();
  #etcdClusterId = '';

  constructor(options: TaskEngineOptions, parts: TaskEngineParts) {
    this.#options = options;
    this.#parts = parts;
    this.#budget = new ReadBudget(options.budgetBytes);
    this.#board = new StatusBoard(parts.clock);
    this.#births = new BirthRegistrar(parts.catalog, parts.wal, parts.logger);
    this.#intents = new IntentMarks(parts.store);
    this.#copies = new CopyRunner({
      ...parts,
      rows: parts.rows,
      mayLoad: options.start.kind === 'copy' && options.start.mayLoad,
      signal: this.#end.signal,
      observer: (place) => this.#board.observer(place),
      predecessorsOf: (replica) => this.#registry.predecessorsOf(replica),
      copied: (copy) => this.#guard(this.#follow(copy)),
    });
  }

  status(): TaskStatus {
    return this.#board.snapshot({
      taskId: this.#options.taskId,
      collections: [...this.#registry.all()].map((replica) => replica.status()),
      operationsPending: this.#operations?.pendingCount ?? 0,
      budgetUsedBytes: this.#budget.usedBytes,
      budgetPeakBytes: this.#budget.peakBytes,
    });
  }

  /**
   * Runs until `signal` aborts (resolves, checkpoints stored, nothing closed: the parts are the caller's), or until the
   * task cannot go on (rejects). A collection or channel that cannot go on does not end the task.
   */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#end.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#start();
      this.#board.started();
      this.#started.resolve();
      await orAborted(new Promise<never>(() => undefined), this.#end.signal);
    } catch (error) {
      if (!signal.aborted) {
        this.#end.abort(error);
        if (!(error instanceof RestartNeeded)) this.#board.failed(toReplicationError(error));
        throw error;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      await this.#drain();
      this.#storeLast();
    }
  }

  /** Calls that are under way end by themselves, or are ended when they take too long; then all that waited for them. */
  async #drain(): Promise<void> {
    const timeoutMs = this.#options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS;
    const within = (work: Iterable<Promise<unknown>>): Promise<unknown> =>
      orAborted(Promise.allSettled(work), AbortSignal.timeout(timeoutMs)).catch(() => undefined);
    await within(this.#calls);
    this.#endCalls.abort(this.#end.signal.reason);
    await within(this.#running);
    // Lanes go on once more, to their own end.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #storeLast(): void {
    try {
      this.#tracker?.flush();
      // One that is still under way may land yet.
      if (this.#calls.size === 0) this.#lease?.end();
    } catch (error) {
      // Whatever ended the task is what the operator must hear of; the old checkpoints are as good.
      this.#parts.logger.error({ err: error }, 'The last checkpoints could not be stored.');
    } finally {
      this.#tracker?.close();
    }
  }

  #tracked<T>(call: Promise<T>): Promise<T> {
    const settled = call.catch(() => undefined);
    this.#calls.add(settled);
    void settled.finally(() => this.#calls.delete(settled));
    return call;
  }

  /**
   * Resolves when every change that stands in the source's log now is confirmed by the target. Rejects when a
   * collection or channel can no longer get there.
   */
  async whenLevel(signal: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([signal, this.#end.signal]);
    const failure = this.#board.whenFailed(stop);
    const level = (async () => {
      await orAborted(this.#started.promise, stop);
      if (this.#operations !== undefined) {
        await this.#operations.whenConfirmed(await this.#latest(this.#operations.channel), stop);
      }
      const ends = await Promise.all(
        [...this.#followers.values()].map(async (follower) => ({
          follower,
          end: await this.#latest(follower.channel),
        })),
      );
      const whenConfirmed = () => Promise.all(ends.map(({ follower, end }) => follower.whenConfirmed(end, stop)));
      await whenConfirmed();
      await Promise.all([...this.#registry.all()].map((replica) => replica.whenJoined(stop)));
      // Behind its join a shard may still be read apart from its channel, which knows nothing of it.
      await orAborted(Promise.all(this.#catchUps), stop);
      await whenConfirmed();
      // A drop that an earlier run began has no shard left that could wait for it.
      const ending = [...this.#registry.all()].filter((replica) => replica.isEnding);
      await Promise.all(ending.map((replica) => replica.whenDropped(stop)));
      const { partitions } = await this.#catalogReadings.run(() => this.#readCatalog());
      await orAborted(partitions, stop);
    })();
    await Promise.race([level, failure]);
  }

  async #start(): Promise<void> {
    const { catalog, wal, target, store } = this.#parts;
    const { rootPath, walKind } = this.#options;
    const stored = await retrying(
      async (): Promise<StoredTask> => {
        const [identity] = await Promise.all([
          readSourceIdentity(catalog, wal, { rootPath, walKind }),
          target.probe(this.#end.signal),
        ]);
        const known = store.load();
        if (known !== undefined) {
          assertSameSource(known.source, identity);
          return known;
        }
        const first = await firstState(catalog, wal, identity, this.#options.start);
        return { ...first, epoch: store.begin(first), databases: [], droppedPartitions: [], writesUntilMs: 0 };
      },
      this.#end.signal,
      this.#board.observer('start'),
    );
    this.#etcdClusterId = stored.source.etcdClusterId;
    for (const database of stored.databases) this.#ownDatabases.add(database);
    this.#tracker = new CheckpointTracker(store, stored.epoch, (error) => this.#end.abort(error));
    this.#lease = new WriteLease(store, this.#parts.clock, stored.writesUntilMs);
    await this.#takeUp(stored);
    catalog.watch(() => this.#catalogChanged(), this.#end.signal);
  }

  async #takeUp(stored: StoredTask): Promise<void> {
    const { wal } = this.#parts;
    const { signal } = this.#end;
    const operationChannel = await retrying(() => wal.operationChannel(), signal, this.#board.observer('start'));
    for (const channel of stored.channels) {
      if (channel.channel === operationChannel) {
        this.#operations = new OperationFollower(this.#operationContext(), channel);
        continue;
      }
      this.#addFollower(channel);
    }
    for (const collection of stored.collections) {
      if (collection.phase === 'dropped') this.#dropped.add(collection.id);
      else this.#addReplica(collection, stored);
    }
    for (const shard of stored.shards) await this.#takeUpShard(shard);
    for (const replica of this.#registry.all()) replica.resume();
    for (const follower of this.#followers.values()) this.#runFollower(follower);
    this.#runOperations();
    for (const replica of this.#registry.all()) this.#takeUpCopy(replica, stored);
  }

  #runOperations(): void {
    const operations = this.#operations;
    if (operations !== undefined) this.#track(operations.run(), (error) => this.#end.abort(error));
  }

  #takeUpCopy(replica: CollectionReplica, stored: StoredTask): void {
    if (replica.hasFailed || replica.isEnding) return;
    const shards = stored.shards.filter((shard) => shard.collectionId === replica.id);
    if (replica.isBeingCopied) {
      this.#copies.add({ replica, shards });
    } else if (replica.copy === 'copied') {
      this.#guard(this.#followAgain(replica, shards));
    }
  }

  /** A copy that an earlier run ended. What it wrote since may have moved the intent behind E: the join is later then. */
  async #followAgain(replica: CollectionReplica, shards: readonly StoredShard[]): Promise<void> {
    const { wal, clock } = this.#parts;
    const { signal } = this.#end;
    const ends = new Map<VChannel, MessageOrdinal>();
    for (const { vchannel, channel, intent } of shards) {
      const last = () => lastChange(wal, channel, intent ?? ORDINAL_NONE, signal);
      ends.set(vchannel, await retrying(last, signal, this.#board.observer(channel)));
    }
    const now = clock.now();
    await this.#follow({ replica, shards, ends, copyBeganMs: now, copyEndedMs: now });
  }

  /** From S to where the channels are read, and through the join. */
  async #follow(copy: CopiedReplica): Promise<void> {
    const { replica, shards } = copy;
    try {
      this.#joins.set(replica.id, copy);
      const catchUps = shards.map((shard) => {
        const main = this.#followers.get(shard.channel);
        if (main === undefined) throw channelGone(shard.channel);
        const lane = new ShardLane(
          replica,
          shard.vchannel,
          shard.checkpoint,
          shard.intent ?? ORDINAL_NONE,
          replica.signal,
        );
        replica.addLane(lane);
        const caughtUp = catchUp({
          context: this.#followerContext(shard.channel),
          lane,
          main,
          followed: (by) => this.#followerOf.set(shard.vchannel, by),
        });
        // Should what follows throw first, its own failure is no reason to end the process.
        const settled = caughtUp.catch(() => undefined);
        this.#catchUps.add(settled);
        void settled.finally(() => this.#catchUps.delete(settled));
        return caughtUp;
      });
      this.#joinDue(replica);
      await Promise.all(catchUps);
    } catch (error) {
      replica.fail(error);
    }
  }

  /** A shard has joined when it resumes behind E: at the first tick there, or where nothing was written meanwhile. */
  #joinDue(replica: CollectionReplica): void {
    const pending = this.#joins.get(replica.id);
    if (pending === undefined) return;
    const lanes = [...replica.lanes()];
    const hasJoined = ({ vchannel, confirmed }: ShardLane): boolean =>
      firstOrdinal(confirmed.resume) > (pending.ends.get(vchannel) ?? ORDINAL_NONE);
    if (lanes.length < pending.shards.length || !lanes.every(hasJoined)) return;
    this.#joins.delete(replica.id);
    this.#parts.store.recordJoin(replica.id, joinCertificate(pending, this.#parts));
    replica.copyMoved('joined');
  }

  #addFollower(stored: StoredChannel): ChannelFollower {
    const follower = new ChannelFollower(this.#followerContext(stored.channel), stored);
    this.#followers.set(stored.channel, follower);
    return follower;
  }

  #runFollower(follower: ChannelFollower): void {
    this.#track(follower.run(), (error) => {
      this.#board.failed(error);
      for (const [vchannel, other] of this.#followerOf) {
        if (other === follower) this.#replicaOf(vchannel)?.fail(error);
      }
    });
  }

  async #addNewChannels(): Promise<void> {
    const { wal, store } = this.#parts;
    if (this.#operations === undefined) await this.#addOperationChannel();
    for (const channel of await wal.listDataChannels()) {
      if (this.#followers.has(channel)) continue;
      const bounds = await wal.bounds(channel);
      // Another may have added it while this one asked; from here on nothing is awaited.
      if (this.#followers.has(channel)) continue;
      const stored = newChannel(channel, bounds);
      store.addChannel(stored);
      this.#runFollower(this.#addFollower(stored));
    }
  }

  /** Some brokers make it when the first operation is written. */
  async #addOperationChannel(): Promise<void> {
    const { wal, store } = this.#parts;
    const channel = await wal.operationChannel();
    if (channel === undefined) return;
    const stored = newChannel(channel, await wal.bounds(channel));
    // As above: from here on nothing is awaited.
    if (this.#operations !== undefined) return;
    store.addChannel(stored);
    this.#operations = new OperationFollower(this.#operationContext(), stored);
    this.#runOperations();
  }

  #catalogChanged(): void {
    this.#births.changed();
    // One reading at a time, and one more for all the changes that came while it ran.
    if (this.#isReadingDue) return;
    this.#isReadingDue = true;
    this.#guard(
      this.#catalogReadings.run(async () => {
        await pause(CATALOG_PAUSE_MS, this.#end.signal);
        this.#isReadingDue = false;
        await this.#readCatalog();
      }),
    );
  }

  /**
   * What only the catalogue tells: channels that are new, partitions, whose creation 2.3.5 does not write into the log,
   * and collections whose birth was passed over. Nothing is ever removed for being absent here.
   * @returns the making of partitions, which one collection's trouble may hold up for long.
   */
  async #readCatalog(): Promise<{ partitions: Promise<unknown> }> {
    const snapshot = await retrying(
      async () => {
        await this.#addNewChannels();
        return this.#parts.catalog.snapshot();
      },
      this.#end.signal,
      this.#board.observer('catalog'),
    );
    const partitions = snapshot.collections.map(async (collection) => {
      this.#assertNotMissed(collection);
      await this.#registry.get(collection.id)?.addPartitions(collection.partitions);
    });
    for (const work of partitions) this.#guard(work);
    return { partitions: Promise.allSettled(partitions) };
  }

  /**
   * A collection can be in the catalogue so late that its birth in the log was given up (`birth-registrar.ts`). Its shards
   * are then added where their history begins, and the task starts over to read from there.
   */
  #assertNotMissed(collection: CatalogCollection): void {
    const { store, wal } = this.#parts;
    const known = this.#registry.get(collection.id);
    const isElsewhere =
      known !== undefined && (known.hasFailed || known.isEnding || known.isBeingCopied || known.copy === 'copied');
    if (this.#dropped.has(collection.id) || isElsewhere) return;
    const missed = shardsFromCreation(collection, wal, (channel) => this.#followers.get(channel)?.incarnation).filter(
      ({ vchannel, channel, checkpoint }) =>
        !this.#followerOf.has(vchannel) && (this.#followers.get(channel)?.hasRead(checkpoint.resume.ordinal) ?? false),
    );
    if (missed.length === 0) return;
    if (known === undefined) store.addCollection(toStoredCollection(collection));
    for (const shard of missed) store.addShard(shard);
    throw new RestartNeeded(`${collection.database}.${collection.name} came into the catalogue late.`);
  }

  #addReplica(collection: StoredCollection, stored?: Pick<StoredTask, 'droppedPartitions'>): CollectionReplica {
    const droppedPartitions = (stored?.droppedPartitions ?? [])
      .filter((partition) => partition.collectionId === collection.id)
      .map((partition) => partition.partitionId);
    const replica = new CollectionReplica(this.#replicaContext(), collection, droppedPartitions);
    this.#registry.add(replica);
    return replica;
  }

  /** A catalogue that cannot be read does not end what runs. */
  #guard(work: Promise<unknown>): void {
    this.#track(work, (error) => this.#board.failed(error));
  }

  /** A shard whose place in the log is gone stops its collection, not its channel. */
  async #takeUpShard(shard: StoredShard): Promise<void> {
    const replica = this.#registry.get(shard.collectionId);
    const follower = this.#followers.get(shard.channel);
    if (follower !== undefined) this.#followerOf.set(shard.vchannel, follower);
    // One that is being dropped has had all its changes: every shard stood at the drop.
    if (replica === undefined || replica.hasFailed || replica.isEnding) return;
    try {
      if (follower === undefined) throw channelGone(shard.channel);
      await retrying(
        () => this.#parts.wal.assertKept(shard.channel, shard.checkpoint.resume),
        this.#end.signal,
        this.#board.observer(shard.channel),
      );
      if (replica.copy === 'none' || replica.copy === 'joined') {
        this.#addLane(replica, { ...shard, intent: shard.intent ?? (await this.#latest(shard.channel)) }, follower);
      }
    } catch (error) {
      replica.fail(error);
    }
  }

  #addLane(replica: CollectionReplica, shard: StoredShard, follower: ChannelFollower): void {
    const lane = new ShardLane(replica, shard.vchannel, shard.checkpoint, shard.intent ?? ORDINAL_NONE, replica.signal);
    replica.addLane(lane);
    follower.addLane(lane);
  }

  async #collectionBorn(
    record: CreateCollectionRecord,
    follower: ChannelFollower,
    ordinal: MessageOrdinal,
  ): Promise<void> {
    const { store } = this.#parts;
    if (this.#dropped.has(record.collectionId)) return;
    let replica = this.#registry.get(record.collectionId);
    if (replica === undefined) {
      const found = await retrying(
        () => this.#births.find(record, follower.channel, this.#end.signal),
        this.#end.signal,
        this.#board.observer('catalog'),
      );
      // Another shard's message may have been first, while this one asked.
      replica = this.#registry.get(record.collectionId);
      if (replica === undefined) {
        if (found === undefined) return;
        const stored = toStoredCollection(found);
        store.addCollection(stored);
        replica = this.#addReplica(stored);
      }
      await this.#addNewChannels();
    }
    // A copied one has its shards, or gets them with the copy.
    if (replica.isEnding || replica.copy !== 'none') return;
    for (const vchannel of record.vchannels) {
      if (this.#followerOf.has(vchannel) || !vchannel.startsWith(`${follower.channel}_`)) continue;
      const shard: StoredShard = {
        vchannel,
        collectionId: record.collectionId,
        channel: follower.channel,
        checkpoint: {
          resume: { kind: 'at', ordinal, incarnation: follower.incarnation },
          tick: (record.beginTick - 1n) as TimeTick,
        },
        intent: ORDINAL_NONE,
      };
      store.addShard(shard);
      this.#followerOf.set(vchannel, follower);
      // The shard of one that has failed is kept for a later start, with nobody to apply it now.
      if (!replica.hasFailed) this.#addLane(replica, shard, follower);
    }
  }

  #followerContext(channel: PChannel): FollowerContext {
    return {
      wal: this.#parts.wal,
      budget: this.#budget,
      registry: this.#registry,
      observer: this.#board.observer(channel),
      signal: this.#end.signal,
      collectionBorn: (record, follower, ordinal) => this.#collectionBorn(record, follower, ordinal),
      channelConfirmed: (name, resume, tick) => this.#channelConfirmed(name, resume, tick),
      messageRead: (record, bytes) => this.#messageRead(record, bytes),
      release: (entry) => this.#release(entry),
    };
  }

  #operationContext() {
    const executor = new OperationExecutor({
      target: this.#parts.target,
      registry: this.#registry,
      signal: this.#end.signal,
      databaseLane: (database) => this.#databaseLane(database),
      ensureDatabase: (database) => this.#ensureDatabase(database),
      dropOwnDatabase: (database) => this.#dropOwnDatabase(database),
      skipped: (record, reason) => this.#skipped(record, reason),
    });
    return {
      wal: this.#parts.wal,
      observer: this.#board.observer('operations'),
      signal: this.#end.signal,
      whenDue: (tick: TimeTick) => this.#whenDue(tick),
      execute: (record: OperationRecord, ordinal: MessageOrdinal) => executor.execute(record, ordinal),
      channelConfirmed: (name: PChannel, resume: ResumePoint, tick: TimeTick) =>
        this.#channelConfirmed(name, resume, tick),
      messageRead: (record: WalRecord, bytes: number) => this.#messageRead(record, bytes),
    };
  }

  #replicaContext(): ReplicaContext {
    const { target, store, clock } = this.#parts;
    const lease = this.#lease;
    if (lease === undefined)
      throw new ReplicationError('bug', 'internal', 'A collection was taken up before the lease.');
    return {
      target,
      store,
      clock,
      lease,
      intents: this.#intents,
      joinDue: (replica) => this.#joinDue(replica),
      signal: this.#end.signal,
      callSignal: this.#endCalls.signal,
      tracked: (call) => this.#tracked(call),
      originOf: (id) => `${this.#etcdClusterId}/${id}`,
      predecessorsOf: (replica) => this.#registry.predecessorsOf(replica),
      databaseLane: (database) => this.#databaseLane(database),
      ensureDatabase: (database) => this.#ensureDatabase(database),
      contentOf: (lane, entry) => this.#contentOf(lane, entry),
      release: (entry) => this.#release(entry),
      laneChanged: (lane) => this.#laneChanged(lane),
      laneConfirmed: (lane) => this.#tracker?.confirmShard(lane.vchannel, lane.confirmed),
      called: (name) => this.#board.called(name),
      rowsConfirmed: (tick) => this.#board.rowsConfirmed(tick),
      dropped: (replica) => this.#forget(replica),
      partitionsWanted: () => this.#catalogChanged(),
      failed: (_replica, error) => this.#board.collectionFailed(error),
      notice: (text) => this.#board.notice(text),
    };
  }

  #forget(replica: CollectionReplica): void {
    this.#dropped.add(replica.id);
    this.#joins.delete(replica.id);
    this.#registry.remove(replica);
    this.#board.retire(replica.status());
    for (const vchannel of replica.vchannels) this.#followerOf.delete(vchannel);
  }

  #laneChanged(lane: ShardLane): void {
    const follower = this.#followerOf.get(lane.vchannel);
    if (lane.activity === 'stopped') follower?.removeLane(lane.vchannel);
    follower?.laneChanged();
    this.#budget.changed();
  }

  async #contentOf(lane: ShardLane, entry: LogEntry): Promise<WalRecord> {
    if (entry.content !== undefined) return entry.content;
    const follower = this.#followerOf.get(lane.vchannel);
    if (follower === undefined)
      throw new ReplicationError('bug', 'internal', `No channel is known for ${lane.vchannel}.`);
    const { channel } = follower;
    const message = await retrying(
      () => this.#parts.wal.readAt(channel, entry.ordinal, this.#end.signal),
      this.#end.signal,
      this.#board.observer(channel),
    );
    const record = decodeRecord(message.payload);
    if (record.kind === 'malformed') {
      throw new ReplicationError(
        'malformedMessage',
        'wal',
        `Message ${entry.ordinal} of ${channel} reads differently the second time: ${record.what}. Report this.`,
      );
    }
    return record;
  }

  #release(entry: LogEntry): void {
    entry.uses -= 1;
    if (entry.uses > 0) return;
    entry.content = undefined;
    this.#budget.release(entry.heldBytes);
    entry.heldBytes = 0;
  }

  /** The last message that stands in the channel now. */
  async #latest(channel: PChannel): Promise<MessageOrdinal> {
    const read = (): Promise<ChannelBounds> => this.#parts.wal.bounds(channel);
    const { earliest, latest } = await retrying(read, this.#end.signal, this.#board.observer(`end of ${channel}`));
    // Brokers number an empty log differently; below all messages is what it means.
    return earliest > latest ? ORDINAL_NONE : latest;
  }

  async #whenDue(tick: TimeTick): Promise<void> {
    const { signal } = this.#end;
    // What an operation names was created before it, perhaps on a channel that has only come into being with it.
    await retrying(() => this.#addNewChannels(), signal, this.#board.observer('operations'));
    await Promise.all(
      [...this.#followers.values()].map(async (follower) => {
        if (follower.readTick() >= tick) return;
        await follower.whenRead(await this.#latest(follower.channel), tick, signal);
      }),
    );
  }

  #channelConfirmed(channel: PChannel, resume: ResumePoint, tick: TimeTick): void {
    this.#tracker?.confirmChannel(channel, { resume, tick });
  }

  #messageRead(record: WalRecord, bytes: number): void {
    const isNew = this.#board.messageRead(record, bytes);
    if (isNew && record.kind === 'unknown') {
      this.#parts.logger.warn(
        { messageType: record.messageType },
        'A message of an unknown type is in the log; it is counted and not applied.',
      );
    }
  }

  #skipped(record: OperationRecord, reason: string): void {
    this.#board.skipped(record.operation);
    this.#parts.logger.info(
      { operation: record.operation, collections: record.collectionNames, reason },
      'An operation was skipped.',
    );
  }

  /** A call that no collection can show the trouble of. */
  async #onTarget<T>(name: string, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#end;
    try {
      const result = await retrying(
        () => this.#tracked(call(this.#endCalls.signal)),
        signal,
        this.#board.observer(name),
      );
      this.#board.called(name);
      return result;
    } catch (error) {
      if (!signal.aborted) this.#board.failed(toReplicationError(error));
      throw error;
    }
  }

  /** In the database's lane. One that was there before is used, and never dropped. */
  async #ensureDatabase(database: string): Promise<void> {
    const { target, store } = this.#parts;
    if (this.#knownDatabases.has(database)) return;
    const existing = await this.#onTarget('listDatabases', (signal) => target.listDatabases(signal));
    if (!existing.includes(database)) {
      // Before it is made: a crash in between must not leave one that nobody may drop.
      store.addDatabase(database);
      this.#ownDatabases.add(database);
      await this.#onTarget('createDatabase', (signal) => target.createDatabase(database, [], signal));
    }
    this.#knownDatabases.add(database);
  }

  async #dropOwnDatabase(database: string): Promise<boolean> {
    const { target, store } = this.#parts;
    if (!this.#ownDatabases.has(database)) return false;
    this.#knownDatabases.delete(database);
    await this.#onTarget('dropDatabase', (signal) => target.dropDatabase(database, signal));
    store.removeDatabase(database);
    this.#ownDatabases.delete(database);
    return true;
  }

  #databaseLane(database: string): SerialLane {
    const lane = this.#databaseLanes.get(database) ?? new SerialLane();
    this.#databaseLanes.set(database, lane);
    return lane;
  }

  #replicaOf(vchannel: VChannel): CollectionReplica | undefined {
    for (const replica of this.#registry.all()) if (replica.vchannels.includes(vchannel)) return replica;
    return undefined;
  }

  #track(work: Promise<unknown>, failed: (error: ReplicationError) => void): void {
    const tracked: Promise<unknown> = work.catch((error: unknown) => {
      if (this.#end.signal.aborted) return;
      if (error instanceof RestartNeeded) this.#end.abort(error);
      else failed(toReplicationError(error));
    });
    this.#running.add(tracked);
    void tracked.finally(() => this.#running.delete(tracked));
  }
}

function channelGone(channel: PChannel): ReplicationError {
  return new ReplicationError(
    'channelsNotFound',
    'wal',
    `The channel ${channel} is no longer followed. Check the source's log.`,
  );
}
