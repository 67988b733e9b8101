/** What only HTTP has: who may come in, from where, and how a broken stream of events goes on. */
import { request } from 'node:http';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEventStreamParser, type StreamedEvent } from '../../../shared/contract/event-stream.ts';
import { createHttpClient, currentSession, signIn } from '../../../shared/contract/http-client.ts';
import { nextEvent, whenLinked } from '../../support/contract-events.ts';
import { fetchWithCookies, startHttpCore, temporaryDataDirectory, type HttpCore } from '../../support/served-core.ts';

let directory: Awaited<ReturnType<typeof temporaryDataDirectory>>;
let core: HttpCore;

beforeAll(async () => {
  directory = await temporaryDataDirectory();
  core = await startHttpCore(directory.path);
});
afterAll(async () => {
  await core[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** Below `fetch`, which forbids to set Host. */
function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`${core.origin}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const bearer = (): Record<string, string> => ({ ...json, authorization: `Bearer ${core.token}` });
const list = (headers: Record<string, string>): Promise<Answer> => ask('POST', '/api/tasks.list', headers, '{}');
const codeOf = ({ body }: Answer): unknown => (JSON.parse(body) as { code: unknown }).code;
const newCode = async (): Promise<string> => {
  const { body } = await ask('POST', '/api/sign-in-link', bearer(), '{}');
  return (JSON.parse(body) as { link: string }).link.split('code=')[1] ?? '';
};

interface SignedIn extends Record<string, string> {
  readonly cookie: string;
  readonly 'x-lifeline-csrf': string;
}

async function newSession(): Promise<SignedIn> {
  const answer = await ask('POST', '/api/sign-in', json, JSON.stringify({ code: await newCode() }));
  const { csrf } = JSON.parse(answer.body) as { csrf: string };
  return { cookie: answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '', 'x-lifeline-csrf': csrf };
}

type Stream = ReadableStreamDefaultReader<Uint8Array>;

/** Open, and its greeting read. */
async function openStream({ cookie }: SignedIn): Promise<Stream> {
  const signal = AbortSignal.timeout(20_000);
  const response = await fetch(`${core.origin}/api/events`, { headers: { cookie }, signal });
  const reader = response.body!.getReader();
  expect(await nextText(reader)).toContain('event: link');
  return reader;
}

async function nextText(stream: Stream): Promise<string> {
  const { value } = (await stream.read()) as { value?: Uint8Array };
  return new TextDecoder().decode(value);
}

async function untilEnded(stream: Stream): Promise<void> {
  while (!(await stream.read()).done);
}

describe('who may come in', () => {
  it('takes the token, which only its owner can read', async () => {
    expect((await list(bearer())).status).toBe(200);
    expect((await stat(join(directory.path, 'token'))).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['no credentials', {}],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['another scheme', { authorization: 'Basic cm9vdDp3cm9uZw==' }],
    ['an unknown session', { cookie: 'lifeline=none' }],
  ])('refuses %s', async (_name, headers) => {
    const answer = await list({ ...json, ...headers });
    expect([answer.status, codeOf(answer)]).toEqual([401, 'unauthenticated']);
    expect((await ask('GET', '/api/events', headers)).status).toBe(401);
  });

  it('exchanges the code of a link once', async () => {
    const code = await newCode();
    const fetch = fetchWithCookies(core.origin);
    const session = await signIn(core.origin, code, fetch);
    expect(await currentSession(core.origin, fetch)).toEqual(session);
    await expect(signIn(core.origin, code, fetch)).rejects.toThrow(/used already, or it has expired/);
    await expect(signIn(core.origin, 'guessed', fetch)).rejects.toThrow(/used already, or it has expired/);
    expect(await currentSession(core.origin, fetchWithCookies(core.origin))).toBeUndefined();
  });

  it('gives a cookie that no script reads and no other site sends', async () => {
    const body = JSON.stringify({ code: await newCode() });
    const { headers } = await ask('POST', '/api/sign-in', json, body);
    expect(headers['set-cookie']?.[0]).toMatch(/HttpOnly/i);
    expect(headers['set-cookie']?.[0]).toMatch(/SameSite=Strict/i);
  });

  it('wants proof with every call of a session that is not a GET', async () => {
    const answer = await ask('POST', '/api/sign-in', json, JSON.stringify({ code: await newCode() }));
    const cookie = answer.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const { csrf } = JSON.parse(answer.body) as { csrf: string };
    const without = await list({ ...json, cookie });
    expect([without.status, codeOf(without)]).toEqual([403, 'forbidden']);
    expect((await list({ ...json, cookie, 'x-lifeline-csrf': 'wrong' })).status).toBe(403);
    expect((await list({ ...json, cookie, 'x-lifeline-csrf': csrf })).status).toBe(200);
    expect((await ask('GET', '/api/session', { cookie })).status).toBe(200);

    expect((await ask('POST', '/api/sign-out', { ...json, cookie, 'x-lifeline-csrf': csrf }, '{}')).status).toBe(200);
    expect((await list({ ...json, cookie, 'x-lifeline-csrf': csrf })).status).toBe(401);
  });

  it('cuts the streams of events of a session that signs out, and no other', async () => {
    const [leaving, staying] = [await newSession(), await newSession()];
    const streams = await Promise.all([openStream(leaving), openStream(leaving), openStream(staying)]);
    expect((await ask('POST', '/api/sign-out', { ...json, ...leaving }, '{}')).status).toBe(200);
    for (const stream of streams.slice(0, 2)) await untilEnded(stream);
    expect((await ask('GET', '/api/events', { cookie: leaving.cookie })).status).toBe(401);
    // The other one still hears: it is told what happens now.
    const heard = nextText(streams[2]);
    const body = JSON.stringify({ name: 'told', milvus: { address: '127.0.0.1:1' } });
    const saved = await ask('POST', '/api/connections.save', { ...json, ...staying }, body);
    expect(await heard).toContain('connections.changed');
    const { id } = (JSON.parse(saved.body) as { connection: { id: string } }).connection;
    await ask('POST', '/api/connections.remove', bearer(), JSON.stringify({ id }));
    await streams[2].cancel();
  });

  it('stays signed in across a restart of the core, and signed out, too', async () => {
    const [staying, left] = [await newSession(), await newSession()];
    await ask('POST', '/api/sign-out', { ...json, ...left }, '{}');
    await core.kill();
    core = await startHttpCore(directory.path);
    const again = await ask('GET', '/api/session', { cookie: staying.cookie });
    expect([again.status, JSON.parse(again.body)]).toEqual([200, { csrf: staying['x-lifeline-csrf'] }]);
    expect((await list({ ...json, ...staying })).status).toBe(200);
    expect((await list({ ...json, cookie: staying.cookie })).status).toBe(403);
    expect((await ask('GET', '/api/session', { cookie: left.cookie })).status).toBe(401);
  });

  it('keeps no session in its folder that a reader of it could use', async () => {
    const { cookie, 'x-lifeline-csrf': csrf } = await newSession();
    const secrets = [cookie.split('=')[1] ?? '?', csrf];
    for (const name of await readdir(directory.path, { recursive: true })) {
      const content = await readFile(join(directory.path, name)).catch(() => Buffer.alloc(0));
      for (const secret of secrets) expect(content.includes(secret), name).toBe(false);
    }
  });
});

describe('tasks of task files', () => {
  const NOWHERE = '127.0.0.1:1';
  const file = {
    taskId: 'orders',
    source: { etcd: { endpoints: [NOWHERE] }, wal: { kind: 'nats', servers: [NOWHERE] } },
    target: { milvus: { address: '127.0.0.1:2', username: 'root', password: 'hunter2-file' } },
  };

  it('are listed and told like the others; resumed, but neither paused nor removed', async () => {
    await using own = await temporaryDataDirectory();
    await mkdir(join(own.path, 'tasks'), { recursive: true });
    await writeFile(join(own.path, 'tasks', 'orders.json'), JSON.stringify(file), { mode: 0o600 });
    await using served = await startHttpCore(own.path);
    const { client } = served;
    await whenLinked(client);
    const isBlocked = ({ status }: { status: { state: string } }): boolean => status.state === 'blocked';
    const told = await nextEvent(client, 'task.status', isBlocked);
    expect(told).toMatchObject({ id: 'orders', status: { taskId: 'orders', trouble: { hint: expect.any(String) } } });
    const { tasks } = await client.call('tasks.list', {});
    expect(tasks).toMatchObject([
      { id: 'orders', name: 'orders', origin: 'file', sourceId: NOWHERE, targetId: '127.0.0.1:2', desired: 'running' },
    ]);
    expect(tasks[0]?.status?.state).toBe('blocked');
    expect(JSON.stringify(tasks)).not.toContain('hunter2-file');

    for (const name of ['tasks.pause', 'tasks.remove'] as const) {
      await expect(client.call(name, { id: 'orders' })).rejects.toMatchObject({
        data: {
          code: 'conflict',
          message: 'orders was begun from a task file and can be neither paused nor deleted here.',
        },
      });
    }
    // Its thread has begun anew, and so has its trouble.
    const before = told.status.trouble?.since ?? Infinity;
    const again = nextEvent(client, 'task.status', ({ status }) => (status.trouble?.since ?? 0) > before);
    expect((await client.call('tasks.resume', { id: 'orders' })).task).toMatchObject({ origin: 'file' });
    expect((await again).status.state).toBe('blocked');

    const side = (name: string, address: string) =>
      client.call('connections.save', {
        name,
        milvus: { address },
        etcd: file.source.etcd,
        wal: { kind: 'nats', servers: [NOWHERE] },
      });
    const [source, target] = [await side('a', NOWHERE), await side('b', '127.0.0.1:2')];
    const create = client.call('tasks.create', {
      name: 'orders',
      sourceId: source.connection.id,
      targetId: target.connection.id,
    });
    await expect(create).rejects.toMatchObject({ data: { code: 'invalidInput', context: { field: 'name' } } });
    expect(served.lines.some((line) => line.startsWith('orders: blocked'))).toBe(true);
    expect(await served.stop()).toBe(0);
  });

  it('are not begun twice under one name', async () => {
    await using own = await temporaryDataDirectory();
    await mkdir(join(own.path, 'tasks'), { recursive: true });
    for (const name of ['one.json', 'two.json']) {
      await writeFile(join(own.path, 'tasks', name), JSON.stringify(file), { mode: 0o600 });
    }
    await expect(startHttpCore(own.path)).rejects.toThrow(/A task named orders is here already/);
  });
});

describe('where a request may come from', () => {
  it.each(['evil.example', 'evil.example:80', '127.0.0.1', '127.0.0.1:1', '192.168.0.1'])(
    'refuses the host %s',
    async (host) => {
      for (const path of ['/', '/healthz', '/api/session']) {
        expect((await ask('GET', path, { host, authorization: `Bearer ${core.token}` })).status).toBe(403);
      }
    },
  );

  it('answers to localhost as well', async () => {
    const { port } = new URL(core.origin);
    expect((await ask('GET', '/healthz', { host: `localhost:${port}` })).status).toBe(200);
  });

  it.each(['http://evil.example', 'null', 'https://127.0.0.1'])('refuses the origin %s', async (origin) => {
    const answer = await list({ ...bearer(), origin });
    expect([answer.status, codeOf(answer)]).toEqual([403, 'forbidden']);
  });

  it('takes calls of its own page', async () => {
    expect((await list({ ...bearer(), origin: core.origin })).status).toBe(200);
  });
});

describe('what goes over the line', () => {
  it('refuses a body that is no JSON, is not declared so, or is too large', async () => {
    const cut = await ask('POST', '/api/tasks.list', bearer(), '{"a":');
    expect([cut.status, codeOf(cut)]).toEqual([400, 'invalidInput']);
    const plain = await ask('POST', '/api/tasks.list', { ...bearer(), 'content-type': 'text/plain' }, '{}');
    expect([plain.status, codeOf(plain)]).toEqual([400, 'invalidInput']);
    const large = JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) });
    const refused = await ask('POST', '/api/connections.save', bearer(), large).catch((error: unknown) => error);
    // The core may close the line before it has taken all of it.
    if (!(refused instanceof Error)) expect((refused as Answer).status).toBe(400);
  });

  it('answers errors as data with a fitting status', async () => {
    const unknown = await ask('POST', '/api/nothing', bearer(), '{}');
    expect([unknown.status, codeOf(unknown)]).toEqual([404, 'unknownProcedure']);
    const missing = await ask('POST', '/api/tasks.pause', bearer(), '{"id":"nobody"}');
    expect([missing.status, codeOf(missing)]).toEqual([404, 'notFound']);
    expect((await ask('GET', '/api/tasks.list', bearer())).status).toBe(404);
  });

  it('lets nothing be kept, framed or loaded from elsewhere', async () => {
    for (const path of ['/', '/healthz', '/api/session', '/nothing']) {
      const { headers } = await ask('GET', path);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('serves no file beside the window', async () => {
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '//etc/passwd']) {
      expect((await ask('GET', path)).body).not.toMatch(/"dependencies"|root:/);
    }
  });

  it('says that it lives, to a watcher without a token', async () => {
    expect(JSON.parse((await ask('GET', '/healthz')).body)).toEqual({ status: 'ok' });
  });
});

describe('a stream of events that breaks', () => {
  const touch = async (name: string): Promise<void> => {
    const body = JSON.stringify({ name, milvus: { address: '127.0.0.1:1' } });
    expect((await ask('POST', '/api/connections.save', bearer(), body)).status).toBe(200);
  };

  /** Reads the stream until so many events besides the greeting have come, then breaks it. */
  async function read(count: number, lastEventId?: string, cause?: () => Promise<void>): Promise<StreamedEvent[]> {
    const breaking = new AbortController();
    const response = await fetch(`${core.origin}/api/events`, {
      headers: { ...bearer(), ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
      signal: AbortSignal.any([breaking.signal, AbortSignal.timeout(10_000)]),
    });
    const parse = createEventStreamParser();
    const found: StreamedEvent[] = [];
    const reader = response.body!.getReader();
    await cause?.();
    while (found.length < count + 1) {
      const { value, done } = await reader.read();
      if (done) break;
      found.push(...parse(value as Uint8Array));
    }
    breaking.abort();
    return found;
  }

  it('goes on behind the last event that was had, without a gap or a double', async () => {
    const [greeting, first] = await read(1, undefined, () => touch('one'));
    expect(greeting).toMatchObject({ name: 'link', data: '"connected"' });
    await touch('two');
    await touch('three');
    const again = await read(2, first?.id);
    expect(again[0]).toMatchObject({ name: 'link', data: '"connected"' });
    const names = again.slice(1).map(({ data }) => (JSON.parse(data) as { connections: unknown[] }).connections.length);
    expect(names).toEqual([2, 3]);
  });

  it('says "resumed" when what was missed can no longer be told', async () => {
    for (const id of ['another-1', 'nonsense', `${'0'.repeat(12)}-999999`]) {
      const [greeting] = await read(0, id);
      expect(greeting).toMatchObject({ name: 'link', data: '"resumed"' });
    }
  });

  it('is taken up by the client, across a restart of the core', async () => {
    const port = new URL(core.origin).port;
    const client = createHttpClient({ baseUrl: core.origin, token: core.token });
    await whenLinked(client);
    const lost = whenLinked(client, 'lost');
    await core.kill();
    await lost;
    const resumed = whenLinked(client, 'resumed');
    core = await startHttpCore(directory.path);
    expect(new URL(core.origin).port).toBe(port);
    await resumed;
    client.close();
  });
});
