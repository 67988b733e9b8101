/** The connection test against a Milvus and an etcd that want TLS, a client certificate, and a user: real servers. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openEtcdCatalog } from '../../../electron/engine/source/catalog/etcd-catalog.ts';
import type { EtcdEndpoint, MilvusEndpoint, TlsOptions } from '../../../shared/model/connection.ts';
import { CertificateAuthority, type KeyPair } from './certificates.ts';
import { firstFailure, testHops } from './hops.ts';
import { SecuredMilvus } from './secured-milvus.ts';

const SERVER_NAME = 'milvus.example';
const PASSWORD = 'a-secret-of-the-catalog';
const START_LIMIT_MS = 120_000;
const WAIT_MS = 10_000;

/** Whoever was opened is closed, the last one first, even when the start failed half-way. */
const opened: (() => Promise<unknown>)[] = [];
let authority: CertificateAuthority;
let stranger: CertificateAuthority;
let client: KeyPair;
/** Wants no certificate of its clients. */
let milvus: SecuredMilvus;
/** Wants one. */
let mutual: SecuredMilvus;

beforeAll(async () => {
  authority = await CertificateAuthority.make('The cluster');
  opened.unshift(() => authority.remove());
  stranger = await CertificateAuthority.make('Somebody else');
  opened.unshift(() => stranger.remove());
  const server = await authority.issue({ commonName: 'milvus', names: [`DNS:${SERVER_NAME}`] });
  client = await authority.issue({ commonName: 'lifeline' });
  const start = async (isMutual: boolean, clusterName: string): Promise<SecuredMilvus> => {
    const started = await SecuredMilvus.start({ server, caFile: authority.certFile, isMutual, clusterName });
    opened.unshift(() => started.stop());
    return started;
  };
  [milvus, mutual] = await Promise.all([start(false, 'one'), start(true, 'two')]);
}, START_LIMIT_MS);

afterAll(async () => {
  for (const close of opened) await close();
});

const good = (): TlsOptions => ({ ca: authority.cert, serverName: SERVER_NAME });
const withClient = ({ cert, key }: KeyPair): TlsOptions => ({ ...good(), cert, key });

const etcdOf = (at: SecuredMilvus, tls?: TlsOptions, more: Partial<EtcdEndpoint> = {}): EtcdEndpoint => ({
  endpoints: [at.etcd],
  rootPath: at.clusterName,
  metaSubPath: 'meta',
  ...(tls === undefined ? {} : { tls }),
  ...more,
});
const milvusOf = (at: SecuredMilvus, tls?: TlsOptions, more: Partial<MilvusEndpoint> = {}): MilvusEndpoint => ({
  address: at.address,
  username: 'root',
  password: at.password,
  ...(tls === undefined ? {} : { tls }),
  ...more,
});

interface Case {
  readonly what: string;
  readonly at: () => SecuredMilvus;
  readonly tls: () => TlsOptions | undefined | Promise<TlsOptions>;
  readonly says: RegExp;
}

const refusals: readonly Case[] = [
  {
    what: 'TLS settings are missing',
    at: () => milvus,
    tls: () => undefined,
    says: /whether it wants TLS or a client certificate/,
  },
  {
    what: 'the authority is not known here',
    at: () => milvus,
    tls: () => ({ serverName: SERVER_NAME }),
    says: /not signed by an authority that is trusted here\. Enter .* CA certificate/,
  },
  {
    what: 'the authority is another one',
    at: () => milvus,
    tls: () => ({ ...good(), ca: stranger.cert }),
    says: /not signed by an authority that is trusted here/,
  },
  {
    what: 'the certificate is for another name than the address',
    at: () => milvus,
    tls: () => ({ ca: authority.cert }),
    says: /certificate does not name 127\.0\.0\.1\. .*server name/,
  },
  {
    what: 'the certificate is for another name than the one given',
    at: () => milvus,
    tls: () => ({ ca: authority.cert, serverName: 'wrong.example' }),
    says: /is for DNS:milvus\.example, not for wrong\.example/,
  },
  {
    what: 'a client certificate is wanted',
    at: () => mutual,
    tls: good,
    says: /it wants a client certificate\. Enter certificate and key of the client/,
  },
  {
    what: 'the client certificate is from another authority',
    at: () => mutual,
    tls: async () => withClient(await stranger.issue({ commonName: 'lifeline' })),
    says: /does not accept the client certificate\. Enter one .* valid and signed/,
  },
  {
    what: 'the client certificate has expired',
    at: () => mutual,
    tls: async () => withClient(await authority.issue({ commonName: 'lifeline', isExpired: true })),
    says: /does not accept the client certificate/,
  },
  {
    what: 'certificate and key do not belong together',
    at: () => mutual,
    tls: async () => ({ ...withClient(client), key: (await authority.issue({ commonName: 'other' })).key }),
    says: /do not belong together\. Enter the key/,
  },
  {
    what: 'the key is missing',
    at: () => mutual,
    tls: () => ({ ...good(), cert: client.cert }),
    says: /only one is given\. Enter both/,
  },
  {
    what: 'the CA certificate is none',
    at: () => milvus,
    tls: () => ({ ...good(), ca: 'ca.pem' }),
    says: /CA certificate cannot be read\. Enter it .*-----BEGIN CERTIFICATE-----/,
  },
];

describe('with TLS', () => {
  it.each([
    { what: 'of the server alone', at: () => milvus, tls: good },
    { what: 'of both sides', at: () => mutual, tls: () => withClient(client) },
  ])('$what, etcd is read and Milvus takes writes', async ({ at, tls }) => {
    const hops = [...(await testHops({ etcd: etcdOf(at(), tls()), milvus: milvusOf(at(), tls()) })).values()];
    expect(hops.map(({ hop, state, message }) => `${hop} ${state} ${message}`)).toEqual([
      expect.stringMatching(/^etcd ok etcd answers, without signing in \(cluster \d+\)\.$/),
      `catalog ok Milvus keeps 0 collections in 1 database under the root path ${at().clusterName}.`,
      'milvus ok Milvus 2.3.5-lite, signed in as root.',
      'writes ok It takes writes.',
    ]);
  });

  it.each(refusals)('says for etcd that $what', async ({ at, tls, says }) => {
    const { states, message } = await firstFailure({ etcd: etcdOf(at(), await tls()) });
    expect(states).toBe('etcd failed, catalog skipped');
    expect(message).toMatch(/^The source's etcd at 127\.0\.0\.1:\d+ [^\n]+\. [A-Z][^\n]+\.$/);
    expect(message).toMatch(says);
  });

  it.each(refusals)('says for Milvus that $what', async ({ at, tls, says }) => {
    const { states, message } = await firstFailure({ milvus: milvusOf(at(), await tls()) });
    expect(states).toBe('milvus failed, writes skipped');
    expect(message).toMatch(/^The target at 127\.0\.0\.1:\d+ [^\n]+\. [A-Z][^\n]+\.$/);
    expect(message).toMatch(says);
  });

  it('says that the certificate has expired', async () => {
    // Neither server starts with such a one; the talk ends before it matters who has it.
    const { cert, key } = await authority.issue({
      commonName: 'milvus',
      names: [`DNS:${SERVER_NAME}`],
      isExpired: true,
    });
    const expired = createTlsServer({ cert, key, ALPNProtocols: ['h2'] }).listen(0, '127.0.0.1');
    onTestFinished(() => void expired.close());
    expired.on('tlsClientError', () => undefined);
    await once(expired, 'listening');
    const address = `127.0.0.1:${(expired.address() as AddressInfo).port}`;
    const says = expect.stringMatching(/its certificate has expired\. Renew the certificate on the server/) as string;
    const etcd = await firstFailure({ etcd: etcdOf(milvus, good(), { endpoints: [address] }) });
    expect(etcd).toEqual({ states: 'etcd failed, catalog skipped', message: says });
    const target = await firstFailure({ milvus: milvusOf(milvus, good(), { address }) });
    expect(target).toEqual({ states: 'milvus failed, writes skipped', message: says });
  });

  it('says that a server has none', async () => {
    const etcd = await firstFailure({ etcd: etcdOf(milvus, good(), { endpoints: [milvus.plainEtcd] }) });
    expect(etcd).toEqual({
      states: 'etcd failed, catalog skipped',
      message: expect.stringMatching(/could not be reached with TLS .*whether etcd speaks TLS/) as string,
    });
    const other = await firstFailure({ milvus: milvusOf(milvus, good(), { address: milvus.plainEtcd }) });
    expect(other).toEqual({
      states: 'milvus failed, writes skipped',
      message: expect.stringMatching(/does not speak TLS as asked\)\. Check whether TLS is on there/) as string,
    });
  });

  it('takes https in the address for TLS, and wants it in all addresses of an etcd or in none', async () => {
    const secure = `https://${milvus.etcd}`;
    expect(await firstFailure({ etcd: etcdOf(milvus, undefined, { endpoints: [secure] }) })).toMatchObject({
      message: expect.stringContaining('not signed by an authority'),
    });
    const mixed = etcdOf(milvus, undefined, { endpoints: [secure, milvus.plainEtcd] });
    expect(await firstFailure({ etcd: mixed })).toEqual({
      states: 'etcd failed, catalog skipped',
      message: expect.stringMatching(/asked for with and without TLS\. Give all its addresses with https/) as string,
    });
    expect(
      await firstFailure({ milvus: milvusOf(milvus, undefined, { address: `https://${milvus.address}` }) }),
    ).toMatchObject({ message: expect.stringContaining('not signed by an authority') });
  });

  it('takes empty texts for nothing given', async () => {
    const tls = { ...good(), cert: '', key: '' };
    const etcd = etcdOf(milvus, tls, { username: '', password: '' });
    expect((await firstFailure({ etcd, milvus: milvusOf(milvus, tls, { token: '' }) })).message).toBe('');
  });

  it('tells a refused sign-in at Milvus from a failed TLS talk', async () => {
    const password = 'not-the-password-of-root';
    expect(await firstFailure({ milvus: milvusOf(milvus, good(), { password }) })).toEqual({
      states: 'milvus failed, writes skipped',
      message: expect.stringMatching(/refused the sign-in .*Check user name and password\.$/) as string,
    });
  });
});

describe('an etcd with users behind TLS', () => {
  const root = { username: 'root', password: PASSWORD };
  let admin: Etcd3;

  /** Milvus itself has no user and is locked out meanwhile. */
  beforeAll(async () => {
    const open = new Etcd3({ hosts: mutual.plainEtcd });
    for (const name of ['root', 'guest']) await open.user(name).create(PASSWORD);
    await open.role('root').create();
    await open.user('root').addRole('root');
    await open.auth.authEnable();
    open.close();
    admin = new Etcd3({ hosts: mutual.plainEtcd, auth: root });
  });

  afterAll(async () => {
    await admin.auth.authDisable();
    admin.close();
  });

  const testUser = (more: Partial<EtcdEndpoint>) => firstFailure({ etcd: etcdOf(mutual, withClient(client), more) });

  it('is read by a user, under the name that the server name gives it', async () => {
    expect(await testUser(root)).toEqual({ states: 'etcd ok, catalog ok', message: '' });
  });

  it('says that the password is wrong, and that a user lacks the right', async () => {
    expect(await testUser({ ...root, password: 'not-that-secret' })).toEqual({
      states: 'etcd failed, catalog skipped',
      message: expect.stringMatching(/refuses the user name or password\. Correct them/) as string,
    });
    expect(await testUser({ ...root, username: 'guest' })).toEqual({
      states: 'etcd failed, catalog skipped',
      message: expect.stringMatching(/does not let this user read .*Grant it a role/) as string,
    });
  });

  it('takes the name in the client certificate for the user where no other is given', async () => {
    // etcd's own way: the certificate's common name is the user.
    const guest = withClient(await authority.issue({ commonName: 'guest' }));
    expect(await firstFailure({ etcd: etcdOf(mutual, guest) })).toMatchObject({
      message: expect.stringContaining('does not let this user read'),
    });
    const asRoot = withClient(await authority.issue({ commonName: 'root' }));
    expect(await firstFailure({ etcd: etcdOf(mutual, asRoot) })).toEqual({
      states: 'etcd ok, catalog ok',
      message: '',
    });
  });

  it('is signed in to again when the token has ended', async () => {
    const catalog = openEtcdCatalog(etcdOf(mutual, withClient(client), root));
    try {
      await catalog.snapshot();
      // Which ends the user's tokens, though it is the same one.
      await admin.user('root').setPassword(PASSWORD);
      await Promise.all([catalog.snapshot(), catalog.clusterId(), catalog.snapshot()]);
      await admin.user('root').setPassword(PASSWORD);
      expect((await catalog.snapshot()).databases).toHaveLength(1);
    } finally {
      await catalog.close();
    }
  });

  it('is watched with the sign-in, also after the connection was cut', async () => {
    const gate = await openGate(mutual.etcd);
    const catalog = openEtcdCatalog(etcdOf(mutual, withClient(client), { ...root, endpoints: [gate.address] }));
    let calls = 0;
    try {
      catalog.watch(() => (calls += 1), new AbortController().signal);
      await expect.poll(() => calls, { timeout: WAIT_MS }).toBe(1);
      gate.cut();
      await expect.poll(() => calls, { timeout: WAIT_MS }).toBe(2);
    } finally {
      await catalog.close();
      await gate.close();
    }
  });
});

/** A way to a server that can be cut. */
async function openGate(to: string): Promise<{ address: string; cut(): void; close(): Promise<void> }> {
  const [host = '', port = ''] = to.split(':');
  const cuts = new Set<() => void>();
  const server = createServer((socket) => {
    const inner = connect(Number(port), host);
    const cut = (): void => {
      socket.destroy();
      inner.destroy();
      cuts.delete(cut);
    };
    cuts.add(cut);
    for (const side of [socket, inner]) side.on('error', cut).on('close', cut);
    socket.pipe(inner).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => [...cuts].forEach((end) => end());
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: async () => {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}
