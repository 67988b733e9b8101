/**
 * What one task has promised and decided, durable. The engine is its only writer. Calls return when the change is on
 * disk; a crash in the middle leaves either the old or the new state, never a mixture.
 */
import type { CollectionId, PartitionId, PChannel, VChannel } from './ids.ts';
import type { JoinCertificate } from './task-history.ts';
import type { Checkpoint, MessageOrdinal } from './position.ts';
import type { TimeTick } from '../time/time-tick.ts';

/** Who the source was when the task was begun. Another cluster at the same address must not be taken for it. */
export interface SourceIdentity {
  readonly etcdClusterId: string;
  readonly rootPath: string;
  readonly walKind: string;
  readonly walIdentity: string;
}

/**
 * A collection of the source, by identity. `creating` and `dropping` are written before the target is called, so that
 * after a crash it is known what may have happened there.
 */
export type CollectionPhase = 'pending' | 'creating' | 'created' | 'dropping' | 'dropped';

export interface StoredCollection {
  readonly id: CollectionId;
  readonly database: string;
  readonly name: string;
  readonly createTick: TimeTick;
  readonly dropTick: TimeTick | undefined;
  readonly phase: CollectionPhase;
  /** The target's id of its copy, known from `created` on. */
  readonly targetId: bigint | undefined;
  /** Serialized `schema.CollectionSchema` of the source. */
  readonly schema: Uint8Array;
  readonly shardCount: number;
  readonly consistencyLevel: number;
  readonly properties: readonly { readonly key: string; readonly value: string }[];
  readonly partitionKeyCount: number;
  readonly vchannels: readonly VChannel[];
  /** Operations (index, load, ...) of the collection up to this message of their channel have had their effect. */
  readonly operationsUntil: MessageOrdinal;
  readonly copy: CopyState;
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

export interface StoredTask {
  readonly source: SourceIdentity;
  readonly epoch: number;
  readonly channels: readonly StoredChannel[];
  readonly collections: readonly StoredCollection[];
  readonly shards: readonly StoredShard[];
  /** Databases of the target that this task made (or was about to), which it therefore may drop. */
  readonly databases: readonly string[];
  readonly droppedPartitions: readonly { readonly collectionId: CollectionId; readonly partitionId: PartitionId }[];
  /** Until when (Unix ms) a write of an earlier run may still land; 0 after one that ended in order. */
  readonly writesUntilMs: number;
}

/** What a task begins with; the rest comes with its work. */
export type FirstState = Omit<StoredTask, 'epoch' | 'databases' | 'droppedPartitions' | 'writesUntilMs'>;

export type { JoinCertificate } from './task-history.ts';

export interface CheckpointUpdate {
  readonly shards: ReadonlyMap<VChannel, Checkpoint>;
  readonly channels: ReadonlyMap<PChannel, Checkpoint>;
}

/** @throws storeFailed from every call. */
export interface TaskStore {
  /** `undefined`: the task has never begun. */
  load(): StoredTask | undefined;
  /** First state of a task, in one transaction. @returns its epoch. */
  begin(state: FirstState): number;
  addChannel(channel: StoredChannel): void;
  addCollection(collection: StoredCollection): void;
  addShard(shard: StoredShard): void;
  updateCollection(
    id: CollectionId,
    change: { phase: CollectionPhase; targetId?: bigint | undefined; dropTick?: TimeTick | undefined },
  ): void;
  setOperationsUntil(id: CollectionId, ordinal: MessageOrdinal): void;
  /** Opens a collection's copy: its shards, pinned at S, and `copying`; in one transaction. */
  beginCopy(id: CollectionId, shards: readonly StoredShard[]): void;
  copyProgress(id: CollectionId): readonly CopyProgress[];
  saveCopyProgress(id: CollectionId, progress: CopyProgress): void;
  /** Every row is confirmed. The shards' intents become E; in one transaction with `copied`. */
  endCopy(id: CollectionId, ends: ReadonlyMap<VChannel, MessageOrdinal>): void;
  /** `joined`, with the proof of it for the history. */
  recordJoin(id: CollectionId, certificate: JoinCertificate): void;
  joins(): readonly JoinCertificate[];
  /** Moves intent marks forward, all in one transaction. */
  saveIntents(intents: ReadonlyMap<VChannel, MessageOrdinal>): void;
  /** See `StoredTask.writesUntilMs`. */
  setWritesUntil(unixMs: number): void;
  addDatabase(name: string): void;
  removeDatabase(name: string): void;
  addDroppedPartition(collectionId: CollectionId, partitionId: PartitionId): void;
  /**
   * Moves checkpoints forward, all in one transaction. One that would move back within its epoch, or that carries an
   * older epoch, is refused with `bug`: nothing of the update is stored.
   */
  saveCheckpoints(epoch: number, update: CheckpointUpdate): void;
  /** A deliberate move back: opens a new epoch that begins at the given checkpoints. @returns the new epoch. */
  rewind(update: CheckpointUpdate): number;
}
