/** First contact with a Kafka that wants credentials or TLS, and with what is not Kafka: on real listeners. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureKafkaPackage } from '../../../electron/core/lab/kafka-package.ts';
import { runCommand } from '../../../electron/core/lab/kafka-java.ts';
import { freePorts } from '../../../electron/core/lab/ports.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import type { Logger } from '../../../electron/engine/runtime/logger.ts';
import { openKafkaWal } from '../../../electron/engine/source/wal/kafka-wal.ts';
import { kafkaEndpointSchema } from '../../../shared/model/connection.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import type { ReplicationError } from '../../../shared/model/replication-error.ts';
import { CHANNEL_PREFIX, KafkaHarness, kafkaMissing } from './kafka-harness.ts';

const BROKER_TIMEOUT_MS = 120_000;
/** A person gets every answer within this. */
const ANSWER_MS = 5_500;
const PASSWORD = 'a-secret-of-the-log';
const USER = 'alice';
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const PLAIN_MODULE = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule';

describe.skipIf(kafkaMissing !== undefined)('a Kafka that is secured', { timeout: 30_000 }, () => {
  let harness: KafkaHarness;
  let directory: string;
  let certificate: string;
  let saslPort: number;
  /** Without SCRAM. */
  let plainPort: number;
  let tlsPort: number;
  let channel: PChannel;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lifeline-kafka-tls-'));
    const [keyFile, certificateFile] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certificateFile],
    ]);
    certificate = await readFile(certificateFile, 'utf8');
    const key = await readFile(keyFile, 'utf8');
    [saslPort, plainPort, tlsPort] = (await freePorts(3)) as [number, number, number];
    harness = new KafkaHarness(({ broker, controller }) => {
      const ports = { PLAINTEXT: broker, SASL: saslPort, PLAIN: plainPort, TLS: tlsPort };
      const clients = Object.entries(ports).map(([name, port]) => `${name}://127.0.0.1:${port}`);
      return {
        listeners: [...clients, `CONTROLLER://127.0.0.1:${controller}`].join(','),
        'advertised.listeners': clients.join(','),
        'listener.security.protocol.map':
          'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,PLAIN:SASL_PLAINTEXT,TLS:SSL',
        'listener.name.plain.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.plain.plain.sasl.jaas.config': `${PLAIN_MODULE} required user_${USER}="${PASSWORD}";`,
        'listener.name.sasl.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.sasl.plain.sasl.jaas.config': `${PLAIN_MODULE} required user_${USER}="${PASSWORD}";`,
        'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${SCRAM_MODULE} required;`,
        'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${SCRAM_MODULE} required;`,
        'listener.name.tls.ssl.keystore.type': 'PEM',
        'listener.name.tls.ssl.keystore.certificate.chain': certificate,
        'listener.name.tls.ssl.keystore.key': key,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      };
    });
    await harness.start();
    const { java, classPath } = await ensureKafkaPackage();
    // Kafka takes one at a time.
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      const { exitCode, output } = await runCommand(java, [
        ...['-cp', classPath, 'kafka.admin.ConfigCommand', '--bootstrap-server', harness.endpoint.brokers[0] ?? ''],
        ...['--alter', '--add-config', `${mechanism}=[password=${PASSWORD}]`, '--entity-type', 'users'],
        ...['--entity-name', USER],
      ]);
      if (exitCode !== 0) throw new Error(output);
    }
    channel = await harness.createChannel(`${CHANNEL_PREFIX}-rootcoord-dml_0`);
    await harness.publish(channel, [new Uint8Array([7])]);
  }, BROKER_TIMEOUT_MS);
  afterAll(async () => {
    await harness.stop();
    await rm(directory, { recursive: true, force: true });
  }, BROKER_TIMEOUT_MS);

  const sasl = (mechanism: (typeof MECHANISMS)[number], password = PASSWORD) => ({
    brokers: [`127.0.0.1:${saslPort}`],
    sasl: { mechanism, username: USER, password },
  });

  async function readFirst(more: object): Promise<number | undefined> {
    const endpoint = kafkaEndpointSchema.parse({ kind: 'kafka', channelPrefix: CHANNEL_PREFIX, ...more });
    const wal = openKafkaWal(endpoint, { logger: silentLogger });
    try {
      const { incarnation } = await wal.bounds(channel);
      const start = { kind: 'after', ordinal: ORDINAL_NONE, incarnation } as const;
      const reader = await wal.open(channel, start, AbortSignal.timeout(ANSWER_MS));
      const [message] = await reader.read(1_000, AbortSignal.timeout(ANSWER_MS));
      await reader.close();
      return message?.payload[0];
    } finally {
      await wal.close();
    }
  }

  /** Nothing of it may show the password, in the error or in what is logged. */
  async function failureAt(more: object): Promise<ReplicationError> {
    const said: unknown[] = [];
    const say = (...line: unknown[]): void => void said.push(line);
    const logger: Logger = { debug: say, info: say, warn: say, error: say };
    const endpoint = kafkaEndpointSchema.parse({ kind: 'kafka', channelPrefix: CHANNEL_PREFIX, ...more });
    const wal = openKafkaWal(endpoint, { logger });
    const startedMs = performance.now();
    const error: unknown = await wal.bounds(channel).catch((thrown: unknown) => thrown);
    expect(performance.now() - startedMs).toBeLessThan(ANSWER_MS);
    await wal.close();
    expect(error).toMatchObject({ name: 'ReplicationError', side: 'wal' });
    const failure = error as ReplicationError;
    expect(JSON.stringify([said, failure.toData()])).not.toContain(PASSWORD);
    return failure;
  }

  async function serve(answer: string): Promise<string> {
    const server: Server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', () => answer !== '' && socket.end(answer));
      onTestFinished(() => void socket.destroy());
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('says which rights the user lacks, and reads with each mechanism once it has them', async () => {
    const error = await failureAt(sasl('plain'));
    expect(error).toMatchObject({ code: 'permissionDenied', message: expect.stringContaining('Describe and Read') });
    await (
      await harness.admin()
    ).createAcls({
      acl: [AclOperationTypes.DESCRIBE, AclOperationTypes.READ].map((operation) => ({
        resourceType: AclResourceTypes.TOPIC,
        resourceName: `${CHANNEL_PREFIX}-`,
        resourcePatternType: ResourcePatternTypes.PREFIXED,
        principal: `User:${USER}`,
        host: '*',
        operation,
        permissionType: AclPermissionTypes.ALLOW,
      })),
    });
    for (const mechanism of MECHANISMS) {
      await expect.poll(() => readFirst(sasl(mechanism)).catch(() => undefined), { timeout: 10_000 }).toBe(7);
    }
  });

  it('does not know the retention where the user may read the topic and not its settings', async () => {
    const endpoint = kafkaEndpointSchema.parse({ kind: 'kafka', channelPrefix: CHANNEL_PREFIX, ...sasl('plain') });
    const wal = openKafkaWal(endpoint, { logger: silentLogger });
    onTestFinished(() => wal.close());
    expect(await wal.retention(channel)).toBeUndefined();
    expect(await harness.openWal().retention(channel)).toMatchObject({ ageMsMax: expect.any(Number) });
  });

  it.each(MECHANISMS)('says that the credentials were refused with %s', async (mechanism) => {
    const secret = `${PASSWORD}-mistyped`;
    const error = await failureAt(sasl(mechanism, secret));
    expect(error).toMatchObject({ code: 'unauthenticated', message: expect.stringContaining(String(saslPort)) });
  });

  it('says that credentials are wanted where none were given', async () => {
    expect(await failureAt({ brokers: [`127.0.0.1:${saslPort}`] })).toMatchObject({ code: 'unauthenticated' });
  });

  it('says that a listener has no such mechanism, or wants no credentials at all', async () => {
    const mechanism = await failureAt({ ...sasl('scram-sha-256'), brokers: [`127.0.0.1:${plainPort}`] });
    expect(mechanism).toMatchObject({ code: 'invalidConfig', message: expect.stringContaining('SASL mechanism') });
    const none = await failureAt({ ...sasl('plain'), brokers: harness.endpoint.brokers });
    expect(none).toMatchObject({ code: 'invalidConfig', message: expect.stringContaining('no credentials') });
  });

  it('reads over TLS, and the certificate must be that of the name', async () => {
    const brokers = [`127.0.0.1:${tlsPort}`];
    expect(await readFirst({ brokers, tls: { ca: certificate, serverName: 'localhost' } })).toBe(7);
    expect(await failureAt({ brokers, tls: { ca: certificate } })).toMatchObject({ code: 'invalidConfig' });
    const unknown = await failureAt({ brokers, tls: { serverName: 'localhost' } });
    expect(unknown).toMatchObject({ code: 'invalidConfig', message: expect.stringContaining('SELF_SIGNED') });
  });

  it('says that a listener wants TLS, or has none', async () => {
    const plain = await failureAt({ brokers: [`127.0.0.1:${tlsPort}`] });
    expect(plain).toMatchObject({ code: 'unreachable', message: expect.stringContaining('wants TLS') });
    const tls = await failureAt({ brokers: harness.endpoint.brokers, tls: { ca: certificate } });
    expect(tls).toMatchObject({ code: 'invalidConfig', message: expect.stringContaining('TLS') });
  });

  it('says that nobody is there, at once', async () => {
    const [port] = await freePorts(1);
    const error = await failureAt({ brokers: [`127.0.0.1:${port}`] });
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('ECONNREFUSED') });
    expect((await failureAt({ brokers: ['no-such-host.invalid:9092'] })).code).toBe('unreachable');
  });

  it('does not wait longer than its limit for one that says nothing, nor for several', async () => {
    expect(await failureAt({ brokers: [await serve('')] })).toMatchObject({ code: 'unreachable' });
    const several = await Promise.all([serve(''), serve('')]);
    expect(await failureAt({ brokers: several })).toMatchObject({ code: 'unreachable' });
  });

  it('goes to the next broker when the first is gone', async () => {
    const [port] = await freePorts(1);
    expect(await readFirst({ brokers: [`127.0.0.1:${port}`, ...harness.endpoint.brokers] })).toBe(7);
  });

  it('says that what answers is not Kafka', async () => {
    const error = await failureAt({ brokers: [await serve('HTTP/1.1 400 Bad Request\r\n\r\n')] });
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('not Kafka') });
  });

  it('says that an address is not one', async () => {
    expect(await failureAt({ brokers: ['http://'] })).toMatchObject({ code: 'invalidConfig' });
  });
});
