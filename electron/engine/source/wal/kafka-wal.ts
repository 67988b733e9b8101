/**
 * The log of a Milvus that keeps it in Kafka (`mq.type: kafka`).
 *
 * A topic per physical channel, of the same name, of which only partition 0 is used (Milvus 2.3.5,
 * pkg/mq/msgstream/mqwrapper/kafka/kafka_client.go). The ordinal is the offset, which counts from 0. The incarnation is the
 * topic id, which Kafka gives to each topic that it makes and never again (KIP-516; Kafka 2.8). What no reader can see: an
 * end that was cut off and has grown again past the position while nobody read (an election of a replica that lagged,
 * `unclean.leader.election.enable`); a reader that is open sees that too.
 */
import type { KafkaEndpoint } from '../../../../shared/model/connection.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import type { PChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import type { MessageOrdinal, ResumePoint } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import {
  classifyKafka,
  KafkaRefusal,
  OFFSET_OUT_OF_RANGE,
  TOPIC_AUTHORIZATION_FAILED,
} from '../../errors/classify-kafka.ts';
import type { Logger } from '../../runtime/logger.ts';
import { orAborted } from '../../runtime/waiting.ts';
import { firstOrdinal, positionLost, proveStart, rangeOf } from './continuity.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { API_FETCH, describeConfigsRequest, fetchRequest, listOffsetsRequest } from './kafka-protocol.ts';
import { KafkaReader } from './kafka-reader.ts';
import { readBatches, readRecords } from './kafka-records.ts';
import type { ChannelBounds, ChannelRetention, Wal, WalMessage, WalReader } from './wal.ts';

/** A person waits no longer than this for the answer that an address is wrong. */
const TIMEOUT_MS = 5_000;
/** Shorter than a connection that has gone silent may take to be noticed. */
const FETCH_WAIT_MS = 2_000;
/** The offset of a topic's first record. */
const FIRST_OFFSET = 0n;
const MESSAGE_ID_BYTES = 8;
/** Names of a topic's settings; -1 stands for no limit. */
const RETENTION_MS = 'retention.ms';
const RETENTION_BYTES = 'retention.bytes';
const CLEANUP_POLICY = 'cleanup.policy';

export interface KafkaWalOptions {
  readonly logger: Logger;
  /** For connecting and for each request; 5 s by default. */
  readonly timeoutMs?: number;
  /** How long the broker holds back the answer where there is nothing to read; 2 s by default. */
  readonly fetchWaitMs?: number;
  /** For tests: takes the brokers for ones that know no higher version of Fetch. */
  readonly fetchVersionMax?: number;
}

/**
 * The first call connects. Each reader has a connection of its own, besides one to each broker. A connection that is lost
 * fails what is under way with `unreachable`; the next call dials again. Every call may throw unreachable,
 * unauthenticated, permissionDenied, unsupported (a Kafka below 2.8), invalidConfig.
 */
export function openKafkaWal(endpoint: KafkaEndpoint, options: KafkaWalOptions): Wal {
  const cluster = new KafkaCluster(endpoint, { ...options, timeoutMs: options.timeoutMs ?? TIMEOUT_MS });
  return new KafkaWal(endpoint.channelPrefix, cluster, options.fetchWaitMs ?? FETCH_WAIT_MS);
}

class KafkaWal implements Wal {
  readonly #prefix: string;
  readonly #cluster: KafkaCluster;
  readonly #fetchWaitMs: number;

  constructor(prefix: string, cluster: KafkaCluster, fetchWaitMs: number) {
    this.#prefix = prefix;
    this.#cluster = cluster;
    this.#fetchWaitMs = fetchWaitMs;
  }

  /**
   * The id of the Kafka cluster, which lies on its brokers' disks, and the prefix, since one Kafka may serve several Milvus.
   * That there is no channel yet is no fault: Milvus makes each topic at its first use, the first ones with the first
   * collection (seen with 2.3.5).
   */
  async identity(): Promise<string> {
    // Of the topics, none is asked for.
    const { clusterId } = await this.#cluster.metadata([]);
    return `kafka:${clusterId ?? ''}:${this.#prefix}`;
  }

  async listDataChannels(): Promise<readonly PChannel[]> {
    const prefix = `${this.#prefix}-rootcoord-dml_`;
    const indexes: number[] = [];
    for (const name of await this.#topicNames()) {
      const index = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (/^\d+$/.test(index)) indexes.push(Number(index));
    }
    return indexes.sort((a, b) => a - b).map((index) => asPChannel(`${prefix}${index}`));
  }

  async operationChannel(): Promise<PChannel | undefined> {
    const name = `${this.#prefix}-replicate-msg`;
    return (await this.#topicNames()).includes(name) ? asPChannel(name) : undefined;
  }

  async bounds(channel: PChannel): Promise<ChannelBounds> {
    const { id, leader } = await this.#cluster.topic(channel);
    try {
      const [earliest, end] = await Promise.all([
        this.#cluster.ask(leader, listOffsetsRequest(channel, 'earliest')),
        this.#cluster.ask(leader, listOffsetsRequest(channel, 'end')),
      ]);
      return { incarnation: id, earliest: asOrdinal(earliest), latest: asOrdinal(end - 1n) };
    } catch (error) {
      throw classifyKafka(error, `Channel ${channel} could not be looked up in the source's log`, {
        pchannel: channel,
      });
    }
  }

  /**
   * Kafka removes whole segments of the log, once their newest record is past the limits and a later segment has been begun:
   * so a message is kept for so long at least. What a topic takes up it tells only to those who may describe the cluster.
   */
  async retention(channel: PChannel): Promise<ChannelRetention | undefined> {
    const { leader } = await this.#cluster.topic(channel);
    const wanted = [RETENTION_MS, RETENTION_BYTES, CLEANUP_POLICY];
    try {
      const settings = await this.#cluster.ask(leader, describeConfigsRequest(channel, wanted));
      const isRemoved = (settings.get(CLEANUP_POLICY) ?? 'delete').includes('delete');
      const limit = (name: string): number | undefined => {
        const value = Number(settings.get(name) ?? -1);
        return isRemoved && value >= 0 ? value : undefined;
      };
      return {
        ageMsMax: limit(RETENTION_MS),
        bytesMax: limit(RETENTION_BYTES),
        messagesMax: undefined,
        bytesUsed: undefined,
      };
    } catch (error) {
      // A right of its own (DescribeConfigs on the topic), which reading does not need.
      if (error instanceof KafkaRefusal && error.errorCode === TOPIC_AUTHORIZATION_FAILED) return undefined;
      throw classifyKafka(error, `The settings of channel ${channel} could not be read`, { pchannel: channel });
    }
  }

  async assertKept(channel: PChannel, start: ResumePoint): Promise<void> {
    proveStart(channel, start, await this.bounds(channel), FIRST_OFFSET);
  }

  async open(channel: PChannel, start: ResumePoint, signal: AbortSignal): Promise<WalReader> {
    signal.throwIfAborted();
    await this.assertKept(channel, start);
    // What is removed from here on, the first answer tells.
    const reader = await this.#reader(channel, start.incarnation, firstOrdinal(start, FIRST_OFFSET));
    if (signal.aborted) {
      await reader.close();
      throw signal.reason;
    }
    return reader;
  }

  async readAt(channel: PChannel, ordinal: MessageOrdinal, signal: AbortSignal): Promise<WalMessage> {
    return orAborted(this.#readAt(channel, ordinal), signal);
  }

  async #readAt(channel: PChannel, ordinal: MessageOrdinal): Promise<WalMessage> {
    const { id: topicId, leader } = await this.#cluster.topic(channel);
    const wanted = { topic: channel, topicId, offset: ordinal, lastEpoch: -1, bytesMax: 1, waitMs: 0 };
    try {
      // Below 0 offsets have meanings of their own.
      if (ordinal >= FIRST_OFFSET) {
        const { errorCode, records } = await this.#cluster.ask(leader, (broker) =>
          fetchRequest(broker.versionOf(API_FETCH), wanted),
        );
        if (errorCode !== OFFSET_OUT_OF_RANGE) KafkaRefusal.throwIf(errorCode);
        const batch = readBatches(records).find(({ lastOffset }) => lastOffset >= ordinal);
        const found = batch === undefined || batch.isControl ? [] : readRecords(batch);
        const message = found.find((candidate) => candidate.ordinal === ordinal);
        if (message !== undefined) return message;
      }
    } catch (error) {
      throw classifyKafka(error, `Message ${ordinal} of channel ${channel} could not be read`, { pchannel: channel });
    }
    const bounds = await this.bounds(channel);
    throw positionLost(channel, `message ${ordinal} is wanted; the log ${rangeOf(bounds)}`, {
      ordinal: ordinal.toString(),
      earliest: bounds.earliest.toString(),
      latest: bounds.latest.toString(),
    });
  }

  async #reader(channel: PChannel, incarnation: string, first: MessageOrdinal): Promise<KafkaReader> {
    const { id, leader } = await this.#cluster.topic(channel);
    if (id !== incarnation) {
      throw new ReplicationError(
        'unreachable',
        'wal',
        `Channel ${channel} was deleted and made again while it was opened. Open it again.`,
        { context: { pchannel: channel } },
      );
    }
    const prove = async (next: bigint): Promise<void> =>
      this.assertKept(channel, { kind: 'after', ordinal: asOrdinal(next - 1n), incarnation });
    const connection = await this.#cluster.dial(leader);
    return new KafkaReader({ connection, channel, topicId: id, first, waitMs: this.#fetchWaitMs, prove });
  }

  /** Little-endian (Milvus 2.3.5, pkg/mq/msgstream/mqwrapper/kafka/kafka_id.go with common.Endian). */
  encodeMessageId(ordinal: MessageOrdinal): Uint8Array {
    const bytes = new Uint8Array(MESSAGE_ID_BYTES);
    new DataView(bytes.buffer).setBigInt64(0, ordinal, true);
    return bytes;
  }

  decodeMessageId(bytes: Uint8Array): MessageOrdinal {
    if (bytes.length !== MESSAGE_ID_BYTES) {
      throw new ReplicationError(
        'malformedMessage',
        'wal',
        `A message id of ${bytes.length} bytes is not one of Kafka, which has ${MESSAGE_ID_BYTES}. Check that the source's log is kept in Kafka.`,
        { context: { length: bytes.length } },
      );
    }
    return asOrdinal(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigInt64(0, true));
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }

  async #topicNames(): Promise<string[]> {
    return (await this.#cluster.metadata()).topics.map(({ name }) => name);
  }
}
