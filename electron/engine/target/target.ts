/** The target cluster, as the engine sees it: ordinary public calls, each either confirmed or failed with a class. */
import type { FieldSlice, OperationName, PrimaryKeys } from '../codec/records.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { KeyValue } from '../source/catalog/catalog.ts';

export interface RowsWrite extends CollectionAddress {
  /** Empty for a collection with a partition key: the server refuses a name there. */
  readonly partition: string;
  readonly rowCount: number;
  readonly fields: readonly FieldSlice[];
}

export interface KeysDelete extends CollectionAddress {
  /** Empty: all partitions. */
  readonly partition: string;
  readonly keyField: string;
  readonly keys: PrimaryKeys;
}

export interface CollectionSpec extends CollectionAddress {
  /** Serialized `schema.CollectionSchema` of the source, whatever name it bears. Generated keys are switched off on the way. */
  readonly schema: Uint8Array;
  readonly shardCount: number;
  readonly consistencyLevel: number;
  readonly properties: readonly KeyValue[];
  /** Partitions of a collection with a partition key; 0 where there is none. */
  readonly partitionKeyCount: number;
  /** Whose copy this is: written into the target's collection so that a later start knows its own. */
  readonly origin: string;
  /** Which task made it; absent of what is no task's. */
  readonly owner?: string;
  /** Through which clusters its rows have come, as text (`shared/model/origin-chain.ts`). */
  readonly chain?: string;
}

/** Which collection it is: a later one of the same name has another id, and was made later. */
export interface CollectionIdentity {
  readonly id: bigint;
  /** By the target's own time. */
  readonly createTick: TimeTick;
}

export interface NamedIdentity extends CollectionIdentity {
  readonly name: string;
}

export interface CollectionProperties extends CollectionIdentity {
  readonly properties: ReadonlyMap<string, string>;
  /** Type parameters of each field, by its name: `max_length`, `mmap.enabled`, ... */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

export interface TargetCollection extends CollectionIdentity {
  /** `undefined`: Lifeline did not make it. */
  readonly origin: string | undefined;
  /** `undefined`: no task made it, or one of an earlier version. */
  readonly owner?: string | undefined;
  readonly partitions: readonly string[];
  readonly isLoaded: boolean;
  /** Their names, the server's own left out. */
  readonly fields: readonly string[];
}

export type RightsOperation = Extract<
  OperationName,
  | 'createCredential'
  | 'updateCredential'
  | 'deleteCredential'
  | 'createRole'
  | 'dropRole'
  | 'operateUserRole'
  | 'operatePrivilege'
  | 'operatePrivilegeV2'
  | 'createPrivilegeGroup'
  | 'dropPrivilegeGroup'
  | 'operatePrivilegeGroup'
>;

export interface TargetInfo {
  readonly version: string;
}

/**
 * Errors of every call are `ReplicationError`s of side `target` from the classifier. `timeout` and `unreachable` leave
 * the outcome open: the write may have happened, or may still happen.
 */
export interface Target {
  /** Reaches the server, signs in, and finds out that it takes writes at all. */
  probe(signal: AbortSignal): Promise<TargetInfo>;

  insert(write: RowsWrite, signal: AbortSignal): Promise<void>;
  /** Replaces rows of the same keys (within the partition, where one is named). */
  upsert(write: RowsWrite, signal: AbortSignal): Promise<void>;
  delete(write: KeysDelete, signal: AbortSignal): Promise<void>;

  /** Succeeds when it exists already. */
  createDatabase(name: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void>;
  /** Succeeds when it does not exist. */
  dropDatabase(name: string, signal: AbortSignal): Promise<void>;
  /** Databases are called by the target's own names, whatever the mapping. */
  listDatabases(signal: AbortSignal): Promise<readonly string[]>;
  listCollections(database: string, signal: AbortSignal): Promise<readonly string[]>;
  /** By the target's own names, whatever the mapping. All of a database, in one call; none where there is no such database. */
  collectionIdentities(database: string, signal: AbortSignal): Promise<readonly NamedIdentity[]>;
  readProperties(address: CollectionAddress, signal: AbortSignal): Promise<CollectionProperties | undefined>;
  /** Sets those that are named; the others stay. @throws notFound; unsupported by some servers. */
  setProperties(address: CollectionAddress, properties: readonly KeyValue[], signal: AbortSignal): Promise<void>;
  /**
   * Takes away those that are named and there. Where the server cannot, a lifetime of rows becomes 0, which is none; of the
   * others it @throws unsupported, when that is done.
   */
  removeProperties(address: CollectionAddress, keys: readonly string[], signal: AbortSignal): Promise<void>;
  /** By the target's own name of the database. Sets those that are named; the others stay. @throws notFound; unsupported by servers before 2.4.4. */
  setDatabaseProperties(database: string, properties: readonly KeyValue[], signal: AbortSignal): Promise<void>;
  /** By the target's own name. `undefined`: the server tells nothing of them (before 2.4.4), or there is no such database. */
  readDatabaseProperties(database: string, signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined>;
  /** The collection keeps its id, its rows, its indexes, its aliases. @throws notFound, alreadyExists. */
  renameCollection(address: CollectionAddress, to: CollectionAddress, signal: AbortSignal): Promise<void>;
  /** `field`: serialized `schema.FieldSchema`. Succeeds when the collection has it already. */
  addField(address: CollectionAddress, field: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Sets those type parameters that are named; the others stay. `mmap.enabled` of what is not loaded alone. @throws unsupported by servers that do not offer it (before 2.5, and 2.4 but for its last ones). */
  alterField(
    address: CollectionAddress,
    field: string,
    properties: readonly KeyValue[],
    signal: AbortSignal,
  ): Promise<void>;
  /** What the alias stands for; `undefined`: there is no such alias. `origin` as of `TargetCollection`. */
  describeAlias(
    database: string,
    alias: string,
    signal: AbortSignal,
  ): Promise<{ readonly id: bigint; readonly origin: string | undefined } | undefined>;
  /** Succeeds when it stands for that collection already. @throws alreadyExists: the name is another's, or a collection's. */
  createAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void>;
  /** Points an alias elsewhere. @throws notFound of object `alias`. */
  alterAlias(address: CollectionAddress, alias: string, signal: AbortSignal): Promise<void>;
  /** Succeeds when it does not exist. */
  dropAlias(database: string, alias: string, signal: AbortSignal): Promise<void>;
  /** @throws alreadyExists. */
  createCollection(spec: CollectionSpec, signal: AbortSignal): Promise<void>;
  describeCollection(address: CollectionAddress, signal: AbortSignal): Promise<TargetCollection | undefined>;
  /** Succeeds when it does not exist. */
  dropCollection(address: CollectionAddress, signal: AbortSignal): Promise<void>;
  /** Succeeds when it exists already. */
  createPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void>;
  /** Releases the partition first where it is loaded. Succeeds when it does not exist. */
  dropPartition(address: CollectionAddress, partition: string, signal: AbortSignal): Promise<void>;

  /**
   * Runs one operation of the operation channel: the source's public request with `base` dropped. Repeating one that
   * has had its effect succeeds. Load returns when the target has accepted it, not when it is loaded.
   */
  createIndex(request: Uint8Array, signal: AbortSignal): Promise<void>;
  dropIndex(request: Uint8Array, signal: AbortSignal): Promise<void>;
  loadCollection(request: Uint8Array, signal: AbortSignal): Promise<void>;
  releaseCollection(request: Uint8Array, signal: AbortSignal): Promise<void>;
  loadPartitions(request: Uint8Array, signal: AbortSignal): Promise<void>;
  releasePartitions(request: Uint8Array, signal: AbortSignal): Promise<void>;
  alterIndex(request: Uint8Array, signal: AbortSignal): Promise<void>;
  alterDatabase(request: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Users, roles, grants. Repeating one may be refused. Nothing of the request stands in an error. */
  operateRights(operation: RightsOperation, request: Uint8Array, signal: AbortSignal): Promise<void>;
  flush(address: CollectionAddress, signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}
