/**
 * etcd3 wrapped: reads at one revision, in pages; one watch; everything with a limit in time. etcd3's own retries and
 * watchers are not used: what to do about an error stands in the policy table, and its watchers go on trying after the
 * client is closed.
 */
import { Etcd3, isRecoverableError, Range, type IOptions, type IRangeResponse } from 'etcd3';
import type { EtcdEndpoint } from '../../../../shared/model/connection.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyEtcdError } from '../../errors/classify-etcd.ts';
import { hasClientCertificate } from '../../errors/tls-faults.ts';
import { tlsSettings, type TlsSettings } from '../../runtime/tls-settings.ts';
import type { KeyedValue } from './assemble.ts';
import { EtcdSignIn } from './etcd-sign-in.ts';

/** Keys of one page: some hundred kilobytes of ordinary values, read in a few milliseconds. */
const PAGE_KEYS_MAX = 1000;
/** A page of fields with long descriptions and default values may pass gRPC's 4 MiB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A peer that vanished without a word is found within the two together; etcd allows a ping every 5 s. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

interface RangePage {
  readonly entries: readonly KeyedValue[];
  readonly clusterId: string;
  readonly revision: string;
  readonly hasMore: boolean;
}

interface RangeOptions {
  /** etcd's revision to read at; the newest when left out. */
  readonly revision?: string;
  readonly keysOnly?: boolean;
  readonly limit?: number;
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** The only member of a cockatiel policy that etcd3 calls. */
const policy = (execute: <T>(attempt: () => PromiseLike<T> | T) => Promise<T>): Policy =>
  ({ execute }) as unknown as Policy;

const once = policy(async (attempt) => attempt());

/** Each address once: etcd3 takes another one for every attempt. */
const eachHost = (hosts: number): Policy =>
  policy(async (attempt) => {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (tried >= hosts || !(error instanceof Error) || !isRecoverableError(error)) throw error;
      }
    }
  });

export class EtcdClient {
  readonly #endpoint: EtcdEndpoint;
  readonly #timeoutMs: number;
  readonly #signIn: EtcdSignIn;
  #client: Etcd3 | undefined;
  #isClosed = false;

  /** Connects with the first call, which throws `invalidConfig` for TLS settings that cannot be used. */
  constructor(endpoint: EtcdEndpoint, timeoutMs: number) {
    const { username, password } = endpoint;
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#signIn = new EtcdSignIn(
      username === undefined || username === '' ? undefined : { username, password: password ?? '' },
    );
  }

  /** Keys with the prefix, in order, at most `limit`. */
  async page(prefix: string, options: RangeOptions = {}, from?: string): Promise<RangePage> {
    const range = Range.prefix(prefix);
    const answer = await this.#range({
      key: from === undefined ? range.start : Buffer.from(from),
      range_end: range.end,
      limit: options.limit ?? PAGE_KEYS_MAX,
      ...(options.revision === undefined ? {} : { revision: options.revision }),
      ...(options.keysOnly === undefined ? {} : { keys_only: options.keysOnly }),
    });
    return pageOf(answer);
  }

  /** All keys with the prefix, page by page, at one revision. */
  async all(prefix: string, revision: string): Promise<readonly KeyedValue[]> {
    const entries: KeyedValue[] = [];
    let from: string | undefined;
    for (;;) {
      const page = await this.page(prefix, { revision }, from);
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.hasMore || last === undefined) return entries;
      // The smallest key behind the last one.
      from = `${last.key}\0`;
    }
  }

  async get(key: string, revision?: string): Promise<KeyedValue | undefined> {
    const at = revision === undefined ? {} : { revision };
    return pageOf(await this.#range({ key: Buffer.from(key), ...at })).entries[0];
  }

  /** etcd's revision of the key's last change. `undefined`: there is no such key. */
  async changedAt(key: string): Promise<bigint | undefined> {
    return pageOf(await this.#range({ key: Buffer.from(key), keys_only: true })).entries[0]?.changedAt;
  }

  /**
   * Resolves when the watch ends, whatever ended it, with the classified error; calls back for every change under one of
   * the prefixes and when all of them are being watched. Ends with `undefined` when the signal aborts.
   */
  async watch(prefixes: readonly string[], onChange: () => void, signal: AbortSignal): Promise<Error | undefined> {
    try {
      // A read first: it renews a sign-in that has expired, which opening a stream does not.
      await this.page(prefixes[0] ?? '', { limit: 1, keysOnly: true });
      const stream = await this.#connected().watchClient.watch();
      return await new Promise<Error | undefined>((resolve) => {
        let created = 0;
        const end = (error: Error | undefined): void => {
          signal.removeEventListener('abort', abort);
          resolve(error);
          stream.cancel();
        };
        const abort = (): void => end(undefined);
        // Kept to the end: a stream that is cancelled reports that as an error.
        stream.on('error', (error: Error) => end(this.#classified(error)));
        stream.on('end', () => end(new Error("The watch on the source's etcd was ended by the server.")));
        stream.on('data', (answer) => {
          if (answer.canceled) end(new Error(`etcd ended the watch: ${answer.cancel_reason}`));
          else if (answer.created) {
            created += 1;
            if (created === prefixes.length) onChange();
          } else if (answer.events.length > 0) onChange();
        });
        signal.addEventListener('abort', abort, { once: true });
        if (signal.aborted) {
          abort();
          return;
        }
        for (const prefix of prefixes) {
          const range = Range.prefix(prefix);
          stream.write({ create_request: { key: range.start, range_end: range.end } });
        }
      });
    } catch (error) {
      return signal.aborted ? undefined : this.#classified(error);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#client?.close();
  }

  async #range(request: Parameters<Etcd3['kv']['range']>[0]): Promise<IRangeResponse> {
    const client = this.#connected();
    return this.#signIn.run(client, () => client.kv.range(request));
  }

  #classified(error: unknown): Error {
    const { endpoints, tls } = this.#endpoint;
    return classifyEtcdError(error, endpoints, hasClientCertificate(tls));
  }

  #connected(): Etcd3 {
    this.#client ??= this.#connect();
    // Made once more after the end, it would stay.
    if (this.#isClosed) this.#client.close();
    return this.#client;
  }

  #connect(): Etcd3 {
    const { endpoints, tls } = this.#endpoint;
    const name = `The source's etcd at ${endpoints.join(', ')}`;
    const secure = endpoints.filter((address) => address.startsWith('https:')).length;
    if (tls === undefined && secure > 0 && secure < endpoints.length) {
      throw new ReplicationError(
        'invalidConfig',
        'source',
        `${name} is asked for with and without TLS. Give all its addresses with https://, or none.`,
      );
    }
    const settings = tls === undefined && secure === 0 ? undefined : tlsSettings(tls ?? {}, name, 'source');
    const serverName = settings?.servername;
    return new Etcd3({
      hosts: [...endpoints],
      ...(settings === undefined ? {} : { credentials: credentialsOf(settings) }),
      // The limit is for the whole call, whichever address answers.
      defaultCallOptions: (context) =>
        context.isStream ? {} : { deadline: Date.now() + this.#timeoutMs / endpoints.length },
      faultHandling: { host: () => once, global: eachHost(endpoints.length) },
      grpcOptions: {
        'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
        // A web proxy that the environment names is no way to a database.
        'grpc.enable_http_proxy': 0,
        'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
        'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
        ...(serverName === undefined
          ? {}
          : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
        interceptors: [this.#signIn.interceptor],
      },
    });
  }
}

const pageOf = (answer: IRangeResponse): RangePage => ({
  entries: answer.kvs.map(({ key, value, mod_revision }) => ({
    key: key.toString(),
    value,
    changedAt: BigInt(mod_revision),
  })),
  clusterId: answer.header.cluster_id,
  revision: answer.header.revision,
  hasMore: answer.more,
});

function credentialsOf({ ca, cert, key }: TlsSettings): NonNullable<IOptions['credentials']> {
  return {
    // etcd3 wants a root certificate by type, and grpc takes the system's where there is none.
    rootCertificate: (ca === undefined ? null : Buffer.from(ca)) as Buffer,
    ...(key === undefined ? {} : { privateKey: Buffer.from(key) }),
    ...(cert === undefined ? {} : { certChain: Buffer.from(cert) }),
  };
}
