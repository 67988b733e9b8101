/** The connection test against a Kafka with users, rights, TLS and addresses that lead nowhere: real listeners. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../../electron/core/lab/kafka-java.ts';
import { ensureKafkaPackage } from '../../../electron/core/lab/kafka-package.ts';
import { freePorts } from '../../../electron/core/lab/ports.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openKafkaWal } from '../../../electron/engine/source/wal/kafka-wal.ts';
import { kafkaEndpointSchema, type KafkaEndpoint, type TlsOptions } from '../../../shared/model/connection.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import { CHANNEL_PREFIX, KafkaHarness, kafkaMissing } from '../../contract/wal/kafka-harness.ts';
import { CertificateAuthority, type KeyPair } from './certificates.ts';
import { firstFailure } from './hops.ts';

const START_LIMIT_MS = 120_000;
const READ_MS = 5_000;
const SERVER_NAME = 'kafka.example';
const PASSWORD = 'a-secret-of-the-log';
/** The users, all of the same password; what each may do says its name. */
const USERS = ['reader', 'describer', 'nobody'] as const;
const SCRAM_USER = 'reader';
const PLAIN_MODULE = 'org.apache.kafka.common.security.plain.PlainLoginModule';
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule';
/** Kafka's listeners here, each with the protocol that it speaks. */
const LISTENERS = {
  SASL: 'SASL_PLAINTEXT',
  SASLTLS: 'SASL_SSL',
  TLS: 'SSL',
  MUTUAL: 'SSL',
  EXPIRED: 'SSL',
  ELSEWHERE: 'PLAINTEXT',
  UNNAMED: 'PLAINTEXT',
  SILENT: 'PLAINTEXT',
} as const;
type Listener = keyof typeof LISTENERS;

describe.skipIf(kafkaMissing !== undefined)('the connection test of a Kafka', { timeout: 30_000 }, () => {
  const opened: (() => Promise<unknown>)[] = [];
  const ports = {} as Record<Listener, number>;
  let harness: KafkaHarness;
  let authority: CertificateAuthority;
  let stranger: CertificateAuthority;
  let client: KeyPair;
  let channel: PChannel;
  let deadPort: number;

  beforeAll(async () => {
    authority = await CertificateAuthority.make('The cluster');
    opened.unshift(() => authority.remove());
    stranger = await CertificateAuthority.make('Somebody else');
    opened.unshift(() => stranger.remove());
    const names = [`DNS:${SERVER_NAME}`];
    const server = await authority.issue({ commonName: 'kafka', names });
    const expired = await authority.issue({ commonName: 'kafka', names, isExpired: true });
    client = await authority.issue({ commonName: 'lifeline' });
    const silent = await silentServer();
    opened.unshift(() => silent.close());
    const [dead = 0, ...free] = await freePorts(1 + Object.keys(LISTENERS).length);
    deadPort = dead;
    Object.keys(LISTENERS).forEach((name, at) => (ports[name as Listener] = free[at] ?? 0));
    const advertised: Partial<Record<Listener, string>> = {
      ELSEWHERE: `127.0.0.1:${deadPort}`,
      UNNAMED: 'kafka-0.internal.invalid:9092',
      SILENT: silent.address,
    };
    harness = new KafkaHarness(({ broker, controller }) => {
      const all = Object.keys(LISTENERS) as Listener[];
      const listeners = all.map((name) => `${name}://127.0.0.1:${ports[name]}`);
      return {
        listeners: [`PLAINTEXT://127.0.0.1:${broker}`, `CONTROLLER://127.0.0.1:${controller}`, ...listeners].join(','),
        'advertised.listeners': [
          `PLAINTEXT://127.0.0.1:${broker}`,
          ...all.map((name) => `${name}://${advertised[name] ?? `127.0.0.1:${ports[name]}`}`),
        ].join(','),
        'listener.security.protocol.map': [
          'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
          ...Object.entries(LISTENERS).map((entry) => entry.join(':')),
        ].join(','),
        ...saslSettings('sasl'),
        ...saslSettings('sasltls'),
        ...tlsSettings('sasltls', server),
        ...tlsSettings('tls', server),
        ...tlsSettings('mutual', server),
        'listener.name.mutual.ssl.client.auth': 'required',
        'listener.name.mutual.ssl.truststore.type': 'PEM',
        'listener.name.mutual.ssl.truststore.certificates': authority.cert,
        ...tlsSettings('expired', expired),
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS;User:CN=lifeline',
      };
    });
    opened.unshift(() => harness.stop());
    await harness.start();
    const { java, classPath } = await ensureKafkaPackage();
    const { exitCode, output } = await runCommand(java, [
      ...['-cp', classPath, 'kafka.admin.ConfigCommand', '--bootstrap-server', harness.endpoint.brokers[0] ?? ''],
      ...['--alter', '--add-config', `SCRAM-SHA-512=[password=${PASSWORD}]`, '--entity-type', 'users'],
      ...['--entity-name', SCRAM_USER],
    ]);
    if (exitCode !== 0) throw new Error(output);
    channel = await harness.createChannel(`${CHANNEL_PREFIX}-rootcoord-dml_0`);
    await harness.createChannel(`${CHANNEL_PREFIX}-replicate-msg`);
    await harness.publish(channel, [new Uint8Array([7])]);
    await (
      await harness.admin()
    ).createAcls({
      acl: [...right('reader', 'DESCRIBE'), ...right('reader', 'READ'), ...right('describer', 'DESCRIBE')],
    });
  }, START_LIMIT_MS);

  afterAll(async () => {
    for (const close of opened) await close();
  }, START_LIMIT_MS);

  const at = (listener: Listener, more: object = {}): KafkaEndpoint =>
    kafkaEndpointSchema.parse({
      kind: 'kafka',
      channelPrefix: CHANNEL_PREFIX,
      brokers: [`127.0.0.1:${ports[listener]}`],
      ...more,
    });
  const signedIn = (username: string, mechanism = 'plain', password = PASSWORD) => ({
    sasl: { mechanism, username, password },
  });
  const good = (): TlsOptions => ({ ca: authority.cert, serverName: SERVER_NAME });
  const withClient = ({ cert, key }: KeyPair): TlsOptions => ({ ...good(), cert, key });

  const failure = (wal: KafkaEndpoint) => firstFailure({ wal });
  const atLog = (says: RegExp) => ({
    states: 'log failed, channels skipped',
    message: expect.stringMatching(says) as string,
  });
  const atChannels = (says: RegExp) => ({
    states: 'log ok, channels failed',
    message: expect.stringMatching(says) as string,
  });
  const ALL_WELL = { states: 'log ok, channels ok', message: '' };

  async function readFirst(endpoint: KafkaEndpoint): Promise<number | undefined> {
    const wal = openKafkaWal(endpoint, { logger: silentLogger });
    try {
      const { incarnation } = await wal.bounds(channel);
      const start = { kind: 'after', ordinal: ORDINAL_NONE, incarnation } as const;
      const reader = await wal.open(channel, start, AbortSignal.timeout(READ_MS));
      const [message] = await reader.read(1_000, AbortSignal.timeout(READ_MS));
      await reader.close();
      return message?.payload[0];
    } finally {
      await wal.close();
    }
  }

  it.each(['plain', 'scram-sha-512'])('is well with a user of %s, with TLS and without', async (mechanism) => {
    expect(await failure(at('SASL', signedIn('reader', mechanism)))).toEqual(ALL_WELL);
    const secured = at('SASLTLS', { ...signedIn('reader', mechanism), tls: good() });
    expect(await failure(secured)).toEqual(ALL_WELL);
    expect(await readFirst(secured)).toBe(7);
  });

  it.each(['plain', 'scram-sha-512'])('says with %s that the password is wrong', async (mechanism) => {
    const wrong = signedIn('reader', mechanism, 'not-that-secret');
    const says = /could not be reached: Kafka refused the credentials\. Check user name, password and SASL mechanism/;
    expect(await failure(at('SASL', wrong))).toEqual(atLog(says));
    expect(await failure(at('SASLTLS', { ...wrong, tls: good() }))).toEqual(atLog(says));
  });

  it('says that credentials are wanted', async () => {
    expect(await failure(at('SASL'))).toEqual(
      atLog(/without credentials\. Enter SASL mechanism, user name and password/),
    );
    expect(await failure(at('SASLTLS', { tls: good() }))).toEqual(atLog(/without credentials\. Enter SASL mechanism/));
  });

  it('says which rights a user lacks', async () => {
    expect(await failure(at('SASL', signedIn('nobody')))).toEqual(
      atChannels(/no channel "contract-rootcoord-dml_<number>".*rights Describe and Read/),
    );
    expect(await failure(at('SASL', signedIn('describer')))).toEqual(
      atChannels(/does not allow this user to read the topic\. Give the user the rights Describe and Read/),
    );
  });

  it('says that there is no channel of the prefix', async () => {
    expect(await failure(at('SASL', { ...signedIn('reader'), channelPrefix: 'elsewhere' }))).toEqual(
      atChannels(/no channel "elsewhere-rootcoord-dml_<number>".*Check the channel prefix/),
    );
  });

  it('is well with TLS, and with a certificate on both sides', async () => {
    expect(await failure(at('TLS', { tls: good() }))).toEqual(ALL_WELL);
    const mutual = at('MUTUAL', { tls: withClient(client) });
    expect(await failure(mutual)).toEqual(ALL_WELL);
    expect(await readFirst(mutual)).toBe(7);
  });

  it('says what is wrong with the certificate of the broker', async () => {
    const unknown =
      /its certificate is not signed by an authority that is trusted here \(\S+\)\. Enter .* CA certificate/;
    expect(await failure(at('TLS', { tls: { serverName: SERVER_NAME } }))).toEqual(atLog(unknown));
    expect(await failure(at('TLS', { tls: { ...good(), ca: stranger.cert } }))).toEqual(atLog(unknown));
    expect(await failure(at('TLS', { tls: { ca: authority.cert } }))).toEqual(
      atLog(/its certificate does not name 127\.0\.0\.1|is for DNS:kafka\.example, not for 127\.0\.0\.1/),
    );
    expect(await failure(at('TLS', { tls: { ...good(), serverName: 'wrong.example' } }))).toEqual(
      atLog(
        /is for DNS:kafka\.example, not for wrong\.example\) \(ERR_TLS_CERT_ALTNAME_INVALID\)\. Use an address .* as server name/,
      ),
    );
    expect(await failure(at('EXPIRED', { tls: good() }))).toEqual(
      atLog(/its certificate has expired \(CERT_HAS_EXPIRED\)\. Renew the certificate on the server/),
    );
  });

  it('says that the broker wants a certificate of the client, or dislikes the one it got', async () => {
    expect(await failure(at('MUTUAL', { tls: good() }))).toEqual(
      atLog(/wants a client certificate.* certificate and key of the client/),
    );
    const disliked = atLog(/does not accept the client certificate.* in the TLS settings/);
    const foreign = await stranger.issue({ commonName: 'lifeline' });
    expect(await failure(at('MUTUAL', { tls: withClient(foreign) }))).toEqual(disliked);
    const old = await authority.issue({ commonName: 'lifeline', isExpired: true });
    expect(await failure(at('MUTUAL', { tls: withClient(old) }))).toEqual(disliked);
    const mixed = { ...withClient(client), key: foreign.key };
    expect(await failure(at('MUTUAL', { tls: mixed }))).toEqual(atLog(/do not belong together\. Enter the key/));
  });

  it('says that a listener wants TLS, or has none', async () => {
    expect(await failure(at('TLS'))).toEqual(atLog(/whether this listener wants TLS/));
    expect(await failure(at('SASL', { ...signedIn('reader'), tls: good() }))).toEqual(
      atLog(/listener with TLS, or remove the TLS settings/),
    );
  });

  it.each([
    ['ELSEWHERE', /advertised address 127\.0\.0\.1:\d+ .*ECONNREFUSED/],
    ['UNNAMED', /advertised address kafka-0\.internal\.invalid:9092 .*ENOTFOUND/],
    ['SILENT', /advertised address 127\.0\.0\.1:\d+ .*silent for/],
  ] as const)('says that the address the broker advertises leads nowhere (%s)', async (listener, says) => {
    const found = await failure(at(listener));
    expect(found).toEqual(atChannels(says));
    expect(found.message).toMatch(/^Broker 1 of the source's log, .*Set the broker's advertised\.listeners/);
  });

  it('says that nobody is there', async () => {
    expect(await failure(at('TLS', { brokers: [`127.0.0.1:${deadPort}`] }))).toEqual(
      atLog(/ECONNREFUSED.*Check that the broker runs/),
    );
    expect(await failure(at('TLS', { brokers: ['no-such-host.invalid:9092'], tls: good() }))).toEqual(
      atLog(/could not be reached: .*ENOTFOUND.*Check/),
    );
  });
});

const saslSettings = (listener: string) => ({
  [`listener.name.${listener}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-512',
  [`listener.name.${listener}.plain.sasl.jaas.config`]: `${PLAIN_MODULE} required ${USERS.map((user) => `user_${user}="${PASSWORD}"`).join(' ')};`,
  [`listener.name.${listener}.scram-sha-512.sasl.jaas.config`]: `${SCRAM_MODULE} required;`,
});

const tlsSettings = (listener: string, { cert, key }: KeyPair) => ({
  [`listener.name.${listener}.ssl.keystore.type`]: 'PEM',
  [`listener.name.${listener}.ssl.keystore.certificate.chain`]: cert,
  [`listener.name.${listener}.ssl.keystore.key`]: key,
});

const right = (user: (typeof USERS)[number], operation: 'DESCRIBE' | 'READ') => [
  {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: `${CHANNEL_PREFIX}-`,
    resourcePatternType: ResourcePatternTypes.PREFIXED,
    principal: `User:${user}`,
    host: '*',
    operation: AclOperationTypes[operation],
    permissionType: AclPermissionTypes.ALLOW,
  },
];

/** Takes every connection and never says a word. */
async function silentServer(): Promise<{ address: string; close(): Promise<unknown> }> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => sockets.push(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
