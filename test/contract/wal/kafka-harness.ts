/** A real Kafka, with test topics of our own, written as Milvus writes: small batches, compressed with zstd. */
import { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import type { Admin, Producer } from 'kafkajs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { KafkaPorts, KafkaSettings } from '../../../electron/core/lab/kafka-config.ts';
import { KafkaInstance } from '../../../electron/core/lab/kafka-instance.ts';
import { ensureKafkaPackage } from '../../../electron/core/lab/kafka-package.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openKafkaWal } from '../../../electron/engine/source/wal/kafka-wal.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';
import { kafkaEndpointSchema } from '../../../shared/model/connection.ts';
import type { KafkaEndpoint } from '../../../shared/model/connection.ts';
import { asPChannel } from '../../../shared/model/ids.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { WalHarness } from './wal-contract.ts';

CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => Promise.resolve(zstdCompressSync(buffer)),
  decompress: (buffer: Buffer) => Promise.resolve(zstdDecompressSync(buffer)),
});

/** Messages and compressions of the batches, in turn: positions fall into batches as well as between them. */
const BATCHES = [
  { messages: 1, compression: CompressionTypes.ZSTD },
  { messages: 5, compression: CompressionTypes.ZSTD },
  { messages: 2, compression: CompressionTypes.None },
  { messages: 8, compression: CompressionTypes.GZIP },
] as const;
export const CHANNEL_PREFIX = 'contract';

/** Why there can be no Kafka on this machine (no Java, or no Maven to fetch it with); `undefined` where there can. */
export const kafkaMissing: string | undefined = await ensureKafkaPackage().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof ReplicationError && error.code === 'prerequisiteMissing') return error.message;
    throw error;
  },
);

export class KafkaHarness implements WalHarness {
  readonly #settings: ((ports: KafkaPorts) => KafkaSettings) | undefined;
  #directory = '';
  #instance: KafkaInstance | undefined;
  #admin: Admin | undefined;
  #producer: Producer | undefined;
  #channels = 0;

  constructor(settings?: (ports: KafkaPorts) => KafkaSettings) {
    this.#settings = settings;
  }

  get endpoint(): KafkaEndpoint {
    if (this.#instance === undefined) throw new Error('The broker has not been started.');
    return kafkaEndpointSchema.parse({
      kind: 'kafka',
      brokers: [this.#instance.brokers],
      channelPrefix: CHANNEL_PREFIX,
    });
  }

  get ports(): KafkaPorts {
    if (this.#instance === undefined) throw new Error('The broker has not been started.');
    return this.#instance.ports;
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'lifeline-wal-contract-'));
    this.#instance = await KafkaInstance.open({
      directory: join(this.#directory, 'kafka'),
      server: await ensureKafkaPackage(),
      isDurable: false,
      settings: this.#settings,
    });
    process.on('exit', this.#onExit);
    await this.#instance.start();
  }

  async stop(): Promise<void> {
    await this.#disconnect();
    await this.#instance?.stop();
    process.off('exit', this.#onExit);
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }

  async restartBroker(): Promise<void> {
    await this.#disconnect();
    await this.#instance?.kill();
    await this.#instance?.start();
  }

  openWal(): Wal {
    return openKafkaWal(this.endpoint, { logger: silentLogger });
  }

  async createChannel(name?: string): Promise<PChannel> {
    this.#channels += 1;
    const channel = asPChannel(name ?? `contract-test_${this.#channels}`);
    await this.#addTopic(channel);
    return channel;
  }

  async publish(channel: PChannel, payloads: readonly Uint8Array[]): Promise<void> {
    const producer = await this.#connectedProducer();
    for (let index = 0, batch = 0; index < payloads.length; batch += 1) {
      const { messages, compression } = BATCHES[batch % BATCHES.length] ?? BATCHES[0];
      const some = payloads.slice(index, index + messages);
      index += messages;
      await producer.send({
        topic: channel,
        compression,
        messages: some.map((payload) => ({
          value: Buffer.from(payload),
          partition: 0,
          headers: { msg_type: 'Insert' },
        })),
      });
    }
  }

  /** Ends with a mark of the broker's own. */
  async publishInTransaction(channel: PChannel, payloads: readonly Uint8Array[]): Promise<void> {
    const producer = this.#client().producer({ transactionalId: 'contract', idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const transaction = await producer.transaction();
    const messages = payloads.map((payload) => ({ value: Buffer.from(payload), partition: 0 }));
    await transaction.send({ topic: channel, messages });
    await transaction.commit();
    await producer.disconnect();
  }

  async expireBelow(channel: PChannel, ordinal: MessageOrdinal): Promise<void> {
    const admin = await this.admin();
    // Which makes the client look for the topic's leader; it knows none of a topic that it has not heard of.
    await admin.fetchTopicOffsets(channel);
    await admin.deleteTopicRecords({ topic: channel, partitions: [{ partition: 0, offset: ordinal.toString() }] });
  }

  async limit(channel: PChannel, { ageMs, bytes }: { ageMs: number; bytes: number }): Promise<void> {
    const admin = await this.admin();
    const configEntries = [
      { name: 'retention.ms', value: String(ageMs) },
      { name: 'retention.bytes', value: String(bytes) },
    ];
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: channel, configEntries }],
    });
  }

  async recreate(channel: PChannel): Promise<void> {
    const admin = await this.admin();
    await admin.deleteTopics({ topics: [channel] });
    // The producer holds on to the topic that was.
    await this.#producer?.disconnect();
    this.#producer = undefined;
    await this.#addTopic(channel);
  }

  async readersAtBroker(): Promise<number> {
    return (await (await this.admin()).listGroups()).groups.length;
  }

  async admin(): Promise<Admin> {
    if (this.#admin === undefined) {
      this.#admin = this.#client().admin({ retry: { retries: 3 } });
      await this.#admin.connect();
    }
    return this.#admin;
  }

  async #addTopic(topic: string): Promise<void> {
    const admin = await this.admin();
    const wanted = { topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true };
    // False while a topic of the name still is there.
    while (!(await admin.createTopics(wanted)));
  }

  async #connectedProducer(): Promise<Producer> {
    if (this.#producer === undefined) {
      this.#producer = this.#client().producer({ allowAutoTopicCreation: false });
      await this.#producer.connect();
    }
    return this.#producer;
  }

  async #disconnect(): Promise<void> {
    await this.#producer?.disconnect();
    await this.#admin?.disconnect();
    this.#producer = undefined;
    this.#admin = undefined;
  }

  #client(): Kafka {
    return new Kafka({ brokers: [...this.endpoint.brokers], logLevel: logLevel.NOTHING });
  }

  readonly #onExit = (): void => this.#instance?.killSync();
}
