/**
 * Milvus' public messages, from the definitions that its Node client carries. 64-bit values are decimal strings on both
 * sides of this file, enums are numbers, names are camelCase. Columns of rows never pass through here (insert-request.ts).
 */
import protobuf from 'protobufjs/light.js';
import type { KeyValue } from '../../../shared/model/key-value.ts';
import definitions from '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js';

/** `common.Status`: servers before 2.3 fill `errorCode` only, later ones both. Both are 0 on success. */
export interface MilvusStatus {
  readonly errorCode: number;
  readonly code: number;
  readonly reason: string;
}

export interface CollectionRequest {
  readonly dbName: string;
  readonly collectionName: string;
}

export interface PartitionRequest extends CollectionRequest {
  readonly partitionName: string;
}

interface StatusResponse {
  readonly status: MilvusStatus | null;
}

/** `schema.FieldSchema`, as far as it is used here. Types are numbers. */
interface DescribedField {
  readonly name: string;
  readonly dataType: number;
  readonly elementType: number;
  readonly nullable: boolean;
  readonly typeParams: readonly KeyValue[];
}

export interface MutationResponse extends StatusResponse {
  /** Which rows failed, by their place in the request. */
  readonly errIndex: readonly number[];
  readonly insertCnt: string;
  readonly deleteCnt: string;
  readonly upsertCnt: string;
}

/** The calls that take and give objects: request and response of each, with the fields that are used here. */
export interface MilvusCalls {
  GetVersion: { request: object; response: StatusResponse & { readonly version: string } };
  CheckHealth: {
    request: object;
    response: StatusResponse & {
      readonly isHealthy: boolean;
      readonly reasons: readonly string[];
      readonly quotaStates: readonly number[];
    };
  };
  ReplicateMessage: { request: { readonly channelName: string }; response: StatusResponse };
  Delete: { request: PartitionRequest & { readonly expr: string }; response: MutationResponse };
  CreateDatabase: {
    request: { readonly dbName: string; readonly properties: readonly KeyValue[] };
    response: MilvusStatus;
  };
  DropDatabase: { request: { readonly dbName: string }; response: MilvusStatus };
  ListDatabases: { request: object; response: StatusResponse & { readonly dbNames: readonly string[] } };
  ShowCollections: {
    request: { readonly dbName: string };
    /** Three lists side by side. */
    response: StatusResponse & {
      readonly collectionNames: readonly string[];
      readonly collectionIds: readonly string[];
      readonly createdTimestamps: readonly string[];
    };
  };
  CreateCollection: {
    request: CollectionRequest & {
      readonly schema: Uint8Array;
      readonly shardsNum: number;
      readonly consistencyLevel: number;
      readonly properties: readonly KeyValue[];
      readonly numPartitions: number;
    };
    response: MilvusStatus;
  };
  DescribeCollection: {
    /** `collectionID`: asked for by identity, with an empty name. */
    request: CollectionRequest & { readonly collectionID?: string };
    response: StatusResponse & {
      readonly collectionID: string;
      readonly createdTimestamp: string;
      readonly aliases: readonly string[];
      readonly properties: readonly KeyValue[];
      readonly schema: { readonly fields: readonly DescribedField[] } | null;
    };
  };
  /** Sets the properties that are named, or takes away those of `deleteKeys`, never both in one; the others stay. */
  AlterCollection: {
    request: CollectionRequest & { readonly properties: readonly KeyValue[]; readonly deleteKeys?: readonly string[] };
    response: MilvusStatus;
  };
  /** Of 2.5 and later, and of the last of 2.4 (milvus pull requests 37437, 38361). Sets the properties that are named; the others stay. */
  AlterCollectionField: {
    request: CollectionRequest & { readonly fieldName: string; readonly properties: readonly KeyValue[] };
    response: MilvusStatus;
  };
  /** `row_count` among them. */
  GetCollectionStatistics: {
    request: CollectionRequest;
    response: StatusResponse & { readonly stats: readonly KeyValue[] };
  };
  AlterDatabase: {
    request: { readonly dbName: string; readonly properties: readonly KeyValue[] };
    response: MilvusStatus;
  };
  DescribeDatabase: {
    request: { readonly dbName: string };
    response: StatusResponse & { readonly properties: readonly KeyValue[] };
  };
  RenameCollection: {
    request: {
      readonly dbName: string;
      readonly oldName: string;
      readonly newName: string;
      readonly newDBName: string;
    };
    response: MilvusStatus;
  };
  AddCollectionField: { request: CollectionRequest & { readonly schema: Uint8Array }; response: MilvusStatus };
  CreateAlias: { request: CollectionRequest & { readonly alias: string }; response: MilvusStatus };
  AlterAlias: { request: CollectionRequest & { readonly alias: string }; response: MilvusStatus };
  DropAlias: { request: { readonly dbName: string; readonly alias: string }; response: MilvusStatus };
  DropCollection: { request: CollectionRequest; response: MilvusStatus };
  ShowPartitions: {
    request: CollectionRequest;
    response: StatusResponse & { readonly partitionNames: readonly string[] };
  };
  GetLoadState: {
    request: CollectionRequest & { readonly partitionNames: readonly string[] };
    response: StatusResponse & { readonly state: number };
  };
  CreatePartition: { request: PartitionRequest; response: MilvusStatus };
  DropPartition: { request: PartitionRequest; response: MilvusStatus };
  ReleasePartitions: {
    request: CollectionRequest & { readonly partitionNames: readonly string[] };
    response: MilvusStatus;
  };
  Query: {
    request: CollectionRequest & {
      readonly expr: string;
      readonly outputFields: readonly string[];
      readonly partitionNames: readonly string[];
      readonly guaranteeTimestamp: string;
      /** `common.ConsistencyLevel` as a number. */
      readonly consistencyLevel: number;
      readonly queryParams: readonly KeyValue[];
    };
    /** Columns are read as bytes (query-answer.ts), but for a count. */
    response: StatusResponse & {
      readonly fieldsData: readonly {
        readonly scalars?: { readonly longData?: { readonly data?: readonly string[] } | null } | null;
      }[];
    };
  };
  /** What is on disk of a collection. */
  GetPersistentSegmentInfo: {
    request: CollectionRequest;
    response: StatusResponse & {
      readonly infos: readonly {
        readonly segmentID: string;
        readonly partitionID: string;
        readonly numRows: string;
        readonly state: number;
      }[];
    };
  };
  /** What its queries answer from, but for what is growing. */
  GetQuerySegmentInfo: {
    request: CollectionRequest;
    response: StatusResponse & { readonly infos: readonly { readonly segmentID: string }[] };
  };
  DescribeIndex: {
    request: CollectionRequest;
    response: StatusResponse & {
      readonly indexDescriptions: readonly {
        readonly fieldName: string;
        readonly indexName: string;
        readonly params: readonly KeyValue[];
      }[];
    };
  };
  CreateIndex: {
    request: CollectionRequest & {
      readonly fieldName: string;
      readonly indexName: string;
      readonly extraParams: readonly KeyValue[];
    };
    response: MilvusStatus;
  };
  DropIndex: {
    request: CollectionRequest & { readonly fieldName: string; readonly indexName: string };
    response: MilvusStatus;
  };
  LoadCollection: {
    request: CollectionRequest & { readonly replicaNumber: number; readonly loadFields?: readonly string[] };
    response: MilvusStatus;
  };
  LoadPartitions: {
    request: CollectionRequest & {
      readonly partitionNames: readonly string[];
      readonly replicaNumber: number;
      readonly loadFields?: readonly string[];
    };
    response: MilvusStatus;
  };
  ReleaseCollection: { request: CollectionRequest; response: MilvusStatus };
  GetReplicas: { request: CollectionRequest; response: StatusResponse & { readonly replicas: readonly object[] } };
  AllocTimestamp: { request: object; response: StatusResponse & { readonly timestamp: string } };
  ListCredUsers: { request: object; response: StatusResponse & { readonly usernames: readonly string[] } };
  SelectRole: {
    request: { readonly includeUserInfo: boolean };
    response: StatusResponse & {
      readonly results: readonly {
        readonly role: { readonly name: string } | null;
        readonly users: readonly { readonly name: string }[];
      }[];
    };
  };
  SelectGrant: {
    request: { readonly entity: { readonly role: { readonly name: string }; readonly dbName: string } };
    response: StatusResponse & {
      readonly entities: readonly {
        readonly object: { readonly name: string } | null;
        readonly objectName: string;
        readonly dbName: string;
        readonly grantor: { readonly privilege: { readonly name: string } | null } | null;
      }[];
    };
  };
  CreateRole: { request: { readonly entity: { readonly name: string } }; response: MilvusStatus };
  DropRole: { request: { readonly roleName: string }; response: MilvusStatus };
  OperateUserRole: {
    request: { readonly username: string; readonly roleName: string; readonly type: number };
    response: MilvusStatus;
  };
  OperatePrivilege: { request: { readonly entity: object; readonly type: number }; response: MilvusStatus };
  OperatePrivilegeV2: {
    request: {
      readonly role: { readonly name: string };
      readonly grantor: { readonly privilege: { readonly name: string } };
      readonly type: number;
      readonly dbName: string;
      readonly collectionName: string;
    };
    response: MilvusStatus;
  };
  CreatePrivilegeGroup: { request: { readonly groupName: string }; response: MilvusStatus };
  DropPrivilegeGroup: { request: { readonly groupName: string }; response: MilvusStatus };
  OperatePrivilegeGroup: {
    request: {
      readonly groupName: string;
      readonly privileges: readonly { readonly name: string }[];
      readonly type: number;
    };
    response: MilvusStatus;
  };
  ListPrivilegeGroups: {
    request: object;
    response: StatusResponse & {
      readonly privilegeGroups: readonly {
        readonly groupName: string;
        readonly privileges: readonly { readonly name: string }[];
      }[];
    };
  };
  Flush: {
    request: { readonly dbName: string; readonly collectionNames: readonly string[] };
    response: StatusResponse;
  };
}

export type MilvusCallName = keyof MilvusCalls;

/** Calls whose request is sent as bytes, and whose answer is one of the two below. */
export type MilvusRawCallName =
  | 'Insert'
  | 'Upsert'
  | 'CreateIndex'
  | 'DropIndex'
  | 'LoadCollection'
  | 'ReleaseCollection'
  | 'LoadPartitions'
  | 'ReleasePartitions'
  | 'AlterIndex'
  | 'AlterDatabase'
  | RightsCallName;

export type RightsCallName =
  | 'CreateCredential'
  | 'UpdateCredential'
  | 'DeleteCredential'
  | 'CreateRole'
  | 'DropRole'
  | 'OperateUserRole'
  | 'OperatePrivilege'
  | 'OperatePrivilegeV2'
  | 'CreatePrivilegeGroup'
  | 'DropPrivilegeGroup'
  | 'OperatePrivilegeGroup';

const SERVICE = 'milvus.proto.milvus.MilvusService';

/** Building the types takes some 50 ms once; they never change. */
let cachedService: protobuf.Service | undefined;
function service(): protobuf.Service {
  if (cachedService === undefined) {
    // A CommonJS module: Node hands over its exports, other loaders what it exports as default.
    const json = 'default' in definitions ? definitions.default : definitions;
    const root = protobuf.Root.fromJSON(json);
    passOver(root.lookupType('milvus.proto.milvus.MutationResult'), ['IDs', 'succIndex']);
    root.resolveAll();
    cachedService = root.lookupService(SERVICE);
  }
  return cachedService;
}

/**
 * Fields that nobody reads are stepped over like unknown ones. Milvus repeats every key of a write in its answer: to read
 * them took 0.3 s of processor time per million rows, and as much again for the collector of a million strings.
 */
function passOver(type: protobuf.Type, names: readonly string[]): void {
  for (const name of names) {
    const field = type.fields[name];
    if (field !== undefined) type.remove(field);
  }
}

function method(name: MilvusCallName | MilvusRawCallName): { request: protobuf.Type; response: protobuf.Type } {
  const found = service().methods[name];
  if (!(found?.resolvedRequestType && found.resolvedResponseType)) throw new Error(`Milvus has no call ${name}.`);
  return { request: found.resolvedRequestType, response: found.resolvedResponseType };
}

export function encodeRequest<Name extends MilvusCallName>(
  name: Name,
  request: MilvusCalls[Name]['request'],
): Uint8Array {
  const type = method(name).request;
  return type.encode(type.fromObject(request)).finish();
}

/** The message of any call's answer, unknown fields dropped, absent fields with their defaults. */
function decodeResponse(name: MilvusCallName | MilvusRawCallName, bytes: Uint8Array): object {
  const type = method(name).response;
  return type.toObject(type.decode(bytes), { longs: String, enums: Number, defaults: true, arrays: true });
}

export const decodeCallResponse = <Name extends MilvusCallName>(name: Name, bytes: Uint8Array) =>
  decodeResponse(name, bytes) as MilvusCalls[Name]['response'];

export const decodeMutation = (name: 'Insert' | 'Upsert', bytes: Uint8Array) =>
  decodeResponse(name, bytes) as MutationResponse;

export const decodeStatus = (name: Exclude<MilvusRawCallName, 'Insert' | 'Upsert'>, bytes: Uint8Array) =>
  decodeResponse(name, bytes) as MilvusStatus;

/** The status of an answer, wherever that answer carries it. */
export function statusOf(response: MilvusStatus | StatusResponse): MilvusStatus | null {
  return 'status' in response ? response.status : response;
}

export const methodPath = (name: MilvusCallName | MilvusRawCallName): string => `/${SERVICE}/${name}`;
