/**
 * What one task has promised and decided, durable. The engine is its only writer. Calls return when the change is on
 * disk; a crash in the middle leaves either the old or the new state, never a mixture.
 */
import type { CollectionId, PartitionId, PChannel, VChannel } from './ids.ts';
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
}

export interface StoredShard {
  readonly vchannel: VChannel;
  readonly collectionId: CollectionId;
  readonly channel: PChannel;
  readonly checkpoint: Checkpoint;
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
}

/** What a task begins with; the rest comes with its work. */
export type FirstState = Omit<StoredTask, 'epoch' | 'databases' | 'droppedPartitions'>;

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
