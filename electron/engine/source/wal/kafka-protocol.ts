/**
 * The requests that a log in Kafka is read with, as bytes. Pure. kafkajs has them too, but in versions from before topic
 * ids, without which a topic that was deleted and made again cannot be told from the old one: Metadata gives them from
 * version 10 on (Kafka 2.8), Fetch takes them instead of names from version 13 on (Kafka 3.1; KIP-516). So these are ours,
 * after the message definitions of Apache Kafka (clients/src/main/resources/common/message/*.json, 3.9), and kafkajs'
 * connection carries them.
 */
import { KafkaRefusal } from '../../errors/classify-kafka.ts';
import { WireReader, WireWriter } from './kafka-wire.ts';

export interface KafkaRequest<T> {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  /** From the end of the header's client id on. */
  readonly body: Buffer;
  /** @param answer From behind the correlation id on. */
  read(answer: Buffer): T;
}

export const API_FETCH = 1;
export const API_METADATA = 3;
const API_LIST_OFFSETS = 2;
const API_DESCRIBE_CONFIGS = 32;

/** Of Metadata, the first with topic ids. */
export const METADATA_VERSION = 10;
/** Of Fetch: by name with the check of epochs (KIP-595), and the first by topic id. */
export const FETCH_VERSION_BY_NAME = 12;
export const FETCH_VERSION_BY_ID = 13;
/** Since Kafka 0.11, and still in 4.0. */
const LIST_OFFSETS_VERSION = 2;

/** Since Kafka 1.1, and the lowest in 4.0. */
const DESCRIBE_CONFIGS_VERSION = 1;
const RESOURCE_TOPIC = 2;

/** A Milvus channel is one partition. */
const PARTITION = 0;
const REPLICA_NONE = -1;
const READ_UNCOMMITTED = 0;
const TOPIC_ID_BYTES = 16;
const NO_TOPIC_ID = Buffer.alloc(TOPIC_ID_BYTES);

export interface KafkaNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface KafkaTopic {
  readonly name: string;
  /** As Kafka's own tools print it; `undefined` where the cluster gives none. */
  readonly id: string | undefined;
  readonly errorCode: number;
  /** Of partition 0. */
  readonly partitionErrorCode: number;
  /** Of partition 0; -1 while there is none. */
  readonly leaderId: number;
}

export interface KafkaMetadata {
  readonly clusterId: string | undefined;
  readonly nodes: ReadonlyMap<number, KafkaNode>;
  readonly topics: readonly KafkaTopic[];
}

/** @param topics All of them when it is `undefined`. Never makes the broker create a topic. */
export function metadataRequest(topics: readonly string[] | undefined): KafkaRequest<KafkaMetadata> {
  const writer = new WireWriter().noTags().compactCount(topics?.length);
  for (const name of topics ?? []) writer.bytes(NO_TOPIC_ID).compactString(name).noTags();
  const allowAutoTopicCreation = false;
  // The last two ask for what this user may do, which nobody needs here.
  const body = writer.boolean(allowAutoTopicCreation).boolean(false).boolean(false).noTags().finish();
  return { apiKey: API_METADATA, apiName: 'Metadata', apiVersion: METADATA_VERSION, body, read: readMetadata };
}

function readMetadata(answer: Buffer): KafkaMetadata {
  const reader = new WireReader(answer);
  reader.tags();
  reader.int32(); // throttle time
  const nodes = reader.compactArray((): KafkaNode => {
    const id = reader.int32();
    const host = reader.compactString() ?? '';
    const port = reader.int32();
    reader.compactString(); // rack
    reader.tags();
    return { id, host, port };
  });
  const clusterId = reader.compactString();
  reader.int32(); // controller
  const topics = reader.compactArray(() => readTopic(reader));
  return { clusterId, nodes: new Map(nodes.map((node) => [node.id, node])), topics };
}

function readTopic(reader: WireReader): KafkaTopic {
  const errorCode = reader.int16();
  const name = reader.compactString() ?? '';
  const id = reader.bytes(TOPIC_ID_BYTES);
  reader.boolean(); // internal
  const partitions = reader.compactArray(() => {
    const partition = { errorCode: reader.int16(), index: reader.int32(), leaderId: reader.int32() };
    reader.int32(); // leader epoch
    for (let list = 0; list < 3; list += 1) reader.compactArray(() => reader.int32()); // replicas, in sync, offline
    reader.tags();
    return partition;
  });
  reader.int32(); // authorized operations
  reader.tags();
  const first = partitions.find((partition) => partition.index === PARTITION);
  return {
    name,
    id: id.equals(NO_TOPIC_ID) ? undefined : id.toString('base64url'),
    errorCode,
    partitionErrorCode: first?.errorCode ?? 0,
    leaderId: first?.leaderId ?? -1,
  };
}

/** `earliest`: of the first record that is kept. `end`: of the record that comes next. */
const OFFSET_TIMESTAMPS = { earliest: -2n, end: -1n } as const;

/** @throws KafkaRefusal */
export function listOffsetsRequest(topic: string, which: keyof typeof OFFSET_TIMESTAMPS): KafkaRequest<bigint> {
  const body = new WireWriter()
    .int32(REPLICA_NONE)
    .int8(READ_UNCOMMITTED)
    .int32(1)
    .string(topic)
    .int32(1)
    .int32(PARTITION)
    .int64(OFFSET_TIMESTAMPS[which])
    .finish();
  const read = (answer: Buffer): bigint => {
    const reader = new WireReader(answer);
    reader.int32(); // throttle time
    const [offset] = reader.array(() => {
      reader.string();
      return reader.array(() => {
        reader.int32(); // partition
        KafkaRefusal.throwIf(reader.int16());
        reader.int64(); // timestamp
        return reader.int64();
      });
    });
    if (offset?.[0] === undefined) throw new RangeError('The answer holds no offset.');
    return offset[0];
  };
  return { apiKey: API_LIST_OFFSETS, apiName: 'ListOffsets', apiVersion: LIST_OFFSETS_VERSION, body, read };
}

/** Settings of a topic by name, the broker's defaults where the topic has none of its own. @throws KafkaRefusal */
export function describeConfigsRequest(
  topic: string,
  names: readonly string[],
): KafkaRequest<ReadonlyMap<string, string>> {
  const writer = new WireWriter().int32(1).int8(RESOURCE_TOPIC).string(topic).int32(names.length);
  for (const name of names) writer.string(name);
  const hasSynonyms = false;
  const body = writer.boolean(hasSynonyms).finish();
  const read = (answer: Buffer): ReadonlyMap<string, string> => {
    const reader = new WireReader(answer);
    reader.int32(); // throttle time
    const settings = new Map<string, string>();
    reader.array(() => {
      const errorCode = reader.int16();
      reader.nullableString(); // what the error is
      KafkaRefusal.throwIf(errorCode);
      reader.int8(); // kind of resource
      reader.string();
      reader.array(() => readSetting(reader, settings));
    });
    return settings;
  };
  return {
    apiKey: API_DESCRIBE_CONFIGS,
    apiName: 'DescribeConfigs',
    apiVersion: DESCRIBE_CONFIGS_VERSION,
    body,
    read,
  };
}

function readSetting(reader: WireReader, settings: Map<string, string>): void {
  const name = reader.string();
  const value = reader.nullableString();
  reader.boolean(); // may only be read
  reader.int8(); // where it comes from
  reader.boolean(); // secret
  reader.array(() => {
    reader.string();
    reader.nullableString();
    reader.int8();
  });
  if (value !== undefined) settings.set(name, value);
}

export interface FetchOptions {
  readonly topic: string;
  readonly topicId: string;
  readonly offset: bigint;
  /** Leader epoch of the record before `offset`, -1 when it is not known: the broker then checks that it had that record. */
  readonly lastEpoch: number;
  readonly bytesMax: number;
  /** How long the broker waits for the first byte. */
  readonly waitMs: number;
}

export interface Fetched {
  /** How long the broker asks us to leave it alone; it does not answer before. */
  readonly throttleMs: number;
  readonly errorCode: number;
  /** Where the logs part, when the record before the asked one is not the broker's: its end was cut off. */
  readonly divergesAt: bigint | undefined;
  /** Whole batches, the last one perhaps cut off. A part of the answer, not a copy. */
  readonly records: Buffer;
}

/** @param brokerVersion The highest that the broker answers, `FETCH_VERSION_BY_NAME` or above. */
export function fetchRequest(brokerVersion: number, options: FetchOptions): KafkaRequest<Fetched> {
  const isById = brokerVersion >= FETCH_VERSION_BY_ID;
  const version = isById ? FETCH_VERSION_BY_ID : FETCH_VERSION_BY_NAME;
  const writer = new WireWriter()
    .noTags()
    .int32(REPLICA_NONE)
    .int32(options.waitMs)
    .int32(1) // bytes to wait for
    .int32(options.bytesMax)
    .int8(READ_UNCOMMITTED)
    .int32(0) // no session:
    .int32(-1) // every request says all that it wants
    .compactCount(1);
  if (isById) writer.bytes(Buffer.from(options.topicId, 'base64url'));
  else writer.compactString(options.topic);
  const body = writer
    .compactCount(1)
    .int32(PARTITION)
    .int32(-1) // whatever the leader's epoch is
    .int64(options.offset)
    .int32(options.lastEpoch)
    .int64(-1n) // log start, which only replicas tell
    .int32(options.bytesMax)
    .noTags()
    .noTags()
    .compactCount(0) // forgotten topics
    .compactString('') // rack: always the leader
    .noTags()
    .finish();
  return {
    apiKey: API_FETCH,
    apiName: 'Fetch',
    apiVersion: version,
    body,
    read: (answer) => readFetch(answer, isById),
  };
}

function readFetch(answer: Buffer, isById: boolean): Fetched {
  const reader = new WireReader(answer);
  reader.tags();
  const throttleMs = reader.int32();
  const failed = reader.int16();
  reader.int32(); // session
  const fetched = reader.compactArray(() => {
    if (isById) reader.bytes(TOPIC_ID_BYTES);
    else reader.compactString();
    const partitions = reader.compactArray(() => readFetchedPartition(reader, throttleMs));
    reader.tags();
    return partitions[0];
  })[0];
  if (failed !== 0) return { throttleMs, errorCode: failed, divergesAt: undefined, records: Buffer.alloc(0) };
  if (fetched === undefined) throw new RangeError('The answer holds no partition.');
  return fetched;
}

function readFetchedPartition(reader: WireReader, throttleMs: number): Fetched {
  reader.int32(); // partition
  const errorCode = reader.int16();
  reader.int64(); // high watermark
  reader.int64(); // last stable offset
  reader.int64(); // log start
  reader.compactArray(() => {
    reader.bytes(16); // an aborted transaction
    reader.tags();
  });
  reader.int32(); // replica to be preferred
  const records = reader.compactBytes() ?? Buffer.alloc(0);
  let divergesAt: bigint | undefined;
  reader.tags((tag, value) => {
    if (tag !== 0) return;
    value.int32(); // epoch
    divergesAt = value.int64();
  });
  return { throttleMs, errorCode, divergesAt, records };
}
