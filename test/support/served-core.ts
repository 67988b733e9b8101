/** The core as a process of its own, from its sources, and a client for each of its front doors. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ContractError, type ContractAnswer, type ContractClient } from '../../shared/contract/client.ts';
import { createHttpClient, signIn, type Fetch } from '../../shared/contract/http-client.ts';
import { events, procedures, type EventName } from '../../shared/contract/procedures.ts';

const CORE = fileURLToPath(new URL('../../electron/core/main.ts', import.meta.url));
/** On two busy cores; a start takes about a second. */
const START_TIMEOUT_MS = 30_000;

export async function temporaryDataDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'lifeline-core-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface ServedCore extends AsyncDisposable {
  readonly client: ContractClient;
  /** All that it has written to its outputs. */
  readonly lines: readonly string[];
  /** An orderly end. @returns the exit code. */
  stop(): Promise<number | null>;
  /** As a power cut would end it. */
  kill(): Promise<void>;
}

export interface HttpCore extends ServedCore {
  readonly origin: string;
  readonly token: string;
  /** The code of the printed link; good once. */
  readonly code: string;
}

function watch(child: ChildProcess): { lines: string[]; line: (pattern: RegExp) => Promise<RegExpExecArray> } {
  const lines: string[] = [];
  const look = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const one of [...look]) one();
    });
  }
  child.once('exit', () => {
    for (const one of [...look]) one();
  });
  const line = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const one = (): void => {
        const found = lines.map((text) => pattern.exec(text)).find((match) => match !== null);
        if (found !== undefined) resolve(found);
        else if (child.exitCode !== null) reject(new Error(`The core ended:\n${lines.join('\n')}`));
        else return;
        finish();
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`No line like ${String(pattern)}:\n${lines.join('\n')}`));
      }, START_TIMEOUT_MS);
      const finish = (): void => {
        clearTimeout(timer);
        look.delete(one);
      };
      look.add(one);
      one();
    });
  return { lines, line };
}

function endings(child: ChildProcess, client: () => ContractClient) {
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const kill = async (): Promise<void> => {
    client().close();
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  return { exited, kill, [Symbol.asyncDispose]: kill };
}

/** @param hasSession Signs in as a browser would, instead of using the token. */
export async function startHttpCore(dataDirectory: string, { hasSession = false } = {}): Promise<HttpCore> {
  const child = spawn(process.execPath, [CORE, 'serve', '--data-dir', dataDirectory], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { lines, line } = watch(child);
  const [, origin = '', code = ''] = await line(/^ +(http:\S+)\/#\/sign-in\?code=(\S+)$/);
  const token = (await readFile(join(dataDirectory, 'token'), 'utf8')).trim();
  let client: ContractClient;
  if (hasSession) {
    const fetch = fetchWithCookies(origin);
    client = createHttpClient({ baseUrl: origin, csrf: (await signIn(origin, code, fetch)).csrf, fetch });
  } else {
    client = createHttpClient({ baseUrl: origin, token });
  }
  const { exited, ...rest } = endings(child, () => client);
  const stop = (): Promise<number | null> => {
    client.close();
    child.kill('SIGTERM');
    return exited;
  };
  return { client, lines, origin, token, code, stop, ...rest };
}

/** What a browser does beside fetching: keeps the cookies, and tells the origin with everything but a GET. */
export function fetchWithCookies(origin: string): Fetch {
  const cookies = new Map<string, string>();
  return async (url, { method, body, ...options }) => {
    const headers = new Headers(options.headers);
    if (method !== 'GET') headers.set('origin', origin);
    if (cookies.size > 0) headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
}

/** As the desktop's shell starts it. */
export async function startIpcCore(dataDirectory: string, dataKey?: string): Promise<ServedCore> {
  const child = fork(CORE, ['desktop', '--data-dir', dataDirectory], { silent: true });
  const { lines } = watch(child);
  const client = ipcClient(child);
  const begun = new Promise<void>((resolve, reject) => {
    child.on('message', (message: { kind: string; error?: { message: string } }) => {
      if (message.kind === 'started') resolve();
      if (message.kind === 'failed') reject(new Error(message.error?.message));
    });
    child.once('exit', (code) => reject(new Error(`The core ended (${code ?? 'signal'}):\n${lines.join('\n')}`)));
  });
  child.send({ kind: 'start', ...(dataKey === undefined ? {} : { dataKey }) });
  const { exited, ...rest } = endings(child, () => client);
  await begun;
  const stop = (): Promise<number | null> => {
    child.disconnect();
    return exited;
  };
  return { client, lines, stop, ...rest };
}

function ipcClient(child: ChildProcess): ContractClient {
  const waiting = new Map<number, (answer: ContractAnswer) => void>();
  const listeners = new Map<EventName, Set<(payload: never) => void>>();
  let nextId = 1;
  type Message =
    { kind: 'answer'; id: number; answer: ContractAnswer } | { kind: 'event'; name: EventName; payload: unknown };
  child.on('message', (message: Message) => {
    if (message.kind === 'answer') {
      waiting.get(message.id)?.(message.answer);
      waiting.delete(message.id);
    } else if (Object.hasOwn(events, (message as { name?: string }).name ?? '')) {
      const payload = events[message.name].parse(message.payload);
      for (const listener of listeners.get(message.name) ?? []) listener(payload as never);
    }
  });
  return {
    async call(name, input) {
      const id = nextId++;
      const answer = await new Promise<ContractAnswer>((resolve) => {
        waiting.set(id, resolve);
        child.send({ kind: 'call', id, name, input });
      });
      if (!answer.ok) throw new ContractError(answer.error);
      // An unknown name has no schema here; the core has refused it before this line.
      return procedures[name].output.parse(answer.output) as never;
    },
    on(name, listener) {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set);
      set.add(listener);
      return () => set.delete(listener);
    },
    onLink(listener) {
      listener('connected');
      return () => undefined;
    },
    close: () => undefined,
  };
}
