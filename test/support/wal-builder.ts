/**
 * Real wire bytes of every message of the log, made with protobufjs from the SDK's definitions, so that the product's own
 * decoder runs in the tests. What 2.3.5 leaves out (databases of definitions, names of partitions) is left out here too.
 */
import { TIME_TICK_ZERO, type TimeTick } from '../../shared/time/time-tick.ts';
import * as types from '../../electron/engine/codec/message-types.ts';
import type { OperationName } from '../../electron/engine/codec/records.ts';
import { encodeMessage } from './milvus-messages.ts';

export type Key = bigint | string;
export interface Row {
  readonly key: Key;
  readonly value: string;
  /** By the name of a field that was added; null where there is none. */
  readonly more?: Readonly<Record<string, string>>;
}

/** All but the key. */
export const valueText = ({ value, more = {} }: Row): string =>
  [value, ...Object.entries(more).map(([name, held]) => `${name}=${held}`)].join(';');

export interface BuiltCollection {
  readonly id: bigint;
  readonly database: string;
  readonly name: string;
  readonly vchannels: readonly string[];
  readonly pchannels: readonly string[];
  readonly hasPartitionKey: boolean;
  readonly hasTextKeys: boolean;
  /** Of `schema.FieldSchema`; no row has a value for them. */
  readonly moreFields?: readonly object[];
  /** Names of fields that were added: texts that may be null. */
  readonly addedFields?: readonly string[];
  /** Type parameters of the value's field. */
  readonly valueSettings?: ReadonlyMap<string, string>;
}

export interface BuiltPartition {
  readonly id: bigint;
  readonly name: string;
}

const DATA_TYPE_INT64 = 5;
const DATA_TYPE_VARCHAR = 21;
export const KEY_FIELD = { id: 100, name: 'id' } as const;
export const VALUE_FIELD = { id: 101, name: 'value' } as const;
const ADDED_FIELD_ID_MIN = 150;

const base = (msgType: number, tick: TimeTick, msgID = 0n): object => ({
  msgType,
  msgID: String(msgID),
  timestamp: String(tick),
});
/** `default` stands as the empty string in messages of rows. */
const dbName = (name: string): string => (name === 'default' ? '' : name);

export function buildSchema(collection: BuiltCollection, autoId = false): Uint8Array {
  const { name, hasPartitionKey, hasTextKeys, moreFields = [], addedFields = [], valueSettings = [] } = collection;
  return encodeMessage('schema.CollectionSchema', {
    name,
    fields: [
      {
        fieldID: KEY_FIELD.id,
        name: KEY_FIELD.name,
        isPrimaryKey: true,
        dataType: hasTextKeys ? DATA_TYPE_VARCHAR : DATA_TYPE_INT64,
        autoID: autoId,
      },
      {
        fieldID: VALUE_FIELD.id,
        name: VALUE_FIELD.name,
        dataType: DATA_TYPE_VARCHAR,
        isPartitionKey: hasPartitionKey,
        typeParams: [...valueSettings].map(([key, value]) => ({ key, value })),
      },
      ...moreFields,
      ...addedFields.map((added, index) => ({
        fieldID: ADDED_FIELD_ID_MIN + index,
        name: added,
        dataType: DATA_TYPE_VARCHAR,
        nullable: true,
      })),
    ],
  });
}

export const buildTick = (tick: TimeTick): Uint8Array =>
  encodeMessage('msg.TimeTickMsg', { base: base(types.MSG_TIME_TICK, tick) });

export function buildCreateCollection(
  collection: BuiltCollection,
  partitions: readonly BuiltPartition[],
  tick: TimeTick,
): Uint8Array {
  return encodeMessage('msg.CreateCollectionRequest', {
    base: base(types.MSG_CREATE_COLLECTION, tick),
    collectionID: String(collection.id),
    schema: buildSchema(collection),
    virtualChannelNames: collection.vchannels,
    physicalChannelNames: collection.pchannels,
    partitionIDs: partitions.map(({ id }) => String(id)),
  });
}

export const buildDropCollection = (collection: BuiltCollection, tick: TimeTick): Uint8Array =>
  encodeMessage('msg.DropCollectionRequest', {
    base: base(types.MSG_DROP_COLLECTION, tick),
    collectionName: collection.name,
    collectionID: String(collection.id),
  });

export const buildDropPartition = (
  collection: BuiltCollection,
  partition: BuiltPartition,
  tick: TimeTick,
): Uint8Array =>
  encodeMessage('msg.DropPartitionRequest', {
    base: base(types.MSG_DROP_PARTITION, tick),
    collectionID: String(collection.id),
    partitionName: partition.name,
    partitionID: String(partition.id),
  });

/** Newer servers write it, 2.3.5 does not. */
export const buildCreatePartition = (
  collection: BuiltCollection,
  partition: BuiltPartition,
  tick: TimeTick,
): Uint8Array =>
  encodeMessage('msg.CreatePartitionRequest', {
    base: base(types.MSG_CREATE_PARTITION, tick),
    collectionID: String(collection.id),
    partitionName: partition.name,
    partitionID: String(partition.id),
  });

export interface DataMessage {
  readonly collection: BuiltCollection;
  readonly partition: BuiltPartition | undefined;
  readonly vchannel: string;
  readonly tick: TimeTick;
  readonly messageId: bigint;
}

export function buildInsert(message: DataMessage, rows: readonly Row[], isUpsertHalf = false): Uint8Array {
  const { collection, partition, vchannel, tick, messageId } = message;
  return encodeMessage('msg.InsertRequest', {
    // The insert half of an upsert may carry no timestamp in its base (MILVUS-CDC.md §21).
    base: base(types.MSG_INSERT, isUpsertHalf ? TIME_TICK_ZERO : tick, messageId),
    shardName: vchannel,
    dbName: dbName(collection.database),
    collectionName: collection.name,
    partitionName: partition?.name ?? '',
    collectionID: String(collection.id),
    partitionID: String(partition?.id ?? 0n),
    timestamps: rows.map(() => String(tick)),
    rowIDs: rows.map((_row, index) => String(messageId * 1000n + BigInt(index))),
    fieldsData: buildColumns(collection, rows),
    numRows: rows.length,
    version: 1,
  });
}

export interface BuiltColumn {
  readonly type: number;
  readonly scalars: object;
  readonly validData?: readonly boolean[];
  readonly fieldName: string;
  readonly fieldId: number;
}

export const buildColumns = (collection: BuiltCollection, rows: readonly Row[]): BuiltColumn[] => [
  {
    type: collection.hasTextKeys ? DATA_TYPE_VARCHAR : DATA_TYPE_INT64,
    fieldName: KEY_FIELD.name,
    fieldId: KEY_FIELD.id,
    scalars: collection.hasTextKeys
      ? { stringData: { data: rows.map(({ key }) => key) } }
      : { longData: { data: rows.map(({ key }) => String(key)) } },
  },
  {
    type: DATA_TYPE_VARCHAR,
    fieldName: VALUE_FIELD.name,
    fieldId: VALUE_FIELD.id,
    scalars: { stringData: { data: rows.map(({ value }) => value) } },
  },
  // In the log, and in a query's answer, as one value for each row beside their validity.
  ...(collection.addedFields ?? []).map((name, index) => ({
    type: DATA_TYPE_VARCHAR,
    fieldName: name,
    fieldId: ADDED_FIELD_ID_MIN + index,
    scalars: { stringData: { data: rows.map(({ more }) => more?.[name] ?? '') } },
    validData: rows.map(({ more }) => more?.[name] !== undefined),
  })),
];

export function buildDelete(message: DataMessage, keys: readonly Key[]): Uint8Array {
  const { collection, partition, vchannel, tick, messageId } = message;
  return encodeMessage('msg.DeleteRequest', {
    base: base(types.MSG_DELETE, tick, messageId),
    shardName: vchannel,
    dbName: dbName(collection.database),
    collectionName: collection.name,
    partitionName: partition?.name ?? '',
    collectionID: String(collection.id),
    partitionID: String(partition?.id ?? -1n),
    timestamps: keys.map(() => String(tick)),
    numRows: keys.length,
    primaryKeys: collection.hasTextKeys ? { strId: { data: keys } } : { intId: { data: keys.map(String) } },
  });
}

const REQUESTS: Readonly<Partial<Record<OperationName, string>>> = {
  createDatabase: 'CreateDatabaseRequest',
  dropDatabase: 'DropDatabaseRequest',
  createIndex: 'CreateIndexRequest',
  dropIndex: 'DropIndexRequest',
  loadCollection: 'LoadCollectionRequest',
  releaseCollection: 'ReleaseCollectionRequest',
  loadPartitions: 'LoadPartitionsRequest',
  releasePartitions: 'ReleasePartitionsRequest',
  flush: 'FlushRequest',
  alterIndex: 'AlterIndexRequest',
  alterDatabase: 'AlterDatabaseRequest',
  truncateCollection: 'DropCollectionRequest',
  createCredential: 'CreateCredentialRequest',
  updateCredential: 'UpdateCredentialRequest',
  deleteCredential: 'DeleteCredentialRequest',
  createRole: 'CreateRoleRequest',
  dropRole: 'DropRoleRequest',
  operateUserRole: 'OperateUserRoleRequest',
  operatePrivilege: 'OperatePrivilegeRequest',
  operatePrivilegeV2: 'OperatePrivilegeV2Request',
  createPrivilegeGroup: 'CreatePrivilegeGroupRequest',
  dropPrivilegeGroup: 'DropPrivilegeGroupRequest',
  operatePrivilegeGroup: 'OperatePrivilegeGroupRequest',
};

export const requestNameOf = (operation: OperationName): string => {
  const name = REQUESTS[operation];
  if (name === undefined) throw new Error(`No request is known for ${operation}.`);
  return name;
};

export function buildOperation(operation: OperationName, request: object, tick: TimeTick): Uint8Array {
  const [msgType] = [...types.OPERATION_TYPES].find(([, type]) => type.operation === operation) ?? [];
  if (msgType === undefined) throw new Error(`No message type is known for ${operation}.`);
  return encodeMessage(requestNameOf(operation), { ...request, base: base(msgType, tick, tick) });
}
