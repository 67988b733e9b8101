/** From etcd's keys and values to databases and collections: pure, so that recorded values can be put through it. */
import { asCollectionId, asPartitionId, asPChannel, asVChannel } from '../../../../shared/model/ids.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { isMarker, MARKER_DATABASE } from '../../../../shared/model/marker-name.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { parseCollectionSchema, schemaName } from '../../codec/collection-schema.ts';
import { joinSchema } from '../../codec/schema-rewrite.ts';
import { USER_FIELD_ID_MIN } from '../../codec/row-messages.ts';
import type { CatalogCollection, CatalogDatabase, CatalogPartition, ShardPosition } from './catalog.ts';
import {
  COLLECTION_CREATED,
  COLLECTION_CREATING,
  COLLECTION_DROPPING,
  DATABASE_CREATED,
  isTombstone,
  PARTITION_CREATED,
  PARTITION_DROPPING,
  readCollectionInfo,
  readDatabaseInfo,
  readPartitionInfo,
  type CollectionInfo,
  type PartitionInfo,
} from './etcd-messages.ts';

export interface KeyedValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** etcd's revision of its last change. */
  readonly changedAt?: bigint;
}

/** Collections of servers before databases (2.2.8 and older) name no database; Milvus puts them into `default`. */
const DEFAULT_DATABASE_ID = 1n;

/** Runs a reading of one value; protobufjs' errors become ours, with the key and never the value. */
export function read<T>(entry: KeyedValue, decode: (bytes: Uint8Array) => T): T {
  try {
    return decode(entry.value);
  } catch (cause) {
    throw malformed(entry.key, cause);
  }
}

export const malformed = (key: string, cause?: unknown): ReplicationError =>
  new ReplicationError(
    'malformedMessage',
    'source',
    `The source's etcd holds a value that Lifeline cannot read, under ${key}. Is this a Milvus of a version that it knows (2.3 to 2.5)?`,
    { cause, context: { key } },
  );

export const lastPart = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

export function assembleDatabases(entries: readonly KeyedValue[]): CatalogDatabase[] {
  return entries
    .filter((entry) => !isTombstone(entry.value))
    .map((entry) => read(entry, readDatabaseInfo))
    .filter((info) => info.state === DATABASE_CREATED)
    .map(({ id, name, properties }) => ({ id, name, properties }));
}

/** Collections in the state Created, with the database that each names. Lifeline's own are not among them. */
export function createdCollections(entries: readonly KeyedValue[]): { entry: KeyedValue; info: CollectionInfo }[] {
  return entries
    .filter((entry) => !isTombstone(entry.value))
    .map((entry) => ({ entry, info: read(entry, readCollectionInfo) }))
    .filter(({ info }) => info.state === COLLECTION_CREATED && !isOwn(info));
}

/** A source that is a target as well bears the marker of the task that writes into it. */
function isOwn({ databaseId, schema }: CollectionInfo): boolean {
  const isInDefault = databaseId === 0n || databaseId === DEFAULT_DATABASE_ID;
  return isInDefault && isMarker(MARKER_DATABASE, schemaName(schema));
}

export const isBeingCreated = (entry: KeyedValue): boolean =>
  !isTombstone(entry.value) && read(entry, readCollectionInfo).state === COLLECTION_CREATING;

/** Whether the entry of a collection says that it has ended, or is about to; or that it is none to be followed. */
export function isDropped(entry: KeyedValue): boolean {
  if (isTombstone(entry.value)) return true;
  const info = read(entry, readCollectionInfo);
  return info.state >= COLLECTION_DROPPING || isOwn(info);
}

/**
 * `partitions`, `fields` and `functions` are the entries of this collection alone.
 * @returns `undefined` when its database is gone (a drop of both is under way).
 */
export function assembleCollection(
  { entry, info }: { readonly entry: KeyedValue; readonly info: CollectionInfo },
  databases: readonly CatalogDatabase[],
  partitions: readonly KeyedValue[],
  fields: readonly KeyedValue[],
  functions: readonly KeyedValue[] = [],
): CatalogCollection | undefined {
  const databaseId = info.databaseId === 0n ? DEFAULT_DATABASE_ID : info.databaseId;
  const database = databases.find(({ id }) => id === databaseId);
  if (database === undefined) return undefined;
  const schema = joinSchema(info.schema, byId(fields, USER_FIELD_ID_MIN), byId(functions, 0n));
  const parsed = parseCollectionSchema(schema);
  if ('kind' in parsed) throw malformed(entry.key);
  const infos = partitionInfos(partitions).map((partition) => partition.info);
  return {
    id: asCollectionId(info.id),
    databaseId,
    database: database.name,
    name: parsed.name,
    createTick: asTimeTick(info.createTime),
    // Servers that leave the number out made one shard for each channel.
    shardCount: info.shardCount === 0 ? info.virtualChannels.length : info.shardCount,
    consistencyLevel: info.consistencyLevel,
    properties: info.properties,
    ...(entry.changedAt === undefined ? {} : { changedAt: entry.changedAt }),
    schema,
    partitions: livingAmong(infos),
    ...endedAmong(infos),
    startPositions: startPositions(entry.key, info),
  };
}

/** The values from an id on, by id: of the fields, their order is the collection's order of columns. */
function byId(entries: readonly KeyedValue[], idMin: bigint): Uint8Array[] {
  return entries
    .filter((entry) => !isTombstone(entry.value))
    .map((entry) => ({ id: parseId(entry), value: entry.value }))
    .filter(({ id }) => id >= idMin)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ value }) => value);
}

function parseId(entry: KeyedValue): bigint {
  const text = lastPart(entry.key);
  if (!/^\d{1,20}$/.test(text)) throw malformed(entry.key);
  return BigInt(text);
}

/** Those that have an entry, whatever their state. */
export const partitionInfos = (entries: readonly KeyedValue[]): { entry: KeyedValue; info: PartitionInfo }[] =>
  entries
    .filter((entry) => !isTombstone(entry.value))
    .map((entry) => ({ entry, info: read(entry, readPartitionInfo) }));

/** It is being dropped, or is gone by its own word. */
export const isEndedPartition = ({ state }: PartitionInfo): boolean => state >= PARTITION_DROPPING;

function livingAmong(infos: readonly PartitionInfo[]): CatalogPartition[] {
  return infos
    .filter((info) => info.state === PARTITION_CREATED)
    .map((info) => ({ id: asPartitionId(info.id), name: info.name, createTick: asTimeTick(info.createTime) }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function endedAmong(infos: readonly PartitionInfo[]): Pick<CatalogCollection, 'endedPartitions'> {
  const ended = infos.filter((info) => isEndedPartition(info)).map(({ id }) => asPartitionId(id));
  return ended.length === 0 ? {} : { endedPartitions: ended };
}

/** Milvus keeps them by physical channel; a collection has at most one shard on each. */
function startPositions(key: string, info: CollectionInfo): ShardPosition[] {
  const byChannel = new Map(info.startPositions.map((position) => [position.key, position.data]));
  return info.virtualChannels.map((vchannel, index) => {
    const pchannel = info.physicalChannels[index];
    const messageId = pchannel === undefined ? undefined : byChannel.get(pchannel);
    if (pchannel === undefined || messageId === undefined) throw malformed(key);
    return { vchannel: asVChannel(vchannel), pchannel: asPChannel(pchannel), messageId };
  });
}
