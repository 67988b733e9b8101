/** The NATS inside a Milvus of the lab, with test streams of our own beside those of Milvus, made as Milvus makes them. */
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MilvusInstance } from '../../../electron/core/lab/milvus-instance.ts';
import { ensureServerPackage } from '../../../electron/core/lab/server-package.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openNatsWal } from '../../../electron/engine/source/wal/nats-wal.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';
import { natsEndpointSchema } from '../../../shared/model/connection.ts';
import type { NatsEndpoint } from '../../../shared/model/connection.ts';
import { asPChannel } from '../../../shared/model/ids.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import type { WalHarness } from './wal-contract.ts';

/** Short, so that a case that waits for the end of a request ends soon. */
const PULL_EXPIRES_MS = 4_000;
const RETENTION_MS = 3 * 24 * 3_600_000;
/** Unanswered publications that the broker takes at once. */
const PUBLISH_AT_ONCE_MAX = 500;

export class NatsHarness implements WalHarness {
  #directory = '';
  #instance: MilvusInstance | undefined;
  #connection: NatsConnection | undefined;
  #channels = 0;

  get endpoint(): NatsEndpoint {
    if (this.#instance === undefined) throw new Error('The broker has not been started.');
    return natsEndpointSchema.parse(this.#instance.asSource.wal);
  }

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'lifeline-wal-contract-'));
    this.#instance = await MilvusInstance.open({
      directory: this.#directory,
      server: await ensureServerPackage(),
      label: 'contract',
      clusterName: 'contract',
      isDurable: false,
    });
    process.on('exit', this.#onExit);
    await this.#instance.start();
  }

  async stop(): Promise<void> {
    await this.#connection?.close();
    await this.#instance?.stop();
    process.off('exit', this.#onExit);
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }

  async restartBroker(): Promise<void> {
    await this.#connection?.close();
    this.#connection = undefined;
    await this.#instance?.kill();
    await this.#instance?.start();
  }

  openWal(): Wal {
    return openNatsWal(this.endpoint, { logger: silentLogger, pullExpiresMs: PULL_EXPIRES_MS });
  }

  async createChannel(): Promise<PChannel> {
    this.#channels += 1;
    const channel = asPChannel(`contract-test_${this.#channels}`);
    await this.#addStream(channel);
    return channel;
  }

  async publish(channel: PChannel, payloads: readonly Uint8Array[]): Promise<void> {
    const { client } = await this.#admin();
    for (let index = 0; index < payloads.length; index += PUBLISH_AT_ONCE_MAX) {
      const some = payloads.slice(index, index + PUBLISH_AT_ONCE_MAX);
      await Promise.all(some.map((payload) => client.publish(channel, payload)));
    }
  }

  async expireBelow(channel: PChannel, ordinal: MessageOrdinal): Promise<void> {
    const { manager } = await this.#admin();
    await manager.streams.purge(channel, { seq: Number(ordinal) });
  }

  async limit(channel: PChannel, { ageMs, bytes }: { ageMs: number; bytes: number }): Promise<void> {
    const { manager } = await this.#admin();
    await manager.streams.update(channel, { max_age: nanos(ageMs), max_bytes: bytes });
  }

  async recreate(channel: PChannel): Promise<void> {
    const { manager } = await this.#admin();
    await manager.streams.delete(channel);
    await this.#addStream(channel);
  }

  async readersAtBroker(channel: PChannel): Promise<number> {
    const { manager } = await this.#admin();
    let count = 0;
    for await (const consumer of manager.consumers.list(channel)) count += consumer.name === '' ? 0 : 1;
    return count;
  }

  /** As Milvus does (nmq_client.go, CreateProducer). */
  async #addStream(channel: PChannel): Promise<void> {
    const { manager } = await this.#admin();
    await manager.streams.add({
      name: channel,
      subjects: [channel],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      max_age: nanos(RETENTION_MS),
    });
  }

  async #admin(): Promise<{ client: JetStreamClient; manager: JetStreamManager }> {
    this.#connection ??= await connect({ servers: this.endpoint.servers });
    return { client: jetstream(this.#connection), manager: await jetstreamManager(this.#connection) };
  }

  readonly #onExit = (): void => this.#instance?.killSync();
}
