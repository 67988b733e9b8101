/** What the source's etcd says of its databases, collections and what belongs to them. It tells what there is; the log tells when. */
import type { CollectionId, PartitionId, PChannel, VChannel } from '../../../../shared/model/ids.ts';
import type { TimeTick } from '../../../../shared/time/time-tick.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';

export type { KeyValue };

export interface CatalogDatabase {
  readonly id: bigint;
  readonly name: string;
  readonly properties: readonly KeyValue[];
}

export interface CatalogPartition {
  readonly id: PartitionId;
  readonly name: string;
  readonly createTick: TimeTick;
}

/** A shard's place in the log, as Milvus recorded it (`msgID` in the broker's own bytes). */
export interface ShardPosition {
  readonly vchannel: VChannel;
  readonly pchannel: PChannel;
  readonly messageId: Uint8Array;
}

export interface CatalogCollection {
  readonly id: CollectionId;
  readonly databaseId: bigint;
  readonly database: string;
  readonly name: string;
  readonly createTick: TimeTick;
  readonly shardCount: number;
  /** `common.ConsistencyLevel` as a number. */
  readonly consistencyLevel: number;
  readonly properties: readonly KeyValue[];
  /** The properties may be older than the last alteration. @see withShownProperties */
  readonly isBehind?: boolean;
  /** etcd's revision at which anything of the collection itself (not of its fields or partitions) was stored last. */
  readonly changedAt?: bigint;
  /** Serialized `schema.CollectionSchema`, its fields (ids from 100) put together from their own keys. */
  readonly schema: Uint8Array;
  readonly partitions: readonly CatalogPartition[];
  /** By their own word, which Milvus keeps for some time; none: it keeps none. */
  readonly endedPartitions?: readonly PartitionId[];
  /** Where each shard's history begins: the position of its CreateCollection message. One per shard. */
  readonly startPositions: readonly ShardPosition[];
}

export interface CatalogIndex {
  readonly name: string;
  readonly fieldId: bigint;
  /** As the user gave them, which is what the public call takes and gives. */
  readonly params: readonly KeyValue[];
}

/** What is loaded of a collection, or is being loaded. */
export interface CatalogLoad {
  readonly replicaNumber: number;
  readonly partitions: ReadonlySet<PartitionId>;
  /** Only these, by their ids; absent: all. */
  readonly fields?: readonly bigint[];
}

/** What a collection has beside its rows and schema. */
export interface CatalogDefinitions {
  readonly indexes: readonly CatalogIndex[];
  /** `undefined`: nothing is loaded. */
  readonly load: CatalogLoad | undefined;
}

export interface CatalogAlias {
  readonly database: string;
  readonly alias: string;
  readonly collectionId: CollectionId;
}

/** Rows that were put into a collection as files. They never pass the log. */
export interface CatalogImport {
  /** Never given to another one. */
  readonly id: bigint;
  readonly collectionId: CollectionId;
  /** Its rows are the collection's for good: they are shown as soon as what is loaded has been brought up to date. */
  readonly isCompleted: boolean;
  readonly fileCount: number;
  /** `undefined`: newer servers do not say it there. */
  readonly rowCount: bigint | undefined;
  /** Into this one alone, as far as that is known. */
  readonly partition: string | undefined;
  /** What it has made, as far as the server says it there. */
  readonly segments: readonly bigint[];
}

/**
 * What the catalogue says to have ended: a tombstone, or a state from Dropping on. That alone, not absence, proves an end;
 * Milvus removes these words after some time.
 */
export interface CatalogEnds {
  readonly collections: ReadonlySet<CollectionId>;
  /** With their names, by their collection. */
  readonly partitions: ReadonlyMap<CollectionId, ReadonlyMap<PartitionId, string>>;
  /** By `aliasKey`. */
  readonly aliases: ReadonlySet<string>;
  /** By their ids: what is left of a database names nothing else. */
  readonly databases: ReadonlySet<bigint>;
}

/** An alias is known by its database and its name; `/` is part of neither. */
export const aliasKey = ({ database, alias }: Pick<CatalogAlias, 'alias' | 'database'>): string =>
  `${database}/${alias}`;

export interface CatalogSnapshot {
  /** Identity of the etcd cluster that was read, a decimal string. */
  readonly clusterId: string;
  /** etcd's revision at which everything below was read. */
  readonly revision: bigint;
  readonly databases: readonly CatalogDatabase[];
  /** Only collections in the state Created. */
  readonly collections: readonly CatalogCollection[];
  /** By collection; one that has none of them is left out. */
  readonly definitions: ReadonlyMap<CollectionId, CatalogDefinitions>;
  readonly aliases: readonly CatalogAlias[];
  readonly ended: CatalogEnds;
  /** Also those that are under way, or have failed. Milvus forgets each after some time. */
  readonly imports: readonly CatalogImport[];
}

export interface Catalog {
  /** Identity of the etcd cluster, a decimal string. */
  clusterId(): Promise<string>;
  /** One consistent reading. @throws rootPathNotFound when etcd answers but holds no Milvus under the root path. */
  snapshot(): Promise<CatalogSnapshot>;
  /** As in a snapshot, now. */
  imports(): Promise<readonly CatalogImport[]>;
  /**
   * One collection as it is now. `creating`: the source is making it. `gone`: it was dropped, or is being dropped.
   * `undefined`: there is no word of it, so it is not there yet (its CreateCollection message is in the log some
   * milliseconds before; seen on 2.3.5), it was never made after all, or its end is long past.
   */
  collection(id: CollectionId): Promise<CatalogCollection | 'creating' | 'gone' | undefined>;
  /** The database of a collection that is `gone`, as long as there is a word of both. */
  databaseOfGone(id: CollectionId): Promise<string | undefined>;
  /** Of which fields it is loaded, by their ids; `undefined`: of all, or it is not loaded. */
  loadFields(id: CollectionId): Promise<readonly bigint[] | undefined>;
  /**
   * Whether nothing of the collection itself, its name among it, has changed since it was read: one key without its value.
   * `false` may also mean that this cannot be told.
   */
  isUnchanged(collection: CatalogCollection): Promise<boolean>;
  /**
   * Calls back whenever anything that a snapshot shows changed, until the signal aborts. Only says that something
   * changed; re-established after every disconnection and compaction, with one call then.
   */
  watch(onChange: () => void, signal: AbortSignal): void;
  /** @throws unreachable, unauthenticated, ... with side `source`. */
  close(): Promise<void>;
}
