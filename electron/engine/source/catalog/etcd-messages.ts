/**
 * The values that Milvus keeps in its etcd, read as far as the catalog needs them (`etcdpb` and `msgpb` of Milvus 2.3;
 * the numbers are those of a live 2.3.5 server). Schemas stay bytes. 64-bit values come out as `bigint`.
 */
import protobuf from 'protobufjs';
import type { KeyValue } from '../../../../shared/model/key-value.ts';

const root = protobuf.Root.fromJSON({
  nested: {
    KeyValuePair: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    KeyDataPair: { fields: { key: { type: 'string', id: 1 }, data: { type: 'bytes', id: 2 } } },
    DatabaseInfo: {
      fields: {
        name: { type: 'string', id: 2 },
        id: { type: 'int64', id: 3 },
        state: { type: 'uint32', id: 4 },
        properties: { rule: 'repeated', type: 'KeyValuePair', id: 6 },
      },
    },
    CollectionInfo: {
      fields: {
        id: { type: 'int64', id: 1 },
        schema: { type: 'bytes', id: 2 },
        createTime: { type: 'uint64', id: 3 },
        virtualChannels: { rule: 'repeated', type: 'string', id: 7 },
        physicalChannels: { rule: 'repeated', type: 'string', id: 8 },
        shardCount: { type: 'int32', id: 10 },
        startPositions: { rule: 'repeated', type: 'KeyDataPair', id: 11 },
        consistencyLevel: { type: 'uint32', id: 12 },
        state: { type: 'uint32', id: 13 },
        properties: { rule: 'repeated', type: 'KeyValuePair', id: 14 },
        databaseId: { type: 'int64', id: 15 },
      },
    },
    PartitionInfo: {
      fields: {
        id: { type: 'int64', id: 1 },
        name: { type: 'string', id: 2 },
        createTime: { type: 'uint64', id: 3 },
        collectionId: { type: 'int64', id: 4 },
        state: { type: 'uint32', id: 5 },
      },
    },
    AliasInfo: {
      fields: {
        name: { type: 'string', id: 1 },
        collectionId: { type: 'int64', id: 2 },
        state: { type: 'uint32', id: 4 },
        databaseId: { type: 'int64', id: 5 },
      },
    },
    IndexInfo: {
      fields: {
        collectionId: { type: 'int64', id: 1 },
        fieldId: { type: 'int64', id: 2 },
        name: { type: 'string', id: 3 },
        id: { type: 'int64', id: 4 },
        indexParams: { rule: 'repeated', type: 'KeyValuePair', id: 6 },
        userParams: { rule: 'repeated', type: 'KeyValuePair', id: 12 },
      },
    },
    FieldIndex: {
      fields: {
        info: { type: 'IndexInfo', id: 1 },
        isDeleted: { type: 'bool', id: 2 },
      },
    },
    CollectionLoadInfo: {
      fields: {
        collectionId: { type: 'int64', id: 1 },
        replicaNumber: { type: 'int32', id: 3 },
        status: { type: 'uint32', id: 4 },
        loadFields: { rule: 'repeated', type: 'int64', id: 8 },
      },
    },
    PartitionLoadInfo: {
      fields: {
        collectionId: { type: 'int64', id: 1 },
        partitionId: { type: 'int64', id: 2 },
        status: { type: 'uint32', id: 4 },
      },
    },
    ChannelWatchInfo: { fields: { state: { type: 'uint32', id: 3 } } },
    ImportTaskState: {
      fields: {
        code: { type: 'uint32', id: 1 },
        segments: { rule: 'repeated', type: 'int64', id: 2 },
        rowCount: { type: 'int64', id: 4 },
      },
    },
    ImportTaskInfo: {
      fields: {
        id: { type: 'int64', id: 1 },
        collectionId: { type: 'int64', id: 4 },
        files: { rule: 'repeated', type: 'string', id: 9 },
        state: { type: 'ImportTaskState', id: 11 },
        partitionName: { type: 'string', id: 13 },
      },
    },
    ImportFile: { fields: { paths: { rule: 'repeated', type: 'string', id: 2 } } },
    ImportJob: {
      fields: {
        id: { type: 'int64', id: 1 },
        collectionId: { type: 'int64', id: 3 },
        state: { type: 'uint32', id: 11 },
        files: { rule: 'repeated', type: 'ImportFile', id: 14 },
      },
    },
    MsgPosition: {
      fields: {
        channelName: { type: 'string', id: 1 },
        messageId: { type: 'bytes', id: 2 },
        timestamp: { type: 'uint64', id: 4 },
      },
    },
  },
});

export interface DatabaseInfo {
  readonly name: string;
  readonly id: bigint;
  readonly state: number;
  readonly properties: readonly KeyValue[];
}

export interface CollectionInfo {
  readonly id: bigint;
  /** `schema.CollectionSchema` without its fields, which have keys of their own. */
  readonly schema: Uint8Array;
  readonly createTime: bigint;
  readonly virtualChannels: readonly string[];
  readonly physicalChannels: readonly string[];
  readonly shardCount: number;
  /** By physical channel. */
  readonly startPositions: readonly { readonly key: string; readonly data: Uint8Array }[];
  readonly consistencyLevel: number;
  readonly state: number;
  readonly properties: readonly KeyValue[];
  readonly databaseId: bigint;
}

export interface PartitionInfo {
  readonly id: bigint;
  readonly name: string;
  readonly createTime: bigint;
  readonly collectionId: bigint;
  readonly state: number;
}

/** `etcdpb.AliasInfo`. */
export interface AliasInfo {
  readonly name: string;
  readonly collectionId: bigint;
  readonly state: number;
  readonly databaseId: bigint;
}

/** `indexpb.FieldIndex`; one that was dropped stays, marked, until its files are gone. */
export interface FieldIndex {
  readonly info: {
    readonly collectionId: bigint;
    readonly fieldId: bigint;
    readonly name: string;
    readonly id: bigint;
    readonly indexParams: readonly { readonly key: string; readonly value: string }[];
    /** What `DescribeIndex` shows; older servers leave it out. */
    readonly userParams: readonly { readonly key: string; readonly value: string }[];
  } | null;
  readonly isDeleted: boolean;
}

/** `querypb.CollectionLoadInfo`: there while the collection, or any partition of it, is loaded or being loaded. */
export interface CollectionLoadInfo {
  readonly collectionId: bigint;
  readonly replicaNumber: number;
  readonly status: number;
  /** 2.4 and later; none: all fields. */
  readonly loadFields: readonly bigint[];
}

export interface PartitionLoadInfo {
  readonly collectionId: bigint;
  readonly partitionId: bigint;
  readonly status: number;
}

/** `datapb.ChannelWatchInfo` of 2.3: a channel, and what its data node has done with it or is to do. */
export interface ChannelWatchInfo {
  readonly state: number;
}

/** `datapb.ImportTaskInfo`: an import of 2.3 and older. */
export interface ImportTaskInfo {
  readonly id: bigint;
  readonly collectionId: bigint;
  readonly files: readonly string[];
  /** The segments that it has made, and the rows in them. */
  readonly state: { readonly code: number; readonly segments: readonly bigint[]; readonly rowCount: bigint } | null;
  /** What the user named; of a collection with a partition key nothing. */
  readonly partitionName: string;
}

/**
 * `datapb.ImportJob`: an import of 2.4 and newer (milvus internal/proto/data_coord.proto of 2.4, pkg/proto/data_coord.proto of
 * 2.5: fields 1, 3, 11 and 14; its files are `internalpb.ImportFile`).
 */
export interface ImportJob {
  readonly id: bigint;
  readonly collectionId: bigint;
  readonly state: number;
  readonly files: readonly { readonly paths: readonly string[] }[];
}

/** `msgpb.MsgPosition`, as a channel checkpoint holds it. */
export interface MsgPosition {
  readonly channelName: string;
  readonly messageId: Uint8Array;
  readonly timestamp: bigint;
}

/** Milvus' states differ by message: a database that is there has 1, a collection or a partition 0 (live 2.3.5). */
export const DATABASE_CREATED = 1;
/** From here on (Dropping 3, Dropped 4) it has ended; 2.3.5 keeps the tombstone only. */
export const DATABASE_DROPPING = 3;
export const COLLECTION_CREATED = 0;
export const COLLECTION_CREATING = 1;
/** From here on (Dropping 2, Dropped 3) it has ended. */
export const COLLECTION_DROPPING = 2;
export const PARTITION_CREATED = 0;
/** From here on (Dropping 2, Dropped 3) it has ended; seen as `28 02` on 2.3.5. */
export const PARTITION_DROPPING = 2;
/** Of an alias (etcdpb.AliasState); 2.3.5 keeps the tombstone only. */
export const ALIAS_CREATED = 0;

/** `commonpb.ImportState` (live 2.3.5: 0 pending, 2 started, 5 persisted, then this; 1 failed, 7 failed and cleaned). */
export const IMPORT_TASK_COMPLETED = 6;
/** `internalpb.ImportJobState` (milvus pkg/proto/internal.proto: 1 pending, 2 pre-importing, 3 importing, 4 failed, 6 and 7 before it). */
export const IMPORT_JOB_COMPLETED = 5;

/** What a key holds that Milvus has deleted but keeps (milvus internal/metastore/kv/rootcoord, 2.3: the tombstone). */
const TOMBSTONE = Uint8Array.of(0xe2, 0x9b, 0xbc);

export const isTombstone = (value: Uint8Array): boolean =>
  value.length === TOMBSTONE.length && TOMBSTONE.every((byte, index) => value[index] === byte);

function read(name: string, bytes: Uint8Array): unknown {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: BigInt, defaults: true, arrays: true });
}

/** Each throws protobufjs' error on malformed bytes. */
export const readDatabaseInfo = (bytes: Uint8Array): DatabaseInfo => read('DatabaseInfo', bytes) as DatabaseInfo;
export const readCollectionInfo = (bytes: Uint8Array): CollectionInfo =>
  read('CollectionInfo', bytes) as CollectionInfo;
export const readPartitionInfo = (bytes: Uint8Array): PartitionInfo => read('PartitionInfo', bytes) as PartitionInfo;
export const readAliasInfo = (bytes: Uint8Array): AliasInfo => read('AliasInfo', bytes) as AliasInfo;
export const readFieldIndex = (bytes: Uint8Array): FieldIndex => read('FieldIndex', bytes) as FieldIndex;
export const readCollectionLoadInfo = (bytes: Uint8Array): CollectionLoadInfo =>
  read('CollectionLoadInfo', bytes) as CollectionLoadInfo;
export const readPartitionLoadInfo = (bytes: Uint8Array): PartitionLoadInfo =>
  read('PartitionLoadInfo', bytes) as PartitionLoadInfo;
export const readChannelWatchInfo = (bytes: Uint8Array): ChannelWatchInfo =>
  read('ChannelWatchInfo', bytes) as ChannelWatchInfo;
export const readImportTaskInfo = (bytes: Uint8Array): ImportTaskInfo =>
  read('ImportTaskInfo', bytes) as ImportTaskInfo;
export const readImportJob = (bytes: Uint8Array): ImportJob => read('ImportJob', bytes) as ImportJob;
export const readMsgPosition = (bytes: Uint8Array): MsgPosition => read('MsgPosition', bytes) as MsgPosition;
