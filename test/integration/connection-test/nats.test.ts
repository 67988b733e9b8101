/** The connection test against a NATS with users, a token, and TLS with one certificate or two: real servers. */
import { jetstreamManager, jetstream, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { natsEndpointSchema, type NatsEndpoint, type TlsOptions } from '../../../shared/model/connection.ts';
import { CertificateAuthority, type KeyPair } from './certificates.ts';
import { firstFailure } from './hops.ts';
import { NatsServer, natsServerMissing } from './nats-server.ts';

const START_LIMIT_MS = 300_000;
const SERVER_NAME = 'nats.example';
const PASSWORD = 'a-secret-of-the-log';
const TOKEN = 'a-token-of-the-log';
const CHANNEL_PREFIX = 'secured';

const missing = await natsServerMissing();

describe.skipIf(missing !== undefined)(
  `the connection test of a NATS${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    const opened: (() => Promise<unknown>)[] = [];
    let authority: CertificateAuthority;
    let stranger: CertificateAuthority;
    let client: KeyPair;
    /** With users. */
    let users: NatsServer;
    /** With a token, and a certificate of the client. */
    let mutual: NatsServer;
    let expired: NatsServer;
    /** Without anything. */
    let open: NatsServer;

    beforeAll(async () => {
      authority = await CertificateAuthority.make('The cluster');
      opened.unshift(() => authority.remove());
      stranger = await CertificateAuthority.make('Somebody else');
      opened.unshift(() => stranger.remove());
      const names = [`DNS:${SERVER_NAME}`];
      const server = await authority.issue({ commonName: 'nats', names });
      client = await authority.issue({ commonName: 'lifeline' });
      const start = async (settings: string): Promise<NatsServer> => {
        const started = await NatsServer.start(settings);
        opened.unshift(() => started.stop());
        return started;
      };
      const tls = ({ certFile, keyFile }: KeyPair, more = ''): string =>
        `tls { cert_file: "${certFile}", key_file: "${keyFile}" ${more} }`;
      users = await start(`${tls(server)}
      authorization { users: [
        { user: reader, password: "${PASSWORD}" }
        { user: nobody, password: "${PASSWORD}", permissions: { publish: { deny: "$JS.API.>" } } }
      ] }`);
      mutual = await start(
        `${tls(server, `, ca_file: "${authority.certFile}", verify: true`)}\nauthorization { token: "${TOKEN}" }`,
      );
      expired = await start(tls(await authority.issue({ commonName: 'nats', names, isExpired: true })));
      open = await start('');
      for (const endpoint of [at(users, asReader()), at(mutual, { token: TOKEN, tls: withClient(client) })]) {
        await fill(endpoint);
      }
    }, START_LIMIT_MS);

    afterAll(async () => {
      for (const close of opened) await close();
    });

    const good = (): TlsOptions => ({ ca: authority.cert, serverName: SERVER_NAME });
    const withClient = ({ cert, key }: KeyPair): TlsOptions => ({ ...good(), cert, key });
    const asReader = (tls: TlsOptions = good()) => ({ username: 'reader', password: PASSWORD, tls });
    const at = ({ address }: NatsServer, more: object): NatsEndpoint =>
      natsEndpointSchema.parse({ kind: 'nats', servers: [address], channelPrefix: CHANNEL_PREFIX, ...more });
    const failure = (server: NatsServer, more: object) => firstFailure({ wal: at(server, more) });
    const atLog = (says: RegExp) => ({
      states: 'log failed, channels skipped',
      message: expect.stringMatching(says) as string,
    });
    const ALL_WELL = { states: 'log ok, channels ok', message: '' };

    it('is well with a user and TLS, and with a token and a certificate on both sides', async () => {
      expect(await failure(users, asReader())).toEqual(ALL_WELL);
      expect(await failure(mutual, { token: TOKEN, tls: withClient(client) })).toEqual(ALL_WELL);
      expect(await failure(users, { ...asReader(), token: '' })).toEqual(ALL_WELL);
    });

    it('says that credentials are wrong or wanted', async () => {
      const says = atLog(/NATS refused the credentials\. Check user name, password or token/);
      expect(await failure(users, { ...asReader(), password: 'not-that-secret' })).toEqual(says);
      expect(await failure(users, { tls: good() })).toEqual(says);
      expect(await failure(mutual, { token: 'not-that-token', tls: withClient(client) })).toEqual(says);
    });

    it('says which rights a user lacks', async () => {
      expect(await failure(users, { ...asReader(), username: 'nobody' })).toEqual(
        atLog(/does not allow this user the publish on "\$JS\.API\.\S+"\. Give the user rights on "\$JS\.API\.>"/),
      );
    });

    it('says that there is no channel of the prefix', async () => {
      expect(await failure(users, { ...asReader(), channelPrefix: 'elsewhere' })).toEqual({
        states: 'log ok, channels failed',
        message: expect.stringMatching(
          /no channel "elsewhere-rootcoord-dml_<number>".*Check the channel prefix/,
        ) as string,
      });
    });

    it('says what is wrong with the certificate of the server', async () => {
      const unknown = atLog(
        /its certificate is not signed by an authority that is trusted here.*Enter .* CA certificate/,
      );
      expect(await failure(users, asReader({ serverName: SERVER_NAME }))).toEqual(unknown);
      expect(await failure(users, asReader({ ...good(), ca: stranger.cert }))).toEqual(unknown);
      expect(await failure(users, asReader({ ca: authority.cert }))).toEqual(
        atLog(/certificate does not name 127\.0\.0\.1 .*Use an address that the certificate names/),
      );
      expect(await failure(users, asReader({ ...good(), serverName: 'wrong.example' }))).toEqual(
        atLog(/is for DNS:nats\.example, not for wrong\.example\)/),
      );
      expect(await failure(expired, { tls: good() })).toEqual(
        atLog(/its certificate has expired.*Renew the certificate/),
      );
    });

    it('says that the server wants a certificate of the client, or dislikes the one it got', async () => {
      const withToken = (tls: TlsOptions) => failure(mutual, { token: TOKEN, tls });
      expect(await withToken(good())).toEqual(atLog(/wants a client certificate.* certificate and key of the client/));
      const disliked = atLog(/does not accept the client certificate.* in the TLS settings/);
      expect(await withToken(withClient(await stranger.issue({ commonName: 'lifeline' })))).toEqual(disliked);
      const old = await authority.issue({ commonName: 'lifeline', isExpired: true });
      expect(await withToken(withClient(old))).toEqual(disliked);
      expect(await withToken({ ...withClient(client), key: old.key })).toEqual(atLog(/do not belong together/));
    });

    it('says that a server wants TLS, or has none', async () => {
      expect(await failure(users, { username: 'reader', password: PASSWORD })).toEqual(atLog(/TLS/));
      expect(await failure(open, { tls: good() })).toEqual(atLog(/offers no TLS\. Remove the log's TLS settings/));
    });
  },
);

/** The channels of a Milvus that has had one message. */
async function fill({ servers, username, password, token, tls }: NatsEndpoint): Promise<void> {
  const connection = await connect({
    servers: [...servers],
    ...(username === undefined ? {} : { user: username, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    tls: { ca: tls?.ca, cert: tls?.cert, key: tls?.key, servername: tls?.serverName } as object,
  });
  const manager = await jetstreamManager(connection);
  for (const name of [`${CHANNEL_PREFIX}-rootcoord-dml_0`, `${CHANNEL_PREFIX}-replicate-msg`]) {
    await manager.streams.add({
      name,
      subjects: [name],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
    });
    await jetstream(connection).publish(name, new Uint8Array([7]));
  }
  await connection.close();
}
