/**
 * Milvus' gRPC service with bytes passed through. The one place that knows grpc-js: channel, credentials, deadlines and
 * cancellation. Every call has a deadline; a call that fails does so with a classified `ReplicationError`, or with the
 * signal's own reason when it was cancelled.
 */
import * as grpc from '@grpc/grpc-js';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorContext } from '../../../shared/model/replication-error.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { hasClientCertificate } from '../errors/tls-faults.ts';
import { tlsSettings, type TlsSettings } from '../runtime/tls-settings.ts';
import { classifyMilvusError, type MilvusFault, type MilvusOrigin } from '../errors/classify-milvus.ts';
import {
  decodeCallResponse,
  encodeRequest,
  methodPath,
  statusOf,
  type MilvusCallName,
  type MilvusCalls,
  type MilvusRawCallName,
  type MilvusStatus,
} from './milvus-protocol.ts';

const DEFAULT_PORT = 19_530;
/** A connection on which nothing moves is asked after this time whether it still stands; Milvus forbids less than 5 s. */
const KEEPALIVE_INTERVAL_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** After a broken connection the next attempts follow quickly: how long to wait between retries is our caller's choice. */
const RECONNECT_BACKOFF_MIN_MS = 100;
const RECONNECT_BACKOFF_MAX_MS = 1_000;

export interface RpcOptions {
  /** From the call to its answer, connecting included. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  /** Names, counts and sizes that go into an error. */
  readonly context?: ErrorContext;
}

interface ParsedAddress {
  /** `host:port`, as errors show it: an address may not carry credentials. */
  readonly target: string;
  readonly isTls: boolean;
}

/** @throws invalidConfig */
export function parseMilvusAddress(address: string): ParsedAddress {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
  let url: URL | undefined;
  try {
    // `http` has a default port that would vanish from `host:80`; a scheme unknown to the parser keeps every port.
    url = new URL(hasScheme ? address.replace(/^[^:]+/, 'milvus') : `milvus://${address}`);
  } catch {
    url = undefined;
  }
  const scheme = hasScheme ? address.slice(0, address.indexOf(':')).toLowerCase() : 'http';
  const isKnownScheme = ['http', 'https', 'tcp', 'grpc', 'grpcs'].includes(scheme);
  if (url === undefined || url.hostname === '' || url.username !== '' || !isKnownScheme) {
    throw new ReplicationError(
      'invalidConfig',
      'config',
      'The address of the target is not of the form "host:port". Correct it, for example "127.0.0.1:19530".',
    );
  }
  return {
    target: `${url.hostname}:${url.port === '' ? DEFAULT_PORT : url.port}`,
    isTls: scheme === 'https' || scheme === 'grpcs',
  };
}

function channelCredentials(tls: TlsSettings | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  return grpc.credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}

function channelOptions(serverName: string | undefined): grpc.ChannelOptions {
  return {
    // The server has limits of its own (64 MiB per message unless set otherwise) and says so.
    'grpc.max_send_message_length': -1,
    'grpc.max_receive_message_length': -1,
    // A web proxy that the environment names is no way to a database.
    'grpc.enable_http_proxy': 0,
    'grpc.keepalive_time_ms': KEEPALIVE_INTERVAL_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_BACKOFF_MIN_MS,
    'grpc.min_reconnect_backoff_ms': RECONNECT_BACKOFF_MIN_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_BACKOFF_MAX_MS,
    // Retrying is decided by our policy, which knows what a repeated write does.
    'grpc.enable_retries': 0,
    ...(serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  };
}

function authorization(endpoint: MilvusEndpoint): grpc.Metadata {
  const metadata = new grpc.Metadata();
  const { token, username, password } = endpoint;
  // A form may send empty texts for what is not given.
  const signIn = username === undefined || username === '' ? '' : `${username}:${password ?? ''}`;
  const plain = token === undefined || token === '' ? signIn : token;
  if (plain !== '') metadata.set('authorization', Buffer.from(plain).toString('base64'));
  return metadata;
}

const passThrough = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class MilvusRpc {
  /** `host:port`, for errors and logs. */
  readonly address: string;
  readonly #client: grpc.Client;
  readonly #side: 'source' | 'target';
  readonly #metadata: grpc.Metadata;
  readonly #hasClientCertificate: boolean;

  /** Connects with the first call. @throws invalidConfig for an address or certificates that cannot be used. */
  constructor(endpoint: MilvusEndpoint, side: 'source' | 'target' = 'target') {
    const { target, isTls } = parseMilvusAddress(endpoint.address);
    this.#side = side;
    this.address = target;
    this.#metadata = authorization(endpoint);
    this.#hasClientCertificate = hasClientCertificate(endpoint.tls);
    const tls =
      endpoint.tls === undefined && !isTls
        ? undefined
        : tlsSettings(endpoint.tls ?? {}, `The ${side} at ${target}`, side);
    this.#client = new grpc.Client(target, channelCredentials(tls), channelOptions(tls?.servername));
  }

  /** The answer's bytes. The request's buffer may be used again once the call has ended. */
  callRaw(name: MilvusCallName | MilvusRawCallName, request: Uint8Array, options: RpcOptions): Promise<Buffer> {
    const { signal, deadlineMs } = options;
    return new Promise<Buffer>((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const call = this.#client.makeUnaryRequest<Uint8Array, Buffer>(
        methodPath(name),
        passThrough,
        passThrough,
        request,
        this.#metadata,
        { deadline: Date.now() + deadlineMs },
        (error, response) => {
          signal?.removeEventListener('abort', onAbort);
          if (signal?.aborted) reject(signal.reason as Error);
          else if (error)
            reject(this.#failure({ kind: 'grpc', code: error.code, details: error.details }, name, options, error));
          else resolve(response ?? Buffer.alloc(0));
        },
      );
      const onAbort = (): void => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** The answer as an object, once its status says success. */
  async call<Name extends MilvusCallName>(
    name: Name,
    request: MilvusCalls[Name]['request'],
    options: RpcOptions,
  ): Promise<MilvusCalls[Name]['response']> {
    const bytes = await this.callRaw(name, encodeRequest(name, request), options);
    const response = decodeCallResponse(name, bytes);
    this.assertSuccess(name, statusOf(response), options);
    return response;
  }

  /** @throws the classified error that the status stands for, unless it is success. */
  assertSuccess(name: MilvusCallName | MilvusRawCallName, status: MilvusStatus | null, options: RpcOptions): void {
    if (status === null || (status.errorCode === 0 && status.code === 0)) return;
    const { errorCode, code, reason } = status;
    throw this.#failure({ kind: 'status', errorCode, code, reason }, name, options);
  }

  #failure(
    fault: MilvusFault,
    name: MilvusCallName | MilvusRawCallName,
    { deadlineMs, context }: RpcOptions,
    cause?: Error,
  ): ReplicationError {
    const origin: MilvusOrigin = {
      side: this.#side,
      address: this.address,
      call: name,
      deadlineMs,
      hasClientCertificate: this.#hasClientCertificate,
    };
    return classifyMilvusError(fault, origin, { context: context ?? {}, ...(cause === undefined ? {} : { cause }) });
  }

  close(): void {
    this.#client.close();
  }
}
