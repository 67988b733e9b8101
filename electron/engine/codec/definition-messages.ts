/**
 * Messages that make and drop collections and partitions; each shard of the collection gets its own copy.
 *
 * What 2.3.5 leaves out (seen): the database in all of them, the partitions' names of a new collection, the collection's
 * name of a dropped partition; and it writes no CreatePartition at all. The collection id is what can be relied on.
 */
import {
  asCollectionId,
  asPartitionId,
  asPChannel,
  asVChannel,
  type PChannel,
  type VChannel,
} from '../../../shared/model/ids.ts';
import { readSchemaName } from './collection-schema.ts';
import { ticksOfBase, type MessageBase } from './message-base.ts';
import { databaseName } from './names.ts';
import type {
  CreateCollectionRecord,
  CreatePartitionRecord,
  DropCollectionRecord,
  DropPartitionRecord,
} from './records.ts';
import { MalformedWire, WireCursor } from './wire.ts';

export function readCreateCollection(payload: Uint8Array, base: MessageBase): CreateCollectionRecord {
  const cursor = new WireCursor(payload);
  const vchannels: VChannel[] = [];
  const pchannels: PChannel[] = [];
  const partitionIds: bigint[] = [];
  const partitionNames: string[] = [];
  let database = '';
  let collectionName = '';
  let firstPartitionName = '';
  let databaseId = 0n;
  let collectionId = 0n;
  let firstPartitionId = 0n;
  let schema: Uint8Array | undefined;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        database = cursor.string();
        break;
      case 3:
        collectionName = cursor.string();
        break;
      case 4:
        firstPartitionName = cursor.string();
        break;
      case 5:
        databaseId = cursor.int64();
        break;
      case 6:
        collectionId = cursor.int64();
        break;
      case 7:
        firstPartitionId = cursor.int64();
        break;
      case 8:
      case 13:
        // Servers up to 2.5 write the schema as bytes (8), newer ones as an embedded message (13): alike on the wire.
        schema = cursor.bytes();
        break;
      case 9:
        vchannels.push(asVChannel(cursor.string()));
        break;
      case 10:
        pchannels.push(asPChannel(cursor.string()));
        break;
      case 11:
        cursor.eachVarint((value) => partitionIds.push(BigInt.asIntN(64, value.varintAsBigint())));
        break;
      case 12:
        partitionNames.push(cursor.string());
        break;
      default:
        cursor.skip();
    }
  }
  if (schema === undefined) throw new MalformedWire('a new collection without schema', 0);
  if (partitionNames.length === 0 && firstPartitionName !== '') {
    partitionNames.push(firstPartitionName);
    partitionIds.push(firstPartitionId);
  }
  // 2.3.5 writes the ids only (seen); the catalog has the names.
  if (partitionNames.length !== 0 && partitionNames.length !== partitionIds.length) {
    throw new MalformedWire(`${partitionNames.length} partition names with ${partitionIds.length} ids`, 0);
  }
  if (vchannels.length !== pchannels.length) {
    throw new MalformedWire(`${vchannels.length} shards on ${pchannels.length} channels`, 0);
  }
  // 2.3.5 leaves the name to the schema (seen).
  if (collectionName === '') collectionName = readSchemaName(schema);
  return {
    kind: 'createCollection',
    ...collectionOf(payload, base, { database, collectionName, collectionId }),
    databaseId,
    schema,
    vchannels,
    pchannels,
    partitions: partitionIds.map((id, index) => ({ name: partitionNames[index] ?? '', id: asPartitionId(id) })),
  };
}

/**
 * `msgpb.DropCollectionRequest` has the ids at other numbers than the partition messages have.
 */
export function readDropCollection(payload: Uint8Array, base: MessageBase): DropCollectionRecord {
  const cursor = new WireCursor(payload);
  let database = '';
  let collectionName = '';
  let collectionId = 0n;
  while (cursor.next()) {
    if (cursor.field === 2) database = cursor.string();
    else if (cursor.field === 3) collectionName = cursor.string();
    else if (cursor.field === 5) collectionId = cursor.int64();
    else cursor.skip();
  }
  return { kind: 'dropCollection', ...collectionOf(payload, base, { database, collectionName, collectionId }) };
}

/** `msgpb.CreatePartitionRequest` and `msgpb.DropPartitionRequest` have the same fields. */
export function readPartition(
  payload: Uint8Array,
  base: MessageBase,
  kind: 'createPartition' | 'dropPartition',
): CreatePartitionRecord | DropPartitionRecord {
  const cursor = new WireCursor(payload);
  let database = '';
  let collectionName = '';
  let partitionName = '';
  let collectionId = 0n;
  let partitionId = 0n;
  while (cursor.next()) {
    if (cursor.field === 2) database = cursor.string();
    else if (cursor.field === 3) collectionName = cursor.string();
    else if (cursor.field === 4) partitionName = cursor.string();
    else if (cursor.field === 6) collectionId = cursor.int64();
    else if (cursor.field === 7) partitionId = cursor.int64();
    else cursor.skip();
  }
  if (partitionName === '') throw new MalformedWire('a partition without name', 0);
  const collection = collectionOf(payload, base, { database, collectionName, collectionId });
  return { kind, ...collection, partitionName, partitionId: asPartitionId(partitionId) };
}

function collectionOf(
  payload: Uint8Array,
  base: MessageBase,
  named: { readonly database: string; readonly collectionName: string; readonly collectionId: bigint },
): Omit<DropCollectionRecord, 'kind'> {
  if (named.collectionId === 0n) throw new MalformedWire('a message without collection id', 0);
  return {
    messageId: base.messageId,
    ...ticksOfBase(base, payload.byteLength),
    database: databaseName(named.database),
    collectionName: named.collectionName,
    collectionId: asCollectionId(named.collectionId),
  };
}
