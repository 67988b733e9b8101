/** Messages that carry rows or keys: `msgpb.InsertRequest` and `msgpb.DeleteRequest`. */
import { asCollectionId, asPartitionId, asVChannel } from '../../../shared/model/ids.ts';
import { RowTicks, type MessageBase } from './message-base.ts';
import { databaseName } from './names.ts';
import { KeyList, readIds } from './primary-keys.ts';
import type { DeleteRecord, FieldSlice, InsertRecord, PrimaryKeys } from './records.ts';
import { MalformedWire, WireCursor } from './wire.ts';

/** RowID (0) and Timestamp (1) are Milvus' own columns; user fields begin here (`common.StartOfUserFieldID`, 2.3). */
export const USER_FIELD_ID_MIN = 100n;
/** `msgpb.InsertDataVersion`: 0 lays rows side by side in a form that servers before 2.0 wrote. */
const INSERT_COLUMN_BASED = 1;

const NO_KEYS: PrimaryKeys = { type: 'int64', values: new BigInt64Array() };

export function readInsert(payload: Uint8Array, base: MessageBase): InsertRecord {
  const cursor = new WireCursor(payload);
  const ticks = new RowTicks();
  const fields: FieldSlice[] = [];
  let shard = '';
  let database = '';
  let collectionName = '';
  let partitionName = '';
  let collectionId = 0n;
  let partitionId = 0n;
  let rowCount: number | undefined;
  let version = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        shard = cursor.string();
        break;
      case 3:
        database = cursor.string();
        break;
      case 4:
        collectionName = cursor.string();
        break;
      case 5:
        partitionName = cursor.string();
        break;
      case 7:
        collectionId = cursor.int64();
        break;
      case 8:
        partitionId = cursor.int64();
        break;
      case 10:
        ticks.read(cursor);
        break;
      case 13: {
        const slice = readColumn(cursor);
        if (slice.fieldId >= USER_FIELD_ID_MIN) fields.push(slice);
        break;
      }
      case 14:
        rowCount = cursor.number();
        break;
      case 15:
        version = cursor.number();
        break;
      default:
        cursor.skip();
    }
  }
  if (version !== INSERT_COLUMN_BASED) {
    throw new MalformedWire(`an insert of the data version ${version}, which is not supported,`, 0);
  }
  if (shard === '') throw new MalformedWire('an insert without shard name', 0);
  if (collectionId === 0n) throw new MalformedWire('an insert without collection id', 0);
  const rows = rowCount ?? ticks.count;
  if (rows === 0) throw new MalformedWire('an insert without rows', 0);
  if (fields.length === 0) throw new MalformedWire('an insert without columns', 0);
  return {
    kind: 'insert',
    messageId: base.messageId,
    ...ticks.range(rows),
    database: databaseName(database),
    collectionName,
    collectionId: asCollectionId(collectionId),
    vchannel: asVChannel(shard),
    partitionName,
    partitionId: asPartitionId(partitionId),
    rowCount: rows,
    fields,
  };
}

/** `schema.FieldData`: the id (5) and name (2) are read, the column itself is stepped over. */
export function readColumn(outer: WireCursor): FieldSlice {
  const cursor = outer.nested();
  const start = cursor.offset;
  let fieldId: bigint | undefined;
  let fieldName = '';
  while (cursor.next()) {
    if (cursor.field === 2) fieldName = cursor.string();
    else if (cursor.field === 5) fieldId = cursor.int64();
    else cursor.skip();
  }
  // Row ids have the field id 0, which the wire leaves out; they are no column of an Insert, whose rows have their own.
  if (fieldId === undefined && fieldName === '') throw new MalformedWire('a column without field id and name', start);
  return { fieldId: fieldId ?? 0n, fieldName, bytes: outer.sliceSince(start) };
}

export function readDelete(payload: Uint8Array, base: MessageBase): DeleteRecord {
  const cursor = new WireCursor(payload);
  const ticks = new RowTicks();
  const oldKeys = new KeyList();
  const keys = new KeyList();
  let shard = '';
  let database = '';
  let collectionName = '';
  let partitionName = '';
  let collectionId = 0n;
  let partitionId = 0n;
  let isByExpression = false;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        shard = cursor.string();
        break;
      case 3:
        database = cursor.string();
        break;
      case 4:
        collectionName = cursor.string();
        break;
      case 5:
        partitionName = cursor.string();
        break;
      case 7:
        collectionId = cursor.int64();
        break;
      case 8:
        partitionId = cursor.int64();
        break;
      case 9:
        // `int64_primary_keys`, the only form that servers before 2.1 wrote.
        oldKeys.readInt64(cursor);
        break;
      case 10:
        ticks.read(cursor);
        break;
      case 12:
        readIds(cursor.nested(), keys);
        break;
      case 14:
        // `serialized_expr_plan` (milvus-proto d04ae03, after 2.6.22): a condition in place of keys, with one timestamp.
        isByExpression = cursor.bytes().byteLength > 0;
        break;
      default:
        cursor.skip();
    }
  }
  if (shard === '') throw new MalformedWire('a delete without shard name', 0);
  if (collectionId === 0n) throw new MalformedWire('a delete without collection id', 0);
  const primaryKeys = isByExpression ? NO_KEYS : (keys.finish() ?? oldKeys.finish());
  if (primaryKeys === undefined) throw new MalformedWire('a delete without keys', 0);
  return {
    kind: 'delete',
    messageId: base.messageId,
    ...ticks.range(isByExpression ? 1 : primaryKeys.values.length),
    database: databaseName(database),
    collectionName,
    collectionId: asCollectionId(collectionId),
    vchannel: asVChannel(shard),
    partitionName,
    partitionId: asPartitionId(partitionId),
    keys: primaryKeys,
    ...(isByExpression ? { isByExpression } : {}),
  };
}
