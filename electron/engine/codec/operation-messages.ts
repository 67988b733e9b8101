/** Messages of the operation channel: public requests of Milvus' API, kept whole, their addressee read off. */
import type { MessageBase } from './message-base.ts';
import { databaseName } from './names.ts';
import type { OperationType } from './message-types.ts';
import type { OperationRecord } from './records.ts';
import { MalformedWire, WireCursor } from './wire.ts';

/** Users, roles and grants belong to the cluster: their record names the empty database. */
export function readOperation(payload: Uint8Array, base: MessageBase, type: OperationType): OperationRecord {
  const cursor = new WireCursor(payload);
  const collectionNames: string[] = [];
  let database = '';
  const isNamed = type.shape === 'database' || type.shape === 'collection';
  while (cursor.next()) {
    if (isNamed && cursor.field === 2) database = cursor.string();
    else if (type.shape === 'collection' && cursor.field === 3) collectionNames.push(cursor.string());
    else cursor.skip();
  }
  if (type.shape === 'collection' && collectionNames.length === 0) {
    throw new MalformedWire(`the operation ${type.operation} without collection`, 0);
  }
  return {
    kind: 'operation',
    messageId: base.messageId,
    beginTick: base.timestamp,
    endTick: base.timestamp,
    operation: type.operation,
    database: isNamed ? databaseName(database) : '',
    collectionNames,
    request: payload,
  };
}
