/** `commonpb.MsgType` as far as the log and the operation channel carry it (milvus-proto of Milvus 2.3.5 and later). */
import type { OperationName } from './records.ts';

export const MSG_CREATE_COLLECTION = 100;
export const MSG_DROP_COLLECTION = 101;
export const MSG_CREATE_PARTITION = 200;
export const MSG_DROP_PARTITION = 201;
export const MSG_INSERT = 400;
export const MSG_DELETE = 401;
export const MSG_TIME_TICK = 1200;

/** `Replicate`: stands in for time ticks in a cluster that is itself a replica, and asks for nothing (2.4, 2.5). */
export const MSG_REPLICATE = 1212;

/**
 * How the request of an operation names what it is about: `database` has the database in field 2, `collection` also a
 * collection in field 3 (several for a flush), `rights` neither. `catalogue`: later servers write it, and the catalogue tells
 * the same of every server; so it is read there and passed over here.
 */
type OperationShape = 'database' | 'collection' | 'rights' | 'catalogue';

export interface OperationType {
  readonly operation: OperationName;
  readonly shape: OperationShape;
}

/**
 * What a proxy writes there: internal/proxy/util.go, `SendReplicateMessagePack` (2.4, 2.5). OperatePrivilegeV2 has a request of
 * its own, unlike OperatePrivilege's. The numbers are those of milvus-proto's common.proto up to 2.6.
 */
export const OPERATION_TYPES: ReadonlyMap<number, OperationType> = new Map<number, OperationType>([
  [106, { operation: 'loadCollection', shape: 'collection' }],
  [107, { operation: 'releaseCollection', shape: 'collection' }],
  [108, { operation: 'createAlias', shape: 'catalogue' }],
  [109, { operation: 'dropAlias', shape: 'catalogue' }],
  [110, { operation: 'alterAlias', shape: 'catalogue' }],
  [111, { operation: 'alterCollection', shape: 'catalogue' }],
  [112, { operation: 'renameCollection', shape: 'catalogue' }],
  [115, { operation: 'alterCollectionField', shape: 'catalogue' }],
  [119, { operation: 'truncateCollection', shape: 'collection' }],
  [205, { operation: 'loadPartitions', shape: 'collection' }],
  [206, { operation: 'releasePartitions', shape: 'collection' }],
  [300, { operation: 'createIndex', shape: 'collection' }],
  [302, { operation: 'dropIndex', shape: 'collection' }],
  [304, { operation: 'alterIndex', shape: 'collection' }],
  [402, { operation: 'flush', shape: 'collection' }],
  [1500, { operation: 'createCredential', shape: 'rights' }],
  [1502, { operation: 'deleteCredential', shape: 'rights' }],
  [1503, { operation: 'updateCredential', shape: 'rights' }],
  [1600, { operation: 'createRole', shape: 'rights' }],
  [1601, { operation: 'dropRole', shape: 'rights' }],
  [1602, { operation: 'operateUserRole', shape: 'rights' }],
  [1606, { operation: 'operatePrivilege', shape: 'rights' }],
  [1610, { operation: 'createPrivilegeGroup', shape: 'rights' }],
  [1611, { operation: 'dropPrivilegeGroup', shape: 'rights' }],
  [1613, { operation: 'operatePrivilegeGroup', shape: 'rights' }],
  [1614, { operation: 'operatePrivilegeV2', shape: 'rights' }],
  [1801, { operation: 'createDatabase', shape: 'database' }],
  [1802, { operation: 'dropDatabase', shape: 'database' }],
  [1804, { operation: 'alterDatabase', shape: 'database' }],
  [1900, { operation: 'addField', shape: 'catalogue' }],
]);
