/** First contact with what is not the log one expects. The answers were captured from nats-server 2.9.10 and 2.9.17. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../../electron/engine/runtime/logger.ts';
import { openNatsWal } from '../../../../electron/engine/source/wal/nats-wal.ts';
import { natsEndpointSchema } from '../../../../shared/model/connection.ts';
import type { ReplicationError } from '../../../../shared/model/replication-error.ts';

const INFO = { server_id: 'N', version: '2.9.17', proto: 1, headers: true, max_payload: 8_388_608, jetstream: true };
const TIMEOUT_MS = 1_000;
const PASSWORD = 'a-secret-of-the-log';

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** @param answer What the server says to a line of the client; `undefined` for nothing. */
async function serve(
  greeting: string,
  answer: (line: string) => string | undefined = () => undefined,
): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      for (const line of data.toString().split('\r\n')) {
        const said = line === 'PING' ? 'PONG\r\n' : answer(line);
        if (said !== undefined) socket.write(said);
      }
    });
    if (greeting !== '') socket.write(greeting);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function failureAt(address: string, more: object = {}): Promise<ReplicationError> {
  const endpoint = natsEndpointSchema.parse({ kind: 'nats', servers: [address], ...more });
  const wal = openNatsWal(endpoint, { logger: silentLogger, timeoutMs: TIMEOUT_MS });
  const error: unknown = await wal.listDataChannels().catch((thrown: unknown) => thrown);
  await wal.close();
  expect(error).toMatchObject({ name: 'ReplicationError', side: 'wal' });
  return error as ReplicationError;
}

const greeting = (more: object = {}): string => `INFO ${JSON.stringify({ ...INFO, ...more })}\r\n`;

describe('connecting to the log', () => {
  it('says that the credentials were refused, without showing them', async () => {
    const address = await serve(greeting({ auth_required: true }), (line) =>
      line.startsWith('CONNECT') ? "-ERR 'Authorization Violation'\r\n" : undefined,
    );
    const error = await failureAt(address, { username: 'root', password: PASSWORD });
    expect(error.code).toBe('unauthenticated');
    expect(error.message).toContain(address);
    expect(JSON.stringify(error.toData())).not.toContain(PASSWORD);
  });

  it('says that nobody listens there', async () => {
    const address = await serve('');
    servers[0]?.close();
    const error = await failureAt(address);
    expect(error.code).toBe('unreachable');
    expect(error.message).toMatch(/ECONNREFUSED/);
  });

  it('says that a name is unknown', async () => {
    expect((await failureAt('no-such-host.invalid:4222')).code).toBe('unreachable');
  });

  it('does not wait longer than its limit for one that says nothing', async () => {
    const startedMs = performance.now();
    const error = await failureAt(await serve(''));
    expect(error.code).toBe('unreachable');
    expect(performance.now() - startedMs).toBeLessThan(2 * TIMEOUT_MS);
  });

  it('shares its limit among all servers', async () => {
    const addresses = await Promise.all([serve(''), serve(''), serve('')]);
    const startedMs = performance.now();
    expect((await failureAt(addresses[0], { servers: addresses })).code).toBe('unreachable');
    expect(performance.now() - startedMs).toBeLessThan(2 * TIMEOUT_MS);
  });

  it('says that what answers is not NATS', async () => {
    const error = await failureAt(await serve('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('not NATS') as unknown });
  });

  it('says that a NATS has no JetStream', async () => {
    // A server without JetStream has no listener for its API, which it says with a header of 503.
    let inbox = '';
    const address = await serve(greeting({ jetstream: false }), (line) => {
      const [verb, subject, sid] = line.split(' ');
      if (verb === 'SUB') inbox = sid ?? '';
      if (verb !== 'PUB' && verb !== 'HPUB') return undefined;
      const reply = sid ?? '';
      expect(subject).toBe('$JS.API.INFO');
      return `HMSG ${reply} ${inbox} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n`;
    });
    expect(await failureAt(address)).toMatchObject({ code: 'unsupported' });
  });

  it('says that the user lacks the right', async () => {
    const address = await serve(greeting(), (line) =>
      line.startsWith('PUB') ? `-ERR 'Permissions Violation for Publish to "$JS.API.INFO"'\r\n` : undefined,
    );
    const error = await failureAt(address);
    expect(error).toMatchObject({
      code: 'permissionDenied',
      message: expect.stringContaining('$JS.API.INFO') as unknown,
    });
  });

  it('never talks in the clear when TLS was asked for', async () => {
    let said = '';
    const address = await serve(greeting(), (line) => ((said += line), undefined));
    const error = await failureAt(address, { tls: {}, username: 'root', password: PASSWORD });
    expect(error).toMatchObject({ code: 'invalidConfig', message: expect.stringContaining('no TLS') as unknown });
    expect(said).not.toContain(PASSWORD);
  });

  it('says that an address is not one', async () => {
    expect((await failureAt('http://')).code).toBe('invalidConfig');
  });
});
