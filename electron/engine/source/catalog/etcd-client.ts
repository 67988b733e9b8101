/**
 * etcd3 wrapped: reads at one revision, in pages; one watch; everything with a limit in time. etcd3's own retries and
 * watchers are not used: what to do about an error stands in the policy table, and its watchers go on trying after the
 * client is closed.
 */
import { Etcd3, isRecoverableError, Range, type IOptions, type IRangeResponse } from 'etcd3';
import type { EtcdEndpoint } from '../../../../shared/model/connection.ts';
import { classifyEtcdError } from '../../errors/classify-etcd.ts';
import type { KeyedValue } from './assemble.ts';

/** Keys of one page: some hundred kilobytes of ordinary values, read in a few milliseconds. */
const PAGE_KEYS_MAX = 1000;
/** A page of fields with long descriptions and default values may pass gRPC's 4 MiB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A peer that vanished without a word is found within the two together; etcd allows a ping every 5 s. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

export interface RangePage {
  readonly entries: readonly KeyedValue[];
  readonly clusterId: string;
  readonly revision: string;
  readonly hasMore: boolean;
}

export interface RangeOptions {
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
  readonly #client: Etcd3;
  readonly #addresses: readonly string[];

  constructor(endpoint: EtcdEndpoint, timeoutMs: number) {
    const { endpoints, username, password, tls } = endpoint;
    this.#addresses = endpoints;
    // The limit is for the whole call, whichever address answers.
    const callOptions = (context: { readonly isStream: boolean }): { deadline?: number } =>
      context.isStream ? {} : { deadline: Date.now() + timeoutMs / endpoints.length };
    this.#client = new Etcd3({
      hosts: [...endpoints],
      ...(username === undefined || username === ''
        ? {}
        : { auth: { username, password: password ?? '', callOptions } }),
      ...(tls === undefined ? {} : { credentials: credentialsOf(tls) }),
      defaultCallOptions: callOptions,
      faultHandling: { host: () => once, global: eachHost(endpoints.length) },
      grpcOptions: {
        'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
        'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
        'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
        ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
      },
    });
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

  async get(key: string, revision: string): Promise<KeyedValue | undefined> {
    return pageOf(await this.#range({ key: Buffer.from(key), revision })).entries[0];
  }

  /**
   * Resolves when the watch ends, whatever ended it, with the classified error; calls back for every change under one of
   * the prefixes and when all of them are being watched. Ends with `undefined` when the signal aborts.
   */
  async watch(prefixes: readonly string[], onChange: () => void, signal: AbortSignal): Promise<Error | undefined> {
    try {
      // A read first: it renews a sign-in that has expired, which opening a stream does not.
      await this.page(prefixes[0] ?? '', { limit: 1, keysOnly: true });
      const stream = await this.#client.watchClient.watch();
      return await new Promise<Error | undefined>((resolve) => {
        let created = 0;
        const end = (error: Error | undefined): void => {
          signal.removeEventListener('abort', abort);
          resolve(error);
          stream.cancel();
        };
        const abort = (): void => end(undefined);
        // Kept to the end: a stream that is cancelled reports that as an error.
        stream.on('error', (error: Error) => end(classifyEtcdError(error, this.#addresses)));
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
      return signal.aborted ? undefined : classifyEtcdError(error, this.#addresses);
    }
  }

  close(): void {
    this.#client.close();
  }

  async #range(request: Parameters<Etcd3['kv']['range']>[0]): Promise<IRangeResponse> {
    return this.#client.kv.range(request);
  }
}

const pageOf = (answer: IRangeResponse): RangePage => ({
  entries: answer.kvs.map(({ key, value }) => ({ key: key.toString(), value })),
  clusterId: answer.header.cluster_id,
  revision: answer.header.revision,
  hasMore: answer.more,
});

function credentialsOf(tls: NonNullable<EtcdEndpoint['tls']>): NonNullable<IOptions['credentials']> {
  return {
    // etcd3 wants a root certificate by type, and grpc takes the system's where there is none.
    rootCertificate: (tls.ca === undefined ? null : Buffer.from(tls.ca)) as Buffer,
    ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
    ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
  };
}
