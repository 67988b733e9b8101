/**
 * A second, independent reading of the log's messages: protobufjs with the definitions that the SDK ships. The product
 * reads the wire with code of its own; tests hold the two against each other.
 */
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import type { WalRecord } from '../../electron/engine/codec/records.ts';

// A CommonJS file whose default export Node and Vite's loader hand over differently; `require` is the same in both.
const definitions = createRequire(import.meta.url)(
  '@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js',
) as { default: protobuf.INamespace };
const root = protobuf.Root.fromJSON(definitions.default);

/** By full name without `milvus.proto.`, such as `msg.InsertRequest`. */
const messageType = (name: string): protobuf.Type => root.lookupType(`milvus.proto.${name}`);

type Json = Record<string, unknown>;

/** Every value as JSON can hold it: 64-bit numbers as decimal strings, bytes as base64. */
export function decodeAs(name: string, bytes: Uint8Array): Json {
  const type = messageType(name);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String, enums: Number });
}

export const encodeAs = (name: string, value: Json): Uint8Array => {
  const type = messageType(name);
  return type.encode(type.fromObject(value)).finish();
};

/** The public requests on the operation channel, by message type. */
const REQUESTS: Readonly<Record<number, readonly [operation: string, message: string]>> = {
  106: ['loadCollection', 'milvus.LoadCollectionRequest'],
  107: ['releaseCollection', 'milvus.ReleaseCollectionRequest'],
  300: ['createIndex', 'milvus.CreateIndexRequest'],
  302: ['dropIndex', 'milvus.DropIndexRequest'],
  402: ['flush', 'milvus.FlushRequest'],
  1801: ['createDatabase', 'milvus.CreateDatabaseRequest'],
  1802: ['dropDatabase', 'milvus.DropDatabaseRequest'],
};

const MESSAGES: Readonly<Record<number, readonly [kind: string, message: string]>> = {
  100: ['createCollection', 'msg.CreateCollectionRequest'],
  101: ['dropCollection', 'msg.DropCollectionRequest'],
  201: ['dropPartition', 'msg.DropPartitionRequest'],
  400: ['insert', 'msg.InsertRequest'],
  401: ['delete', 'msg.DeleteRequest'],
  1200: ['timeTick', 'msg.TimeTickMsg'],
};

interface Base {
  readonly msgType: number;
  readonly msgID?: string;
  readonly timestamp?: string;
}

export const readBase = (payload: Uint8Array): Base => decodeAs('common.MsgHeader', payload)['base'] as Base;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

/** What `decodeRecord` is to say of a real message, in the form of `comparable`. */
export function expectedRecord(payload: Uint8Array): Json {
  const base = readBase(payload);
  const tick = base.timestamp ?? '0';
  const common = { messageId: base.msgID ?? '0', beginTick: tick, endTick: tick };
  const request = REQUESTS[base.msgType];
  if (request !== undefined) {
    const [operation, message] = request;
    const body = decodeAs(message, payload);
    const name = body['collectionName'];
    return {
      kind: 'operation',
      ...common,
      operation,
      database: text(body['dbName']) || 'default',
      collectionNames: typeof name === 'string' ? [name] : list(body['collectionNames']),
      request: body,
    };
  }
  const found = MESSAGES[base.msgType];
  if (found === undefined) return { kind: 'unknown', ...common, messageType: base.msgType };
  const [kind, message] = found;
  if (kind === 'timeTick') return { kind, ...common };
  const body = decodeAs(message, payload);
  const collection = {
    ...common,
    database: text(body['dbName']) || 'default',
    collectionName: text(body['collectionName']),
    collectionId: body['collectionID'],
  };
  const partition = { partitionName: text(body['partitionName']), partitionId: body['partitionID'] };
  const rows = (): Json => {
    const ticks = list(body['timestamps']).map((value) => BigInt(value as string));
    const sorted = ticks.toSorted((a, b) => (a < b ? -1 : 1));
    return {
      beginTick: String(sorted.at(0)),
      endTick: String(sorted.at(-1)),
      vchannel: body['shardName'],
      ...partition,
    };
  };
  switch (kind) {
    case 'insert': {
      const fields = list(body['fieldsData']) as { fieldId: string; fieldName: string }[];
      return {
        kind,
        ...collection,
        ...rows(),
        rowCount: Number(body['numRows']),
        fields: fields.map((column) => ({ fieldId: column.fieldId, fieldName: column.fieldName, column })),
      };
    }
    case 'delete': {
      const ids = body['primaryKeys'] as { intId?: { data: string[] }; strId?: { data: string[] } };
      const keys =
        ids.intId === undefined
          ? { type: 'varchar', values: ids.strId?.data }
          : { type: 'int64', values: ids.intId.data };
      return { kind, ...collection, ...rows(), keys };
    }
    case 'createCollection': {
      const schema = decodeAs('schema.CollectionSchema', Buffer.from(text(body['schema']), 'base64'));
      return {
        kind,
        ...collection,
        collectionName: collection.collectionName || schema['name'],
        databaseId: text(body['dbID']) || '0',
        schema,
        vchannels: list(body['virtualChannelNames']),
        pchannels: list(body['physicalChannelNames']),
        partitions: list(body['partitionIDs']).map((id, index) => ({
          name: text(list(body['partitionNames'])[index]),
          id,
        })),
      };
    }
    case 'dropCollection':
      return { kind, ...collection };
    default:
      return { kind, ...collection, ...partition };
  }
}

/** A record as JSON, its bytes decoded, so that it can be held against `expectedRecord`. */
export function comparable(record: WalRecord): Json {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return String(value);
    if (value instanceof BigInt64Array) return Array.from(value, String);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
  };
  if (record.kind === 'insert') {
    const { fields, ...rest } = record;
    return {
      ...(plain(rest) as Json),
      fields: fields.map(({ fieldId, fieldName, bytes }) => ({
        fieldId: String(fieldId),
        fieldName,
        column: decodeAs('schema.FieldData', bytes),
      })),
    };
  }
  if (record.kind === 'createCollection') {
    const { schema, ...rest } = record;
    return { ...(plain(rest) as Json), schema: decodeAs('schema.CollectionSchema', schema) };
  }
  if (record.kind === 'operation') {
    const { request, ...rest } = record;
    const [, message] = REQUESTS[readBase(request).msgType] ?? [];
    return { ...(plain(rest) as Json), request: message === undefined ? undefined : decodeAs(message, request) };
  }
  return plain(record) as Json;
}
