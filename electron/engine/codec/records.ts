/**
 * What a message of the source's log says, once decoded. Payload columns stay as wire bytes: slices of the message
 * that was read, valid as long as the message's buffer is kept, and never copied or decoded on the way to the target.
 */
import type { CollectionId, PartitionId, PChannel, VChannel } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';

/** One column of an Insert: the whole serialized `schema.FieldData`, as the public Insert and Upsert calls take it. */
export interface FieldSlice {
  readonly fieldId: bigint;
  readonly fieldName: string;
  readonly bytes: Uint8Array;
}

interface RecordBase {
  /** `base.msgID` of the message; Milvus repeats it when a producer sends the same message again. */
  readonly messageId: bigint;
  /** Smallest and largest timestamp of the message: of its rows where it has rows, otherwise of its base. */
  readonly beginTick: TimeTick;
  readonly endTick: TimeTick;
}

/** Database names are never empty here: Milvus' empty name is `default`. */
interface CollectionRecordBase extends RecordBase {
  readonly database: string;
  readonly collectionName: string;
  readonly collectionId: CollectionId;
}

export interface InsertRecord extends CollectionRecordBase {
  readonly kind: 'insert';
  readonly vchannel: VChannel;
  readonly partitionName: string;
  readonly partitionId: PartitionId;
  readonly rowCount: number;
  /** User columns in log order (field ids from 100, the dynamic column included). */
  readonly fields: readonly FieldSlice[];
}

/** Primary keys of rows: exact integers or strings, in log order. */
export type PrimaryKeys =
  | { readonly type: 'int64'; readonly values: BigInt64Array }
  | { readonly type: 'varchar'; readonly values: readonly string[] };

export interface DeleteRecord extends CollectionRecordBase {
  readonly kind: 'delete';
  readonly vchannel: VChannel;
  /** Empty: the delete is for all partitions. */
  readonly partitionName: string;
  readonly partitionId: PartitionId;
  readonly keys: PrimaryKeys;
  /** It names its rows by a condition instead of their keys, which no public call repeats as of then. There are no keys. */
  readonly isByExpression?: true;
}

export interface TimeTickRecord extends RecordBase {
  readonly kind: 'timeTick';
}

export interface CreateCollectionRecord extends CollectionRecordBase {
  readonly kind: 'createCollection';
  readonly databaseId: bigint;
  /** Serialized `schema.CollectionSchema`. */
  readonly schema: Uint8Array;
  readonly vchannels: readonly VChannel[];
  readonly pchannels: readonly PChannel[];
  /** Names and ids of the partitions that the collection is born with, in pairs. */
  readonly partitions: readonly { readonly name: string; readonly id: PartitionId }[];
}

export interface DropCollectionRecord extends CollectionRecordBase {
  readonly kind: 'dropCollection';
}

export interface CreatePartitionRecord extends CollectionRecordBase {
  readonly kind: 'createPartition';
  readonly partitionName: string;
  readonly partitionId: PartitionId;
}

export interface DropPartitionRecord extends CollectionRecordBase {
  readonly kind: 'dropPartition';
  readonly partitionName: string;
  readonly partitionId: PartitionId;
}

/** Told by the catalogue of every server, and by the log of later ones too. */
type CatalogueOperation =
  | 'createAlias'
  | 'dropAlias'
  | 'alterAlias'
  | 'alterCollection'
  | 'alterCollectionField'
  | 'renameCollection'
  | 'addField';

/** The operations that `<prefix>-replicate-msg` carries; the names are ours, the types Milvus'. */
export type OperationName =
  | 'createDatabase'
  | 'dropDatabase'
  | 'alterDatabase'
  | 'createIndex'
  | 'dropIndex'
  | 'alterIndex'
  | 'loadCollection'
  | 'releaseCollection'
  | 'loadPartitions'
  | 'releasePartitions'
  | 'flush'
  | 'truncateCollection'
  | CatalogueOperation
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
  | 'operatePrivilegeGroup';

export interface OperationRecord extends RecordBase {
  readonly kind: 'operation';
  readonly operation: OperationName;
  readonly database: string;
  /** Collections that the operation names: one, several for a flush, none for databases and rights. */
  readonly collectionNames: readonly string[];
  /** The whole message: the public request of that operation, its `base` (field 1) included. */
  readonly request: Uint8Array;
}

/** A message of a type that this version does not know, to be reported and counted. */
export interface UnknownRecord extends RecordBase {
  readonly kind: 'unknown';
  readonly messageType: number;
  /** Where the unknown message names its shard or collection. */
  readonly vchannel?: VChannel;
}

export type WalRecord =
  | InsertRecord
  | DeleteRecord
  | TimeTickRecord
  | CreateCollectionRecord
  | DropCollectionRecord
  | CreatePartitionRecord
  | DropPartitionRecord
  | OperationRecord
  | UnknownRecord;

/** Malformed bytes are an expected failure: what was being read, and at which byte of the message. */
export interface DecodeFailure {
  readonly kind: 'malformed';
  readonly what: string;
  readonly offset: number;
}

export type DecodeResult = WalRecord | DecodeFailure;
