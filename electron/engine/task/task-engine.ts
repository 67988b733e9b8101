/**
 * One task, running: opens the source's log and catalogue and the target, takes up the stored state, and keeps it going
 * until it is stopped. It wires and watches; reading, ordering, copying and writing are elsewhere.
 */
import { asCollectionId, type CollectionId, type PChannel } from '../../../shared/model/ids.ts';
import type { MessageOrdinal, ResumePoint } from '../../../shared/model/position.ts';
import type { CopyBudget } from '../../../shared/model/copy-budget.ts';
import type { OperationDecision } from '../../../shared/model/operation-event.ts';
import type { OperationSettings } from '../../../shared/model/operation-policy.ts';
import type { QuarantinedRecord } from '../../../shared/model/quarantine.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import { compileMapping, SAME_NAMES, type NameMapping } from '../../../shared/model/name-mapping.ts';
import { originText } from '../../../shared/model/origin-chain.ts';
import { EVERYTHING, type Selection } from '../../../shared/model/selection.ts';
import type { StartPoint } from '../../../shared/model/start-point.ts';
import type {
  StoredCollection,
  StoredShard,
  StoredTask,
  TaskRun,
  TaskStore,
} from '../../../shared/model/task-state.ts';
import type { TaskStatus, Trouble } from '../../../shared/model/task-status.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { OperationRecord, UnknownRecord, WalRecord } from '../codec/records.ts';
import { hintFor } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ReadBudget } from '../runtime/read-budget.ts';
import { retrying } from '../runtime/retry.ts';
import { orAborted, SerialLane } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection } from '../source/catalog/catalog.ts';
import { mapKeys } from '../source/rows/mapped-keys.ts';
import type { KeySource, RowSource } from '../source/rows/row-source.ts';
import type { RightsKeeper, RightsReader } from '../milvus/rights.ts';
import type { Wal } from '../source/wal/wal.ts';
import { wholeSnapshot } from '../source/catalog/whole-snapshot.ts';
import { mapTarget } from '../target/mapped-target.ts';
import type { Target } from '../target/target.ts';
import { assertSameNames, assertSameSource, firstState, newChannel, readSourceIdentity } from './begin-task.ts';
import { BirthRegistrar } from './birth-registrar.ts';
import { CatalogReadings } from './catalog-readings.ts';
import type { WatchedCopy } from './changed-copies.ts';
import { CheckpointTracker } from './checkpoint-tracker.ts';
import { CollectionBirths } from './collection-births.ts';
import { CollectionRegistry } from './collection-registry.ts';
import { CollectionReplica, type ReplicaContext } from './collection-replica.ts';
import { CopyLoops } from './copy-loops.ts';
import { CopyJoins } from './copy-joins.ts';
import { CopyRunner } from './copy-runner.ts';
import { Imports } from './imports.ts';
import { IntentMarks } from './intent-marks.ts';
import { LogReaders } from './log-readers.ts';
import { lastChange } from './log-end.ts';
import { isPositionLost, LogWatch } from './log-watch.ts';
import { OpenDefinitions } from './open-definitions.ts';
import { OperationExecutor } from './operation-executor.ts';
import { decisionNeeded, OperationJournal, type Park } from './operation-journal.ts';
import { OperationFollower } from './operation-follower.ts';
import { RightsCopy } from './rights-copy.ts';
import { RightsOperations, ROOT } from './rights-operations.ts';
import { Reconciler } from './reconciler/reconciler.ts';
import { RestartNeeded } from './restart-needed.ts';
import { Quarantine, type ShardEntry } from './quarantine.ts';
import { endingRun, newRun } from './run-lease.ts';
import { ScopeKeeper } from './scope-keeper.ts';
import type { ShardLane } from './shard-lane.ts';
import { StatusBoard } from './status-board.ts';
import { TargetAliases } from './target-aliases.ts';
import { withOverrides } from './target-overrides.ts';
import { TargetCalls } from './target-calls.ts';
import { TargetDatabases } from './target-databases.ts';
import { doubtError, TargetGuard } from './target-guard.ts';
import { TargetPulse } from './target-pulse.ts';
import { unsupportedSchema } from './unsupported-schema.ts';
import { WriteLease } from './write-lease.ts';
import { WriteSlots } from './write-slots.ts';

/** A write takes milliseconds, a bad day's write seconds. */
const DRAIN_TIMEOUT_MS = 30_000;

/** More means that somebody else writes there. */
const DOUBTFUL_AGAIN_MAX = 3;

export interface TaskEngineOptions {
  readonly taskId: string;
  readonly rootPath: string;
  readonly walKind: string;
  readonly budgetBytes: number;
  /** Time for calls under way when the task is stopped; 30 s unless given. */
  readonly drainTimeoutMs?: number;
  /** Where a new task begins. */
  readonly start: StartPoint;
  /** Absent: everything. */
  readonly selection?: Selection;
  /** Absent: the source's names. For good. */
  readonly mapping?: NameMapping;
  /** The user that the target is signed in to with: never changed there, whatever the source does to its own. */
  readonly signInUser?: string | undefined;
  /** Who runs it, for other engines and people. */
  readonly run?: TaskRun;
  /**
   * Keeps a marker in the target against another store's engine; absent where the target is nobody else's (a simulation).
   * `takesOver`: the operator has said that whoever else is at work there is to be displaced.
   */
  readonly guard?: { readonly takesOver: boolean };
}

export interface TaskEngineParts {
  readonly wal: Wal;
  readonly catalog: Catalog;
  /** Reads the source's rows; absent where its address is not known. */
  readonly rows?: RowSource | undefined;
  /** Reads the target's keys, for collections that are copied again. */
  readonly targetRows?: KeySource | undefined;
  readonly target: Target;
  /** Roles and grants of both sides; absent where they are not replicated. */
  readonly rights?: { readonly source: RightsReader | undefined; readonly target: RightsKeeper } | undefined;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class TaskEngine {
  readonly #options: TaskEngineOptions;
  /** The target and its keys under the source's names. */
  readonly #parts: TaskEngineParts;
  /** Under its own names. */
  readonly #target: Target;
  readonly #mapping: ReturnType<typeof compileMapping>;
  readonly #scope: ScopeKeeper;
  readonly #board: StatusBoard;
  readonly #budget: ReadBudget;
  readonly #registry = new CollectionRegistry();
  readonly #dropped = new Set<CollectionId>();
  /** How often a collection's doubtful window was found wrong, in this run. */
  readonly #doubtfulAgain = new Map<CollectionId, number>();
  /** Ends every wait and every loop: the caller's stop, or a failure that the task cannot survive. */
  readonly #end = new AbortController();
  readonly #calls: TargetCalls;
  readonly #running = new Set<Promise<unknown>>();
  readonly #registrar: BirthRegistrar;
  readonly #births: CollectionBirths;
  readonly #catalog: CatalogReadings;
  readonly #databases: TargetDatabases;
  readonly #aliases: TargetAliases;
  readonly #reconciler: Reconciler;
  readonly #imports: Imports;
  readonly #readers: LogReaders;
  readonly #intents: IntentMarks;
  readonly #slots = new WriteSlots();
  readonly #openDefinitions: OpenDefinitions;
  readonly #copies: CopyRunner;
  readonly #joins: CopyJoins;
  readonly #quarantine: Quarantine;
  readonly #journal: OperationJournal;
  readonly #rights: RightsCopy;
  readonly #rightsLane = new SerialLane();
  readonly #log: LogWatch;
  readonly #pulse: TargetPulse;
  /** Its channels are known and are being read. */
  readonly #started = Promise.withResolvers<void>();
  #operations: OperationFollower | undefined;
  #tracker: CheckpointTracker | undefined;
  #lease: WriteLease | undefined;
  #guardian: TargetGuard | undefined;
  #etcdClusterId = '';
  #owner: string | undefined;
  #loops: CopyLoops | undefined;

  constructor(options: TaskEngineOptions, given: TaskEngineParts) {
    const { signal } = this.#end;
    const { mapping = SAME_NAMES, selection = EVERYTHING } = options;
    const store = endingRun(given.store, (error) => this.#end.abort(error));
    this.#journal = new OperationJournal({ store, clock: given.clock });
    // The operator's own wishes are the target's, whatever the names.
    const wished = withOverrides(given.target, () => this.#journal.settings.overrides ?? {});
    const parts = {
      ...given,
      target: mapTarget(wished, mapping),
      targetRows: given.targetRows === undefined ? undefined : mapKeys(given.targetRows, mapping),
      store,
    };
    this.#target = given.target;
    this.#mapping = compileMapping(mapping);
    const shared = {
      ...parts,
      registry: this.#registry,
      signal,
      addNewChannels: () => this.#addNewChannels(),
      isDropped: (id: CollectionId) => this.#dropped.has(id),
    };
    this.#options = options;
    this.#parts = parts;
    this.#budget = new ReadBudget(options.budgetBytes);
    this.#board = new StatusBoard(parts.clock);
    this.#calls = new TargetCalls({
      board: this.#board,
      signal,
      whenMayWrite: (waits) => this.#whenMayWrite(waits),
      answered: () => this.#pulse.answered(),
    });
    this.#scope = new ScopeKeeper(
      {
        ...shared,
        observer: this.#board.observer('catalog'),
        isOwnCopyThere: (collection) => this.#isOwnCopyThere(collection),
        asked: (call) => this.#calls.asked(call),
        whenStarted: () => this.#started.promise,
        whenMayWrite: () => this.#whenMayWrite(signal),
        flush: () => this.#tracker?.flush(),
        left: (replica) => this.#leave(replica),
        come: (collections, shards) => this.#come(collections, shards),
        changed: () => this.#catalog.changed(),
        notice: (text) => this.#board.notice(text),
      },
      selection,
    );
    this.#intents = new IntentMarks(parts.store);
    this.#quarantine = new Quarantine({ ...parts, signal });
    this.#openDefinitions = new OpenDefinitions(parts.clock);
    this.#databases = new TargetDatabases({ ...parts, onTarget: (name, call) => this.#calls.onTarget(name, call) });
    this.#readers = new LogReaders({
      ...shared,
      budget: this.#budget,
      observer: (place) => this.#board.observer(place),
      track: (work, failed) => this.#track(work, failed),
      channelFailed: (error) => this.#board.failed(error),
      channelLost: (channel) => this.#guard(this.#log.channelLost(channel)),
      collectionBorn: (record, follower, ordinal) => this.#births.born(record, follower, ordinal),
      channelConfirmed: (name, resume, tick) => this.#channelConfirmed(name, resume, tick),
      messageRead: (record, bytes, channel) => this.#messageRead(record, bytes, channel),
      rowsPassed: (bytes, channel) => this.#board.rowsPassed(bytes, channel),
    });
    this.#log = new LogWatch({
      ...shared,
      readers: this.#readers,
      flush: () => this.#tracker?.flush(),
      epochOpened: (epoch) => this.#tracker?.epochOpened(epoch),
      restart: (reason) => this.#end.abort(reason),
    });
    this.#pulse = new TargetPulse({
      ...parts,
      ask: () => this.#calls.tracked(parts.target.listDatabases(this.#calls.signal)),
      observer: this.#board.observer('target'),
    });
    this.#rights = new RightsCopy({
      ...shared,
      lane: this.#rightsLane,
      source: parts.rights?.source,
      target: parts.rights?.target,
      journal: this.#journal,
      mapping: this.#mapping,
      protectedUsers: new Set([ROOT, options.signInUser ?? ROOT]),
      onTarget: (name, call) => this.#calls.attempt(name, call),
      notice: (text) => this.#board.notice(text),
      guard: (work) => this.#guard(work),
    });
    this.#registrar = new BirthRegistrar(parts.catalog, parts.wal, parts.logger);
    this.#births = new CollectionBirths({
      ...shared,
      selection: this.#scope.selection,
      catalog: parts.catalog,
      journal: this.#journal,
      registrar: this.#registrar,
      readers: this.#readers,
      observer: this.#board.observer('catalog'),
      addReplica: (stored) => this.#addReplica(stored),
    });
    this.#aliases = new TargetAliases({
      ...parts,
      isOurs: (origin) => origin.startsWith(`${this.#etcdClusterId}/`),
      isOfTask: (origin) => [...this.#registry.all()].some(({ id }) => origin === this.#originOf(id)),
      originOf: (id) => this.#originOf(id),
      define: (object, asks, name, call) => this.#define(object, asks, name, call),
    });
    this.#reconciler = new Reconciler({
      ...shared,
      aliases: this.#aliases,
      databases: this.#databases,
      targetRows: parts.targetRows,
      journal: this.#journal,
      observer: this.#board.observer('catalog'),
      clusterId: () => this.#etcdClusterId,
      stamp: () => this.#stamp(),
      readAgain: () => this.#catalog.changed(),
      onTarget: (name, call) => this.#calls.attempt(name, call),
      selection: this.#scope.selection,
      targetOf: (address) => this.#mapping.address(address),
      targetDatabaseOf: (database) => this.#mapping.database(database),
      guard: (work) => this.#guard(work),
      notice: (text) => this.#board.notice(text),
    });
    this.#imports = new Imports({
      ...shared,
      journal: this.#journal,
      canCopy: parts.rows !== undefined,
      recopy: (id) => this.recopy([id]),
      guard: (work) => this.#guard(work),
      notice: (text) => this.#board.notice(text),
      withdraw: (text) => this.#board.withdraw(text),
    });
    this.#catalog = new CatalogReadings({
      ...shared,
      seen: (snapshot) => {
        this.#reconciler.seen(snapshot);
        this.#imports.seen(snapshot);
      },
      observer: this.#board.observer('catalog'),
      assertNotMissed: (collection) => {
        if (!this.#scope.isSelecting) this.#births.assertNotMissed(collection);
      },
      read: (collections) => this.#scope.catalogRead(collections),
      guard: (work) => this.#guard(work),
    });
    this.#joins = new CopyJoins({
      ...shared,
      observer: (place) => this.#board.observer(place),
      follow: (replica, shard, end) => this.#readers.follow(replica, shard, end),
      shardFailed: (replica, shard, error) => this.#log.shardFailed(replica, shard, error),
    });
    this.#copies = new CopyRunner({
      ...shared,
      rows: parts.rows,
      targetRows: parts.targetRows,
      notice: (text) => this.#board.notice(text),
      mayLoad: options.start.kind === 'copy' && options.start.mayLoad,
      observer: (place) => this.#board.observer(place),
      predecessorsOf: (replica) => this.#registry.predecessorsOf(replica),
      copied: (copy) => this.#guard(this.#joins.follow(copy)),
      covers: (replica, imports, begin) => this.#imports.covers(replica, imports, begin),
      isCovered: (id) => this.#imports.isCovered(id),
      journal: this.#journal,
      takeFields: (replica, { schema }) => this.#reconciler.fields.take(replica, schema, true),
    });
  }

  status(): TaskStatus {
    return this.#board.snapshot({
      taskId: this.#options.taskId,
      collections: [...this.#registry.all()].map((replica) => replica.status()),
      operationsPending: this.#operations?.pendingCount ?? 0,
      operationsWaiting: this.#journal.waiting().length,
      question: this.#question(),
      budgetUsedBytes: this.#budget.usedBytes,
      budgetPeakBytes: this.#budget.peakBytes,
      channels: this.#readers.readings(),
      rowsWaiting: this.#budget.usedRows,
      targetSilentSinceMs: this.#pulse.silentSinceMs(),
      ...(this.#scope.selection.leftOut === undefined ? {} : { leftOut: this.#scope.selection.leftOut }),
      ...this.#log.status(),
    });
  }

  /** What is about no collection shows on the task itself that it waits for a person. */
  #question(): Trouble | undefined {
    const question = this.#journal.waitingOf(undefined);
    if (question === undefined) return undefined;
    const error = decisionNeeded(question);
    return { error: error.toData(), hint: hintFor(error), since: this.#journal.askedAt(question) };
  }

  /** To be called several times a second while it runs: looks after what would otherwise stand still unseen. */
  watch(): void {
    if (this.#lease === undefined || this.#end.signal.aborted) return;
    this.#pulse.poll();
    this.#log.poll();
    this.#rights.poll();
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
      await this.#guardian?.leave();
    }
  }

  /** Calls that are under way end by themselves, or are ended when they take too long; then all that waited for them. */
  async #drain(): Promise<void> {
    const timeoutMs = this.#options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS;
    const within = (work: Iterable<Promise<unknown>>): Promise<unknown> =>
      orAborted(Promise.allSettled(work), AbortSignal.timeout(timeoutMs)).catch(() => undefined);
    await within(this.#calls.underWay);
    this.#calls.end(this.#end.signal.reason);
    await within(this.#running);
    // Lanes go on once more, to their own end.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #storeLast(): void {
    try {
      this.#tracker?.flush();
      this.#intents.settle([...this.#registry.all()].flatMap((replica) => [...replica.lanes()]));
      // One that is still under way may land yet.
      if (this.#calls.underWay.size === 0) this.#lease?.end();
    } catch (error) {
      // Whatever ended the task is what the operator must hear of; the old checkpoints are as good.
      this.#parts.logger.error({ err: error }, 'The last checkpoints could not be stored.');
    } finally {
      this.#tracker?.close();
    }
  }

  /**
   * Resolves when every change that stands in the source's log now is confirmed by the target. Rejects when a
   * collection or channel can no longer get there.
   */
  async whenLevel(signal: AbortSignal): Promise<void> {
    // What has lost the race goes on with nothing.
    const over = new AbortController();
    const stop = AbortSignal.any([signal, this.#end.signal, over.signal]);
    const failure = this.#board.whenFailed(stop);
    const level = (async () => {
      await orAborted(this.#started.promise, stop);
      for (;;) {
        await this.#whenAllApplied(stop);
        const isJoined = [...this.#registry.all()].every((replica) => replica.hasFailed || replica.isJoined);
        // A collection that is to be copied again joins anew.
        if (this.#imports.isSettled && isJoined) break;
        await this.#imports.whenSettled(stop);
      }
      await this.#rights.now();
    })();
    try {
      await Promise.race([level, failure]);
    } finally {
      over.abort();
    }
  }

  /** What the log and the catalogue have shown by the time of the call, but for imports. */
  async #whenAllApplied(stop: AbortSignal): Promise<void> {
    if (this.#operations !== undefined) {
      await this.#operations.whenConfirmed(await this.#readers.latest(this.#operations.channel), stop);
    }
    const ends = await this.#readers.ends();
    await ends.whenConfirmed(stop);
    await Promise.all([...this.#registry.all()].map((replica) => replica.whenJoined(stop)));
    // Behind its join a shard may still be read apart from its channel, which knows nothing of it.
    await this.#readers.whenTogether(stop);
    await ends.whenConfirmed(stop);
    // A drop that an earlier run began has no shard left that could wait for it.
    const ending = [...this.#registry.all()].filter((replica) => replica.isEnding);
    await Promise.all(ending.map((replica) => replica.whenDropped(stop)));
    for (;;) {
      const { partitions } = await this.#catalog.now();
      await orAborted(partitions, stop);
      if (this.#reconciler.isSettled) break;
      await this.#reconciler.whenSettled(stop);
    }
  }

  async #start(): Promise<void> {
    const { catalog, wal, target, store } = this.#parts;
    const { rootPath, walKind } = this.#options;
    const { signal } = this.#end;
    const begin = async (): Promise<void> => {
      const [identity] = await Promise.all([
        readSourceIdentity(catalog, wal, { rootPath, walKind }),
        target.probe(signal),
      ]);
      const known = store.load();
      if (known === undefined) {
        const scope = this.#scope.newScope(this.#options.taskId, this.#options.mapping);
        store.begin(await firstState(catalog, wal, identity, this.#options.start, scope));
        return;
      }
      assertSameSource(known.source, identity);
      assertSameNames(known.scope, this.#options.mapping ?? SAME_NAMES);
    };
    await retrying(begin, signal, this.#board.observer('start'));
    await this.#takeLease();
    const found = store.load();
    if (found === undefined) throw noState();
    this.#etcdClusterId = found.source.etcdClusterId;
    this.#owner = found.scope.owner;
    this.#loops = new CopyLoops(
      {
        ...this.#parts,
        target: this.#target,
        signal,
        asked: (call) => this.#calls.asked(call),
        notice: (text) => this.#board.notice(text),
      },
      found.source,
    );
    const { collections } = await retrying(() => wholeSnapshot(catalog), signal, this.#board.observer('catalog'));
    await this.#loops.assertOtherCluster(collections);
    await this.#scope.applyAtStart(found, collections);
    const stored = store.load() ?? found;
    this.#databases.takeUp(stored);
    this.#aliases.takeUp(stored.aliases);
    this.#imports.takeUp(stored.imports, stored.collections);
    this.#quarantine.takeUp();
    this.#journal.takeUp();
    this.#journal.leave((id) => stored.collections.some((one) => one.id.toString() === id));
    this.#tracker = new CheckpointTracker(store, stored.epoch, (error) => this.#end.abort(error));
    const ask = () => this.#calls.onTarget('listDatabases', (signal) => target.listDatabases(signal));
    this.#lease = new WriteLease({ ...this.#parts, ask }, stored.writesUntilMs);
    await this.#takeUp(stored);
    catalog.watch(() => {
      this.#registrar.changed();
      this.#catalog.changed();
    }, this.#end.signal);
  }

  /** From here on this run alone moves the task's state, and, as far as the marker tells, writes into the target. */
  async #takeLease(): Promise<void> {
    const { store, clock } = this.#parts;
    const { taskId, run = newRun('', clock), guard } = this.#options;
    const lease = store.takeLease(run);
    if (lease === undefined) throw noState();
    if (guard === undefined) return;
    this.#guardian = new TargetGuard({
      taskId,
      target: this.#target,
      store,
      lease,
      run,
      takesOver: guard.takesOver,
      observer: this.#board.observer('marker'),
      notice: (text) => this.#board.notice(text),
      copies: () => this.#watchedCopies(),
      changed: ({ id }, error) => this.#registry.get(id)?.fail(error),
    });
    await this.#guardian.take(this.#end.signal);
  }

  *#watchedCopies(): Iterable<WatchedCopy> {
    for (const replica of this.#registry.all()) {
      const copy = replica.watchedCopy();
      if (copy !== undefined) yield copy;
    }
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
      this.#readers.addChannel(channel);
    }
    for (const collection of stored.collections) {
      if (collection.phase === 'dropped') this.#dropped.add(collection.id);
      else this.#addReplica(collection, stored);
    }
    for (const { channel, checkpoint } of stored.channels) await this.#assertNewsKept(channel, checkpoint.resume);
    const ends = await this.#logEnds(stored.shards);
    const farBehind: StoredShard[] = [];
    for (const shard of await this.#claim(stored.shards)) {
      if (this.#readers.isFarBehind(shard)) farBehind.push(shard);
      else this.#follow(shard, ends);
    }
    if (this.#guardian !== undefined) {
      this.#track(this.#guardian.keep(signal), (error) => this.#end.abort(error));
    }
    for (const replica of this.#registry.all()) replica.resume();
    for (const follower of this.#readers.all()) this.#readers.run(follower);
    for (const shard of farBehind) this.#follow(shard, ends);
    this.#runOperations();
    for (const replica of this.#registry.all()) this.#takeUpCopy(replica, stored);
  }

  /** Where the log no longer holds a channel's own news the task starts over behind what is lost. */
  async #assertNewsKept(channel: PChannel, resume: ResumePoint): Promise<void> {
    const { wal } = this.#parts;
    try {
      await retrying(() => wal.assertKept(channel, resume), this.#end.signal, this.#board.observer(channel));
    } catch (error) {
      if (!isPositionLost(error)) throw error;
      await this.#log.channelLost(channel);
      this.#end.signal.throwIfAborted();
    }
  }

  #runOperations(): void {
    const operations = this.#operations;
    if (operations !== undefined) this.#track(operations.run(), (error) => this.#end.abort(error));
  }

  /** @returns those that go on in the log from where they stand. */
  async #claim(shards: readonly StoredShard[]): Promise<StoredShard[]> {
    const toFollow: StoredShard[] = [];
    for (const shard of shards) {
      this.#readers.claim(shard);
      if (await this.#isToFollow(shard)) toFollow.push(shard);
    }
    return toFollow;
  }

  /** A shard whose place in the log is gone stops its collection, not its channel. */
  async #isToFollow(shard: StoredShard): Promise<boolean> {
    const replica = this.#registry.get(shard.collectionId);
    // One that is being dropped has had all its changes: every shard stood at the drop.
    if (replica === undefined || replica.hasFailed || replica.isEnding) return false;
    try {
      await this.#readers.assertKept(shard);
    } catch (error) {
      await this.#log.shardFailed(replica, shard, error);
      return false;
    }
    return replica.copy === 'none' || replica.copy === 'joined';
  }

  /** The last message of each of the shards' channels that can be a change. */
  async #logEnds(shards: readonly StoredShard[]): Promise<ReadonlyMap<PChannel, MessageOrdinal>> {
    const { wal } = this.#parts;
    const { signal } = this.#end;
    const channels = new Set(shards.map(({ channel }) => channel).filter((channel) => this.#readers.has(channel)));
    const ends = [...channels].map(async (channel) => {
      const last = async () => lastChange(wal, channel, await this.#readers.latest(channel), signal);
      return [channel, await retrying(last, signal, this.#board.observer(channel))] as const;
    });
    return new Map(await Promise.all(ends));
  }

  #follow(shard: StoredShard, ends: ReadonlyMap<PChannel, MessageOrdinal>): void {
    const replica = this.#registry.get(shard.collectionId);
    if (replica === undefined || replica.hasFailed) return;
    const end = ends.get(shard.channel);
    const following = this.#readers.follow(replica, { ...shard, intent: shard.intent ?? end }, end);
    this.#track(
      following.catch((error: unknown) => this.#log.shardFailed(replica, shard, error)),
      (error) => replica.fail(error),
    );
  }

  #takeUpCopy(replica: CollectionReplica, stored: Pick<StoredTask, 'shards'>): void {
    if (replica.hasFailed || replica.isEnding) return;
    const shards = stored.shards.filter((shard) => shard.collectionId === replica.id);
    if (replica.isBeingCopied) this.#copies.add({ replica, shards });
    else if (replica.copy === 'copied') this.#guard(this.#joins.followAgain(replica, shards));
  }

  /**
   * Takes a collection that has stopped up again where it stands, through readers of its own until it is level; the others
   * go on meanwhile. Resolves when it has begun.
   */
  async retry(id: CollectionId): Promise<void> {
    const replica = this.#registry.get(id);
    if (replica?.hasFailed !== true) throw notStopped(id);
    await this.#replace(replica);
  }

  /**
   * Copies collections again while their copies stay where they are: each one's stream is held until its rows are confirmed,
   * the others go on. Resolves when they are queued.
   */
  async recopy(ids: readonly CollectionId[]): Promise<void> {
    const replicas = ids.map((id) => this.#registry.get(id)).filter((replica) => replica?.isEnding === false);
    if (replicas.length < ids.length) throw notThere(ids.length - replicas.length);
    for (const id of ids) {
      for (let isBegun = false; !isBegun;) {
        const replica = this.#registry.get(id);
        if (replica === undefined) throw notThere(1);
        isBegun = await this.#replace(replica, () => this.#beginRecopy(replica));
      }
    }
  }

  /**
   * Follows what belongs to the selection, and nothing else, while the task runs: others stop being followed at their last
   * checkpoint, their copies stay; those that belong to it now are copied. Resolves when that has begun.
   */
  select(selection: Selection): Promise<void> {
    return this.#scope.select(selection);
  }

  #leave(replica: CollectionReplica): void {
    this.#joins.forget(replica.id);
    this.#log.closed(replica.id);
    this.#board.retire(replica.status());
    this.#board.collectionRecovered(replica.id);
    this.#readers.forget(replica);
    this.#journal.leave((id) => id !== replica.id.toString());
    this.#aliases.left(replica.id);
    this.#imports.forget(replica.id);
  }

  async #come(collections: readonly StoredCollection[], shards: readonly StoredShard[]): Promise<void> {
    for (const collection of collections) {
      const replica = this.#addReplica(collection);
      replica.resume();
      this.#takeUpCopy(replica, { shards });
    }
    const ends = await this.#logEnds(shards);
    for (const shard of await this.#claim(shards)) this.#follow(shard, ends);
  }

  #beginRecopy(replica: CollectionReplica): void {
    // Where another of its name is still to be dropped, nothing of it can be on the target.
    const isAwaited = this.#registry.predecessorsOf(replica).length > 0 && replica.isPending;
    this.#parts.store.beginRecopy(replica.id, isAwaited ? 'pending' : 'creating');
  }

  setCopyBudget(budget: CopyBudget): void {
    this.#copies.setBudget(budget);
  }

  /** Policies, overrides and whether rights are replicated: they hold at once, also for what waits. */
  setOperationSettings(settings: OperationSettings): void {
    this.#journal.setSettings(settings);
  }

  /** @throws notFound: it does not wait; invalidRequest: it can only be skipped. */
  decideOperation(id: string, decision: OperationDecision): void {
    this.#journal.answer(id, decision);
  }

  quarantine(): readonly QuarantinedRecord[] {
    return this.#quarantine.list();
  }

  /** @throws notFound */
  quarantinedBytes(id: string): Uint8Array {
    return this.#quarantine.bytesOf(id);
  }

  /** Leaves a message out for good, and takes its collection up again. @throws notFound */
  async skip(id: string, reason: string): Promise<void> {
    const { collectionId, kind, ordinal, database, collection } = this.#quarantine.skip(id, reason);
    this.#board.notice(`Left out of ${database}.${collection}: ${kind} message ${ordinal}. Reason given: ${reason}`);
    const replica = this.#registry.get(asCollectionId(BigInt(collectionId)));
    if (replica?.hasFailed === true) await this.#replace(replica);
  }

  /**
   * @param change Of what is stored, when nothing of the collection is under way any more. @returns false: somebody else has
   *   replaced it meanwhile, or it is gone.
   */
  async #replace(old: CollectionReplica, change?: () => void): Promise<boolean> {
    const { store } = this.#parts;
    const { signal } = this.#end;
    // While the task takes up what is stored, nothing of it may be changed.
    await orAborted(this.#started.promise, signal);
    // What was parked for it beyond the limit can only be read again from the beginning.
    const isRestartDue = this.#operations?.hasGivenUp === true;
    old.detach();
    await orAborted(old.whenQuiet(), signal);
    if (this.#registry.get(old.id) !== old) return false;
    this.#tracker?.flush();
    this.#joins.forget(old.id);
    store.clearQuarantined(old.id);
    if (change !== undefined) this.#log.closed(old.id);
    change?.();
    const stored = store.load();
    const collection = stored?.collections.find(({ id }) => id === old.id);
    if (stored === undefined || collection === undefined) throw notThere(1);
    this.#board.collectionRecovered(old.id);
    if (isRestartDue) {
      this.#end.abort(new RestartNeeded(`${old.address.collection} is taken up again.`));
      return true;
    }
    const replica = this.#addReplica(collection, stored);
    old.replacedBy(replica);
    replica.resume();
    const shards = stored.shards.filter(({ collectionId }) => collectionId === replica.id);
    const ends = await this.#logEnds(shards);
    for (const shard of await this.#claim(shards)) this.#follow(shard, ends);
    this.#takeUpCopy(replica, stored);
    return true;
  }

  async #addNewChannels(): Promise<void> {
    if (this.#operations === undefined) await this.#addOperationChannel();
    await this.#readers.addNewChannels();
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

  #addReplica(
    collection: StoredCollection,
    stored?: Pick<StoredTask, 'droppedPartitions' | 'shards'>,
  ): CollectionReplica {
    const droppedPartitions = (stored?.droppedPartitions ?? [])
      .filter((partition) => partition.collectionId === collection.id)
      .map((partition) => partition.partitionId);
    const replica = new CollectionReplica(this.#replicaContext(), collection, droppedPartitions);
    for (const { vchannel, collectionId, checkpoint } of stored?.shards ?? []) {
      if (collectionId === replica.id) replica.takenUpAt(vchannel, checkpoint.tick);
    }
    this.#registry.add(replica);
    if (collection.doubt !== undefined) replica.fail(doubtError(collection.doubt, replica));
    const unsupported = unsupportedSchema(replica.address, replica.schema);
    if (unsupported !== undefined) replica.fail(unsupported);
    return replica;
  }

  /** A catalogue that cannot be read does not end what runs. */
  #guard(work: Promise<unknown>): void {
    this.#track(work, (error) => this.#board.failed(error));
  }

  #operationContext() {
    const { target, clock } = this.#parts;
    const onTarget = <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => this.#calls.attempt(name, call);
    const notice = (text: string) => this.#board.notice(text);
    const executor = new OperationExecutor({
      target,
      registry: this.#registry,
      journal: this.#journal,
      rights: new RightsOperations({
        target,
        lane: this.#rightsLane,
        onTarget,
        notice,
        signInUser: this.#options.signInUser,
      }),
      onTarget,
      notice,
      now: () => clock.now(),
      recopy: (id) => this.recopy([id]),
      signal: this.#end.signal,
      inDatabaseLane: (database, body) => this.#databases.inLane(database, body),
      ensureDatabase: (database, properties) => this.#databases.ensure(database, properties),
      ownsDatabase: (database) => this.#databases.isOwn(database),
      dropOwnDatabase: (database) => this.#databases.dropOwn(database),
      targetDatabaseOf: (database) => this.#mapping.database(database),
      selection: this.#scope.selection,
      leaveToCatalogue: (replica) => this.#reconciler.leftTo(replica),
      contestedOf: async (database) => {
        if (this.#mapping.isSameNames) return undefined;
        // What the others have by now.
        await this.#catalog.now();
        return this.#reconciler.contested(database);
      },
      skipped: (record, reason) => this.#skipped(record, reason),
    });
    return {
      wal: this.#parts.wal,
      observer: this.#board.observer('operations'),
      signal: this.#end.signal,
      whenDue: (tick: TimeTick) => this.#whenDue(tick),
      execute: (record: OperationRecord | UnknownRecord, ordinal: MessageOrdinal, park: Park) =>
        executor.execute(record, ordinal, park),
      channelConfirmed: (name: PChannel, resume: ResumePoint, tick: TimeTick) =>
        this.#channelConfirmed(name, resume, tick),
      messageRead: (record: WalRecord, bytes: number) => this.#messageRead(record, bytes),
    };
  }

  #replicaContext(): ReplicaContext {
    const { target, targetRows, store, clock } = this.#parts;
    const lease = this.#lease;
    const loops = this.#loops;
    if (lease === undefined || loops === undefined)
      throw new ReplicationError('bug', 'internal', 'A collection was taken up before the lease.');
    return {
      target,
      targetRows,
      store,
      clock,
      lease,
      slots: this.#slots,
      intents: this.#intents,
      journal: this.#journal,
      openDefinitions: this.#openDefinitions,
      joinDue: (replica) => this.#joins.due(replica),
      signal: this.#end.signal,
      callSignal: this.#calls.signal,
      tracked: (call) => this.#calls.tracked(call),
      originOf: (id) => this.#originOf(id),
      owner: this.#owner,
      loops,
      targetOf: (address) => this.#mapping.address(address),
      predecessorsOf: (replica) => this.#registry.predecessorsOf(replica),
      inDatabaseLane: (database, body) => this.#databases.inLane(database, body),
      ensureDatabase: (database) => this.#databases.ensure(database),
      isSkipped: (lane, entry) => this.#quarantine.isSkipped(lane.vchannel, entry.ordinal),
      refused: (replica, entry, error) => this.#refused(replica, entry, error),
      contentOf: (lane, entry) => this.#readers.contentOf(lane, entry),
      release: (entry) => this.#readers.release(entry),
      laneChanged: (lane) => this.#readers.laneChanged(lane),
      laneConfirmed: (lane) => this.#tracker?.confirmShard(lane.vchannel, lane.confirmed),
      called: (name) => this.#calls.called(name),
      whenMayWrite: (waits) => this.#whenMayWrite(waits),
      rowsConfirmed: (tick) => this.#board.rowsConfirmed(tick),
      dropped: (replica) => this.#forget(replica),
      partitionsWanted: () => this.#catalog.changed(),
      laneFailed: (replica, lane, error) => this.#laneFailed(replica, lane, error),
      failed: (replica, error) => this.#collectionFailed(replica, error),
      notice: (text) => this.#board.notice(text),
      operated: (replica) => this.#reconciler.operated(replica),
      fieldsNeeded: (replica, missing) => this.#reconciler.fields.need(replica, missing),
      rowsRefused: (replica, sentWith) => this.#reconciler.fields.refused(replica, sentWith),
      freeName: (address) => this.#aliases.freeName(address),
      freeOfAliases: (id) => this.#aliases.freeOf(id),
    };
  }

  #originOf(id: CollectionId): string {
    return originText(this.#etcdClusterId, id);
  }

  async #isOwnCopyThere({ id, database, name }: CatalogCollection): Promise<boolean> {
    const address = { database, collection: name };
    const describe = (signal: AbortSignal) => this.#parts.target.describeCollection(address, signal);
    const found = await this.#calls.onTarget('describeCollection', describe);
    return found?.origin === this.#originOf(id) && (found.owner === undefined || found.owner === this.#owner);
  }

  /** What stands in the log now, and is in its collections' lines. */
  async #stamp(): Promise<(replica: CollectionReplica) => Promise<boolean>> {
    const operations = this.#operations;
    if (operations !== undefined) {
      await operations.whenTaken(await this.#readers.latest(operations.channel), this.#end.signal);
    }
    return this.#readers.stamp();
  }

  #forget(replica: CollectionReplica): void {
    this.#dropped.add(replica.id);
    this.#joins.forget(replica.id);
    this.#log.closed(replica.id);
    this.#parts.store.clearQuarantined(replica.id);
    this.#registry.remove(replica);
    this.#imports.forget(replica.id);
    this.#board.retire(replica.status());
    this.#readers.forget(replica);
    // Whoever stopped because this one was in the way can go on.
    for (const other of this.#registry.all()) {
      if (other.stoppedBy === replica.id) this.#guard(this.retry(other.id));
    }
  }

  async #whenDue(tick: TimeTick): Promise<void> {
    const { signal } = this.#end;
    // What an operation names was created before it, perhaps on a channel that has only come into being with it.
    await retrying(() => this.#addNewChannels(), signal, this.#board.observer('operations'));
    await this.#readers.whenAllRead(tick);
  }

  #channelConfirmed(channel: PChannel, resume: ResumePoint, tick: TimeTick): void {
    this.#tracker?.confirmChannel(channel, { resume, tick });
  }

  #messageRead(record: WalRecord, bytes: number, channel?: PChannel): void {
    const isNew = this.#board.messageRead(record, bytes, channel);
    if (isNew && record.kind === 'unknown') {
      this.#parts.logger.warn(
        { messageType: record.messageType },
        'A message of an unknown type is in the log; it is counted and not applied.',
      );
    }
  }

  #skipped(record: OperationRecord | UnknownRecord, reason: string): void {
    const operation = record.kind === 'unknown' ? `messageType ${record.messageType}` : record.operation;
    const collections = record.kind === 'unknown' ? [] : record.collectionNames;
    this.#board.skipped(operation);
    this.#parts.logger.info({ operation, collections, reason }, 'An operation was skipped.');
  }

  async #refused(replica: CollectionReplica, { vchannel, entry }: ShardEntry, error: ReplicationError): Promise<void> {
    const channel = this.#readers.channelOf(vchannel);
    if (channel === undefined) return;
    const { id, address } = replica;
    await this.#quarantine.keep({ id, address, channel, vchannel, entry }, error);
  }

  #laneFailed(replica: CollectionReplica, { vchannel, confirmed }: ShardLane, error: unknown): void {
    const channel = this.#readers.channelOf(vchannel);
    const shard = { vchannel, channel, collectionId: replica.id, checkpoint: confirmed };
    if (channel === undefined || !isPositionLost(error)) replica.fail(error);
    else this.#guard(this.#log.shardFailed(replica, { ...shard, channel }, error));
  }

  #collectionFailed(replica: CollectionReplica, error: ReplicationError): void {
    this.#board.collectionFailed(replica.id, error);
    if (error.code !== 'doubledRows') return;
    const attempts = (this.#doubtfulAgain.get(replica.id) ?? 0) + 1;
    this.#doubtfulAgain.set(replica.id, attempts);
    // Written again by key, which leaves one row of each.
    if (attempts <= DOUBTFUL_AGAIN_MAX) this.#guard(this.retry(replica.id));
  }

  #whenMayWrite(signal: AbortSignal): Promise<void> {
    return this.#guardian?.whenMayWrite(signal) ?? Promise.resolve();
  }

  /** A definition of what no collection stands for. @see OpenDefinitions */
  #define(object: string, asks: string, name: string, call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#end;
    return this.#calls.attempt(name, async (callSignal) => {
      await this.#openDefinitions.whenSettled(object, asks, signal);
      await this.#openDefinitions.sent(object, asks, () => call(callSignal));
    });
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

function noState(): ReplicationError {
  return new ReplicationError('bug', 'internal', 'The task has begun and has no state.');
}

function notStopped(id: CollectionId): ReplicationError {
  return new ReplicationError(
    'invalidRequest',
    'config',
    `Collection ${id} has not stopped, so there is nothing to retry. Look at its state again.`,
  );
}

function notThere(count: number): ReplicationError {
  const what = count === 1 ? 'One of the collections is' : `${count} of the collections are`;
  return new ReplicationError(
    'invalidRequest',
    'config',
    `${what} not followed by this task, or being dropped. Look at the list of collections again.`,
  );
}
