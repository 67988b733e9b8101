/**
 * One task, running: opens the source's log and catalogue and the target, takes up the stored state, and keeps a
 * follower per channel going until it is stopped. It wires and watches; reading, ordering and writing are elsewhere.
 */
import type { CollectionId, PChannel, VChannel } from '../../../shared/model/ids.ts';
import type { MessageOrdinal, ResumePoint } from '../../../shared/model/position.ts';
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
import { orAborted, SerialLane } from '../runtime/waiting.ts';
import type { Catalog } from '../source/catalog/catalog.ts';
import type { ChannelBounds, Wal } from '../source/wal/wal.ts';
import type { Target } from '../target/target.ts';
import { assertSameSource, firstState, newChannel, readSourceIdentity, toStoredCollection } from './begin-task.ts';
import { BirthRegistrar } from './birth-registrar.ts';
import { ChannelFollower, type FollowerContext } from './channel-follower.ts';
import { CheckpointTracker } from './checkpoint-tracker.ts';
import { CollectionRegistry } from './collection-registry.ts';
import { CollectionReplica, type ReplicaContext } from './collection-replica.ts';
import type { LogEntry } from './log-entry.ts';
import { OperationExecutor } from './operation-executor.ts';
import { OperationFollower } from './operation-follower.ts';
import { ShardLane } from './shard-lane.ts';
import { StatusBoard } from './status-board.ts';

export interface TaskEngineOptions {
  readonly taskId: string;
  readonly rootPath: string;
  readonly walKind: string;
  readonly budgetBytes: number;
}

export interface TaskEngineParts {
  readonly wal: Wal;
  readonly catalog: Catalog;
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
  /** Ends everything at once: the caller's stop, or a failure that the task cannot survive. */
  readonly #end = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #births: BirthRegistrar;
  readonly #catalogReadings = new SerialLane();
  /** Its channels are known and are being read. */
  readonly #started = Promise.withResolvers<void>();
  #operations: OperationFollower | undefined;
  #isReadingDue = false;
  #tracker: CheckpointTracker | undefined;
  #etcdClusterId = '';

  constructor(options: TaskEngineOptions, parts: TaskEngineParts) {
    this.#options = options;
    this.#parts = parts;
    this.#budget = new ReadBudget(options.budgetBytes);
    this.#board = new StatusBoard(parts.clock);
    this.#births = new BirthRegistrar(parts.catalog, parts.wal, parts.logger);
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
        this.#board.failed(toReplicationError(error));
        throw error;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      await Promise.allSettled(this.#running);
      this.#tracker?.flush();
      this.#tracker?.close();
    }
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
      await Promise.all(
        [...this.#followers.values()].map(async (follower) => {
          await follower.whenConfirmed(await this.#latest(follower.channel), stop);
        }),
      );
      await this.#catalogReadings.run(() => this.#readCatalog());
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
        const first = await firstState(catalog, wal, identity);
        return { ...first, epoch: store.begin(first), droppedPartitions: [] };
      },
      this.#end.signal,
      this.#board.observer('start'),
    );
    this.#etcdClusterId = stored.source.etcdClusterId;
    this.#tracker = new CheckpointTracker(store, stored.epoch, (error) => this.#end.abort(error));
    await this.#takeUp(stored);
    catalog.watch(() => this.#catalogChanged(), this.#end.signal);
  }

  async #takeUp(stored: StoredTask): Promise<void> {
    const { wal } = this.#parts;
    const { signal } = this.#end;
    const operationChannel = await retrying(() => wal.operationChannel(), signal, this.#board.observer('start'));
    for (const channel of stored.channels) {
      if (channel.channel === operationChannel)
        this.#operations = new OperationFollower(this.#operationContext(), channel);
      else this.#addFollower(channel, await this.#latest(channel.channel));
    }
    for (const collection of stored.collections) {
      if (collection.phase === 'dropped') this.#dropped.add(collection.id);
      else this.#addReplica(collection, stored);
    }
    for (const shard of stored.shards) await this.#takeUpShard(shard);
    for (const replica of this.#registry.all()) replica.resume();
    for (const follower of this.#followers.values()) this.#runFollower(follower);
    const operations = this.#operations;
    if (operations !== undefined) this.#track(operations.run(), (error) => this.#end.abort(error));
  }

  /** `latest`: the channel's last message by now. */
  #addFollower(stored: StoredChannel, latest: MessageOrdinal): ChannelFollower {
    const follower = new ChannelFollower(this.#followerContext(stored.channel), stored, latest);
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
    for (const channel of await wal.listDataChannels()) {
      if (this.#followers.has(channel)) continue;
      const bounds = await wal.bounds(channel);
      // Another may have added it while this one asked; from here on nothing is awaited.
      if (this.#followers.has(channel)) continue;
      const stored = newChannel(channel, bounds);
      store.addChannel(stored);
      this.#runFollower(this.#addFollower(stored, bounds.latest));
    }
  }

  #catalogChanged(): void {
    this.#births.changed();
    // One reading at a time, and one more for all the changes that came while it ran.
    if (this.#isReadingDue) return;
    this.#isReadingDue = true;
    this.#guard(
      this.#catalogReadings.run(() => {
        this.#isReadingDue = false;
        return this.#readCatalog();
      }),
    );
  }

  /**
   * What only the catalogue tells: channels that are new, and partitions, whose creation 2.3.5 does not write into the
   * log. Nothing is ever removed for being absent here.
   */
  async #readCatalog(): Promise<void> {
    const snapshot = await retrying(
      async () => {
        await this.#addNewChannels();
        return this.#parts.catalog.snapshot();
      },
      this.#end.signal,
      this.#board.observer('catalog'),
    );
    await Promise.all(
      snapshot.collections.map(async ({ id, partitions }) => {
        await this.#registry.get(id)?.addPartitions(partitions);
      }),
    );
  }

  #addReplica(collection: StoredCollection, stored?: Pick<StoredTask, 'droppedPartitions'>): CollectionReplica {
    const droppedPartitions = (stored?.droppedPartitions ?? [])
      .filter((partition) => partition.collectionId === collection.id)
      .map((partition) => partition.partitionId);
    const replica = new CollectionReplica(this.#replicaContext(), collection, droppedPartitions);
    this.#registry.add(replica);
    return replica;
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
      this.#addLane(replica, shard, follower);
    } catch (error) {
      replica.fail(error);
    }
  }

  #addLane(replica: CollectionReplica, shard: StoredShard, follower: ChannelFollower): void {
    const lane = new ShardLane(replica, shard.vchannel, shard.checkpoint, follower.doubtfulUntil, replica.signal);
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
      if (found === undefined) return;
      // Another shard's message may have been first, while this one asked.
      replica = this.#registry.get(found.id);
      if (replica === undefined) {
        const stored = toStoredCollection(found);
        store.addCollection(stored);
        replica = this.#addReplica(stored);
      }
      await this.#addNewChannels();
    }
    if (replica.isEnding) return;
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
      onTarget: async (name, call) => {
        try {
          await retrying(() => call(this.#end.signal), this.#end.signal, this.#board.observer(name));
        } catch (error) {
          // No collection can show it.
          if (!this.#end.signal.aborted) this.#board.failed(toReplicationError(error));
          throw error;
        }
        this.#board.called(name);
      },
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
    return {
      target,
      store,
      clock,
      signal: this.#end.signal,
      originOf: (id) => `${this.#etcdClusterId}/${id}`,
      predecessorsOf: (replica) => this.#registry.predecessorsOf(replica),
      databaseLane: (database) => this.#databaseLane(database),
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
    const { latest } = await retrying(read, this.#end.signal, this.#board.observer(`end of ${channel}`));
    return latest;
  }

  async #whenDue(tick: TimeTick): Promise<void> {
    await Promise.all(
      [...this.#followers.values()].map(async (follower) => {
        if (follower.readTick() >= tick) return;
        await follower.whenRead(await this.#latest(follower.channel), tick, this.#end.signal);
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

  #databaseLane(database: string): SerialLane {
    const lane = this.#databaseLanes.get(database) ?? new SerialLane();
    this.#databaseLanes.set(database, lane);
    return lane;
  }

  #replicaOf(vchannel: VChannel): CollectionReplica | undefined {
    for (const replica of this.#registry.all()) if (replica.vchannels.includes(vchannel)) return replica;
    return undefined;
  }

  #guard(work: Promise<void>): void {
    this.#track(work, (error) => this.#end.abort(error));
  }

  #track(work: Promise<void>, failed: (error: ReplicationError) => void): void {
    const tracked = work.catch((error: unknown) => {
      if (!this.#end.signal.aborted) failed(toReplicationError(error));
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
