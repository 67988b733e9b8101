/**
 * The contract over HTTP, for the window in a browser and for programs:
 *
 *     createHttpClient({ baseUrl, csrf?, token?, fetch? }): ContractClient
 *     signIn(baseUrl, code, fetch?): Promise<Session>             exchanges the code of a one-time link
 *     currentSession(baseUrl, fetch?): Promise<Session | undefined>   after a reload; `undefined`: sign in first
 *
 * A program gives `token`. A browser signs in (the session is an HttpOnly cookie that the browser keeps) and gives the
 * session's `csrf`. `baseUrl` is the origin without a slash at its end; '' in a page that the core itself served.
 *
 * Calls are `POST /api/<procedure>`; events come as `GET /api/events`, opened with the first listener and opened again,
 * from the last event on, whenever it breaks. From the link state `connected` on no event is missed: whoever loads its
 * lists then, or after, is up to date. An event may repeat what a list has said.
 *
 * Uses `fetch` and nothing else of its surroundings, so that it runs in a browser and in Node alike.
 */
import { ContractError, type ContractClient, type LinkState } from './client.ts';
import { errorDataSchema, events, procedures, type EventName, type EventPayload } from './procedures.ts';
import { createEventStreamParser } from './event-stream.ts';

export const CSRF_HEADER = 'x-lifeline-csrf';

/** The server says something at least every 15 s; a line that is silent for three times as long is dead. */
const SILENCE_MS_MAX = 45_000;
const RETRY_PAUSE_MS_MIN = 250;
const RETRY_PAUSE_MS_MAX = 5_000;

export interface Session {
  readonly csrf: string;
}

/** The part of `fetch` that is used; the platform's own fits, and so does a test's. */
export type Fetch = (url: string, options: FetchOptions) => Promise<FetchResponse>;

export interface FetchOptions {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly credentials: 'same-origin';
  readonly cache: 'no-store';
}

export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<unknown>;
  readonly body: { getReader(): ByteReader } | null;
}

interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

interface Platform {
  readonly fetch: (url: string, options: object) => Promise<FetchResponse>;
  readonly setTimeout: (run: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
}

/** `shared` is compiled without the types of a browser and of Node; both have these. */
const platform = globalThis as unknown as Platform;
const platformFetch: Fetch = (url, options) => platform.fetch(url, options);

export interface HttpClientOptions {
  readonly baseUrl: string;
  readonly csrf?: string;
  readonly token?: string;
  readonly fetch?: Fetch;
}

/** @throws ContractError: the code is unknown, was used, or has expired. */
export async function signIn(baseUrl: string, code: string, fetch: Fetch = platformFetch): Promise<Session> {
  const response = await fetch(`${baseUrl}/api/sign-in`, post({ code }));
  return { csrf: csrfOf(await bodyOf(response)) };
}

export async function currentSession(baseUrl: string, fetch: Fetch = platformFetch): Promise<Session | undefined> {
  const response = await fetch(`${baseUrl}/api/session`, {
    method: 'GET',
    headers: {},
    credentials: 'same-origin',
    cache: 'no-store',
  });
  if (response.status === 401) return undefined;
  return { csrf: csrfOf(await bodyOf(response)) };
}

/** `close` ends the event stream; calls under way are answered still. */
export function createHttpClient(options: HttpClientOptions): ContractClient {
  const fetch = options.fetch ?? platformFetch;
  const headers: Record<string, string> = {
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    ...(options.csrf === undefined ? {} : { [CSRF_HEADER]: options.csrf }),
  };
  const stream = new EventStream(options.baseUrl, headers, fetch);
  return {
    async call(name, input) {
      const response = await fetch(`${options.baseUrl}/api/${name}`, post(input, headers));
      const body = await bodyOf(response);
      // The compiler cannot follow the name from the schema to its type.
      return procedures[name].output.parse(body) as never;
    },
    on: (name, listener) => stream.on(name, listener),
    onLink: (listener) => stream.onLink(listener),
    close: () => stream.close(),
  };
}

function post(body: unknown, headers: Record<string, string> = {}): FetchOptions {
  return {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    credentials: 'same-origin',
    cache: 'no-store',
  };
}

async function bodyOf(response: FetchResponse): Promise<unknown> {
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    throw new Error(`The core gave an answer that is no JSON (HTTP status ${response.status}).`, { cause: error });
  }
  if (response.ok) return body;
  const error = errorDataSchema.safeParse(body);
  if (error.success) throw new ContractError(error.data);
  throw new Error(`The core refused the call with HTTP status ${response.status}.`);
}

function csrfOf(body: unknown): string {
  if (typeof body === 'object' && body !== null && 'csrf' in body && typeof body.csrf === 'string') return body.csrf;
  throw new Error('The core signed us in without saying how to prove it.');
}

type AnyListener = (payload: never) => void;

class EventStream {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #fetch: Fetch;
  readonly #listeners = new Map<EventName, Set<AnyListener>>();
  readonly #linkListeners = new Set<(state: LinkState) => void>();
  #isOpen = false;
  #isClosed = false;
  #lastEventId: string | undefined;
  #link: LinkState | undefined;
  #reader: ByteReader | undefined;
  #retryTimer: unknown;
  #wake: (() => void) | undefined;

  constructor(baseUrl: string, headers: Record<string, string>, fetch: Fetch) {
    this.#url = `${baseUrl}/api/events`;
    this.#headers = headers;
    this.#fetch = fetch;
  }

  on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    this.#open();
    return () => listeners.delete(listener);
  }

  onLink(listener: (state: LinkState) => void): () => void {
    this.#linkListeners.add(listener);
    if (this.#link !== undefined) listener(this.#link);
    this.#open();
    return () => this.#linkListeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
    this.#cancel();
  }

  #open(): void {
    if (this.#isOpen || this.#isClosed) return;
    this.#isOpen = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    let pauseMs = RETRY_PAUSE_MS_MIN;
    while (!this.#isClosed) {
      try {
        await this.#follow(() => {
          pauseMs = RETRY_PAUSE_MS_MIN;
        });
      } catch {
        // Whatever ended the line, the answer is the same: say that it is lost, and dial again.
      }
      if (this.#wasClosed()) return;
      this.#say('lost');
      await this.#pause(pauseMs);
      pauseMs = Math.min(RETRY_PAUSE_MS_MAX, pauseMs * 2);
    }
  }

  async #follow(onOpened: () => void): Promise<void> {
    const response = await this.#fetch(this.#url, {
      method: 'GET',
      headers: {
        ...this.#headers,
        accept: 'text/event-stream',
        ...(this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId }),
      },
      credentials: 'same-origin',
      cache: 'no-store',
    });
    if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
    const reader = response.body.getReader();
    this.#reader = reader;
    if (this.#wasClosed()) return;
    onOpened();
    const parse = createEventStreamParser();
    for (;;) {
      const watchdog = platform.setTimeout(() => this.#cancel(), SILENCE_MS_MAX);
      const { done, value } = await reader.read().finally(() => platform.clearTimeout(watchdog));
      if (done || value === undefined) return;
      for (const event of parse(value)) {
        if (event.id !== undefined) this.#lastEventId = event.id;
        this.#receive(event.name, event.data);
      }
    }
  }

  #receive(name: string, data: string): void {
    // The first event of every stream: whether it goes on where the last one ended.
    if (name === 'link') {
      this.#say(data === '"resumed"' ? 'resumed' : 'connected');
      return;
    }
    if (!Object.hasOwn(events, name)) return;
    const known = name as EventName;
    const payload = events[known].parse(JSON.parse(data));
    for (const listener of [...(this.#listeners.get(known) ?? [])]) isolated(() => listener(payload as never));
  }

  #say(state: LinkState): void {
    if (this.#link === state && state === 'lost') return;
    this.#link = state;
    for (const listener of [...this.#linkListeners]) isolated(() => listener(state));
  }

  /** Closed while the answer was under way: then nobody reads it. */
  #wasClosed(): boolean {
    if (this.#isClosed) this.#cancel();
    return this.#isClosed;
  }

  #cancel(): void {
    // A reader that has ended already refuses; it is gone either way.
    this.#reader?.cancel().catch(() => undefined);
    this.#reader = undefined;
  }

  #pause(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#retryTimer = platform.setTimeout(resolve, ms);
    }).then(() => platform.clearTimeout(this.#retryTimer));
  }
}

/** A listener that throws is the listener's fault, to be seen as such, and not a broken line. */
function isolated(run: () => void): void {
  try {
    run();
  } catch (error) {
    platform.setTimeout(() => {
      throw error;
    }, 0);
  }
}
