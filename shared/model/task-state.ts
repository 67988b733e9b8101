/**
 * What one task has promised and decided, durable. The engine is its only writer. Calls return when the change is on
 * disk; a crash in the middle leaves either the old or the new state, never a mixture.
 */
import type { CollectionId, PartitionId, PChannel, VChannel } from './ids.ts';
import type { Gap, JoinCertificate } from './task-history.ts';
import type { OperationDecision, OperationEvent } from './operation-event.ts';
import type { KeyValue } from './key-value.ts';
import type { QuarantinedRecord } from './quarantine.ts';
import type { Checkpoint, MessageOrdinal } from './position.ts';
import type { NameMapping } from './name-mapping.ts';
import type { Selection } from './selection.ts';
import type { TimeTick } from '../time/time-tick.ts';

/** Who the source was when the task was begun. Another cluster at the same address must not be taken for it. */
export interface SourceIdentity {
  readonly etcdClusterId: string;
  readonly rootPath: string;
  readonly walKind: string;
  readonly walIdentity: string;
}

/** One run of a task: from the start of its engine to its end. */
export interface TaskRun {
  /** Random. */
  readonly id: string;
  /** Where it runs: names for people. `folder` is the data folder. */
  readonly host: string;
  readonly folder: string;
  readonly pid: number;
  /** Unix ms. */
  readonly began: number;
}

/**
 * What this task knows of its marker in the target (`engine/target/target-marker.ts`). Beats are numbered: `sent` is stored
 * before one is sent, `confirmed` after. A marker that shows less than `confirmed` was put back to an earlier state, and
 * with it the target; one that shows more than `sent` says so of this store.
 */
export interface StoredMarker {
  /** The marker collection's own identity. */
  readonly id: bigint;
  readonly createTick: TimeTick;
  readonly sent: bigint;
  readonly confirmed: bigint;
  /** Runs of this task that may have claimed it last. */
  readonly runIds: readonly string[];
}

/**
 * A collection of the source, by identity. `creating` and `dropping` are written before the target is called, so that
 * after a crash it is known what may have happened there.
 */
export type CollectionPhase = 'pending' | 'creating' | 'created' | 'dropping' | 'dropped';

/** The target, or this store, was put back to an earlier state: what the copy holds is not known any more. */
export interface CopyDoubt {
  readonly code: 'targetChanged' | 'storeOutdated';
  readonly message: string;
}

export interface StoredCollection {
  readonly id: CollectionId;
  readonly database: string;
  readonly name: string;
  readonly createTick: TimeTick;
  readonly dropTick: TimeTick | undefined;
  readonly phase: CollectionPhase;
  /** The target's id of its copy, known from `created` on. */
  readonly targetId: bigint | undefined;
  /** When the target made it, by the target's own time; `undefined` beside a `targetId`: a store of an earlier format. */
  readonly targetCreateTick?: TimeTick | undefined;
  /** Only a new copy of its rows takes it away. */
  readonly doubt?: CopyDoubt | undefined;
  /** Serialized `schema.CollectionSchema` of the source. */
  readonly schema: Uint8Array;
  readonly shardCount: number;
  readonly consistencyLevel: number;
  readonly properties: readonly KeyValue[];
  readonly partitionKeyCount: number;
  readonly vchannels: readonly VChannel[];
  /** Operations (index, load, ...) of the collection up to this message of their channel have had their effect. */
  readonly operationsUntil: MessageOrdinal;
  readonly copy: CopyState;
  /** The copy on the target was filled when this copy of its rows began; until the join. */
  readonly isRecopy: boolean;
  /** Written before the target is asked to rename the copy: it bears the one name or the other. */
  readonly renamingTo?: StoredName | undefined;
}

/** Where a collection is, or is to be, on the target. */
export interface StoredName {
  readonly database: string;
  readonly name: string;
}

/** An alias of the target that this task has made, or was about to; which it therefore may move and drop. */
export interface StoredAlias {
  readonly database: string;
  readonly alias: string;
  readonly collectionId: CollectionId;
}

/** An import into a collection of the source (its rows never pass the log) that nothing more is to be done about. */
export interface KnownImport {
  /** The source's. */
  readonly id: bigint;
  readonly collectionId: CollectionId;
  /** Its rows were left out, as decided: until the collection is copied again. Otherwise a copy has read them, or they are not owed. */
  readonly isLeftOut: boolean;
}

/** What was loaded for a copy: the whole collection, or so many partitions. */
export type LoadedPart = 'all' | readonly string[];

/** By side, what was loaded for the copy of a collection and is to be released after it. */
export interface LoadedForCopy {
  readonly source?: LoadedPart;
  readonly target?: LoadedPart;
}

/**
 * How far the copy of a collection's rows is. `none`: its history begins in the log. `due`: not begun, it has no shards yet.
 * `copying`: its shards are pinned at S, where the log ended before the first read. `copied`: every row that was read
 * is confirmed, and the shards know E, where the log ended after the last read. `joined`: every shard is past E.
 */
export type CopyState = 'none' | 'due' | 'copying' | 'copied' | 'joined';

/** How far the rows of one partition are copied. Pages follow the keys, so two keys say it all. */
export interface CopyProgress {
  readonly partition: string;
  /** All rows up to this key are confirmed; `undefined`: none yet. */
  readonly confirmedKey: bigint | string | undefined;
  /** Rows up to this key may have been written. Never below `confirmedKey`. */
  readonly intentKey: bigint | string | undefined;
  readonly isDone: boolean;
  /** Distinct keys that are confirmed. */
  readonly rowCount: bigint;
  /** Rows of the source that share their key with another one; the copy holds one row for each key. */
  readonly doubledRowCount: bigint;
  /** Keys of the target that the source no longer had, and that were deleted: at least so many, after a crash. */
  readonly deletedRowCount: bigint;
}

export interface StoredShard {
  readonly vchannel: VChannel;
  readonly collectionId: CollectionId;
  readonly channel: PChannel;
  readonly checkpoint: Checkpoint;
  /**
   * The intent mark: messages up to here may have been written; it is on disk before the first byte is sent.
   * `undefined`: not known (a store of an earlier format).
   */
  readonly intent: MessageOrdinal | undefined;
}

/** How far the news of a physical channel (new collections, operations) has been taken up. */
export interface StoredChannel {
  readonly channel: PChannel;
  readonly checkpoint: Checkpoint;
}

/** What a task replicates into what, and who it is in the target. */
export interface TaskScope {
  /** Random: every copy bears it, so that no other task takes it for its own. `undefined`: begun by an earlier version. */
  readonly owner?: string | undefined;
  /** Empty: the source's one marker in the target; else the name of a marker of its own, since others write there too. */
  readonly marker?: string | undefined;
  /** As it was applied last. `undefined`: everything. */
  readonly selection?: Selection | undefined;
  /** For good. `undefined`: the source's names. */
  readonly mapping?: NameMapping | undefined;
}

/** A selection as it is put into the store. */
export interface SelectionChange {
  readonly selection: Selection;
  /** They are no longer followed: with all that is known of them. */
  readonly removed: readonly CollectionId[];
  readonly added: readonly StoredCollection[];
  /** Of those that are not copied. */
  readonly shards: readonly StoredShard[];
}

export interface SeenDatabase {
  /** The source's. */
  readonly id: bigint;
  readonly name: string;
}

export interface StoredTask {
  readonly source: SourceIdentity;
  readonly epoch: number;
  readonly channels: readonly StoredChannel[];
  readonly collections: readonly StoredCollection[];
  readonly shards: readonly StoredShard[];
  /** Databases of the target that this task made (or was about to), which it therefore may drop. */
  readonly databases: readonly string[];
  /** What the source's databases were called that it has shown living: the word of an end has the id alone. */
  readonly seenDatabases: readonly SeenDatabase[];
  readonly aliases: readonly StoredAlias[];
  readonly imports: readonly KnownImport[];
  readonly droppedPartitions: readonly { readonly collectionId: CollectionId; readonly partitionId: PartitionId }[];
  /** Until when (Unix ms) a write of an earlier run may still land; 0 after one that ended in order. */
  readonly writesUntilMs: number;
  /** The run that holds the lease, or held it last; `undefined`: none yet. */
  readonly run?: TaskRun | undefined;
  readonly marker?: StoredMarker | undefined;
  readonly scope: TaskScope;
}

/** What a task begins with; the rest comes with its work. */
export type FirstState = Omit<
  StoredTask,
  'aliases' | 'epoch' | 'databases' | 'seenDatabases' | 'droppedPartitions' | 'writesUntilMs' | 'run' | 'marker'
>;

/** The lease on a task, and what was stored when it was taken. */
export interface RunLease {
  readonly task: StoredTask;
  /** The run that had it before. */
  readonly previousRun: TaskRun | undefined;
}

export type { JoinCertificate } from './task-history.ts';

export interface CheckpointUpdate {
  readonly shards: ReadonlyMap<VChannel, Checkpoint>;
  readonly channels: ReadonlyMap<PChannel, Checkpoint>;
}

/**
 * @throws storeFailed, storeFull from every call; leaseLost from every call that writes, once another run has taken the
 *   lease: nothing of it is stored then.
 */
export interface TaskStore {
  /** `undefined`: the task has never begun. */
  load(): StoredTask | undefined;
  /** First state of a task, in one transaction. @returns its epoch. */
  begin(state: FirstState): number;
  /**
   * Takes the lease for a run: a new epoch, in one transaction with the reading of the state. From then on only this store
   * object writes the task's state; the run before is refused. `undefined`: the task has never begun.
   */
  takeLease(run: TaskRun): RunLease | undefined;
  addChannel(channel: StoredChannel): void;
  addCollection(collection: StoredCollection): void;
  addShard(shard: StoredShard): void;
  /** In one transaction. */
  applySelection(change: SelectionChange): void;
  updateCollection(
    id: CollectionId,
    change: {
      phase: CollectionPhase;
      targetId?: bigint | undefined;
      targetCreateTick?: TimeTick | undefined;
      dropTick?: TimeTick | undefined;
    },
  ): void;
  /** The target is about to be asked to rename the copy. */
  beginRename(id: CollectionId, to: StoredName): void;
  /** The copy bears the name from now on; nothing is being renamed any more. */
  endRename(id: CollectionId, name: StoredName): void;
  /** Those of the source that the copy has been given. */
  setProperties(id: CollectionId, properties: readonly KeyValue[]): void;
  /** The copy has the fields of that schema from now on. */
  setSchema(id: CollectionId, schema: Uint8Array): void;
  /** Before the target is called. One that is known already stands for another collection from now on. */
  saveAlias(alias: StoredAlias): void;
  removeAlias(alias: Pick<StoredAlias, 'alias' | 'database'>): void;
  setOperationsUntil(id: CollectionId, ordinal: MessageOrdinal): void;
  /**
   * A collection that is followed, or cannot be any more, is to be copied again: `due`, without shards, progress and
   * certificate; in one transaction. `phase`: `created` where its copy is known to be there, `creating` where it is ours if it
   * is there, `pending` where it is gone.
   */
  beginRecopy(id: CollectionId, phase: 'pending' | 'creating' | 'created'): void;
  loadedForCopy(id: CollectionId): LoadedForCopy;
  /** To be called before it is loaded, and after its release with `undefined`. */
  setLoadedForCopy(id: CollectionId, side: keyof LoadedForCopy, loaded: LoadedPart | undefined): void;
  /**
   * Opens a collection's copy: its shards, pinned at S, and `copying`; in one transaction. `imports` were completed before S: it
   * reads them, and all that were left out before.
   */
  beginCopy(id: CollectionId, shards: readonly StoredShard[], imports?: readonly bigint[]): void;
  /** One that is known already is replaced. */
  addImport(known: KnownImport): void;
  forgetImports(ids: readonly bigint[]): void;
  copyProgress(id: CollectionId): readonly CopyProgress[];
  saveCopyProgress(id: CollectionId, progress: CopyProgress): void;
  /** Every row is confirmed. The shards' intents become E; in one transaction with `copied`. */
  endCopy(id: CollectionId, ends: ReadonlyMap<VChannel, MessageOrdinal>): void;
  /** `joined`, with the proof of it for the history; no longer a re-copy. */
  recordJoin(id: CollectionId, certificate: JoinCertificate): void;
  joins(): readonly JoinCertificate[];
  /** One that was found before is not recorded again. */
  recordGap(gap: Gap): void;
  /** In the order in which they were found, closed ones too. */
  gaps(): readonly Gap[];
  /** Moves intent marks, all in one transaction: forward, or back at an orderly end. */
  saveIntents(intents: ReadonlyMap<VChannel, MessageOrdinal>): void;
  /** See `StoredTask.writesUntilMs`. */
  setWritesUntil(unixMs: number): void;
  saveMarker(marker: StoredMarker): void;
  /**
   * Of every collection whose copy is on the target and not to be made anew; in one transaction. `beginRecopy` and
   * `beginCopy` end the doubt of their collection.
   */
  doubtCopies(doubt: CopyDoubt): void;
  /** Messages that wait for a person, and those that were left out; oldest first. */
  quarantine(): readonly QuarantinedRecord[];
  /** One that is known already is replaced, unless it was decided on. */
  addQuarantined(record: QuarantinedRecord, bytes: Uint8Array): void;
  quarantinedBytes(id: string): Uint8Array | undefined;
  decideQuarantined(id: string, decision: NonNullable<QuarantinedRecord['decision']>): void;
  /** Those of the collection that nobody has decided on: it is taken up again, or gone. */
  clearQuarantined(id: CollectionId): void;
  /** Takes the place of an earlier event of the same id, whose decision stays. Old ones give way (`OPERATION_EVENTS_MAX`). */
  recordOperation(event: OperationEvent): void;
  /** The newest first: all, or those of one collection, or (`undefined`) of what is about none. */
  operations(of?: { readonly collection: CollectionId | undefined }): readonly OperationEvent[];
  /** Of one that waits. It stays with the event, so that the operation is not asked about again. */
  decideOperation(id: string, decision: OperationDecision): void;
  operationDecisions(): ReadonlyMap<string, OperationDecision>;
  addDatabase(name: string): void;
  removeDatabase(name: string): void;
  addSeenDatabase(database: SeenDatabase): void;
  removeSeenDatabase(id: bigint): void;
  addDroppedPartition(collectionId: CollectionId, partitionId: PartitionId): void;
  /**
   * Moves checkpoints forward, all in one transaction. One that would move back within its epoch, or that carries an
   * older epoch, is refused with `bug`: nothing of the update is stored.
   */
  saveCheckpoints(epoch: number, update: CheckpointUpdate): void;
  /** A deliberate move back: opens a new epoch that begins at the given checkpoints. @returns the new epoch. */
  rewind(update: CheckpointUpdate): number;
}
