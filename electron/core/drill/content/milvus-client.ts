/**
 * The drill's own way to a Milvus: the public client library, nothing of the engine. Answers are checked here, so that
 * no refusal is mistaken for a result, and nothing is retried behind our back: a write that was sent twice would make
 * the ledger lie.
 *
 * The library is loaded with the first connection: it takes half a second and 20 MiB, and a core that only protects has no
 * use for it.
 */
import type { ClientConfig, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { ReplicationError, type ErrorCode } from '../../../../shared/model/replication-error.ts';
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';

export type DrillSide = 'source' | 'target';

/** A load of a collection takes 3 s on a quiet machine; ten times that on a busy one. */
export const CALL_TIMEOUT_MS = 30_000;

/** A server that is there answers its first call in a fraction of this. */
const CONNECT_TIMEOUT_MS = 4_000;

export interface MilvusConnection {
  readonly side: DrillSide;
  readonly client: MilvusClient;
  /** A call by its name in Milvus' protocol, its answer as it came off the wire (64-bit integers as text, bytes as Buffer). */
  call(method: string, request: object): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Throws `unreachable`, `timeout`, `unauthenticated` or what else the first call shows, within some seconds. The caller
 * closes.
 */
export async function openMilvus(endpoint: MilvusEndpoint, side: DrillSide): Promise<MilvusConnection> {
  const sdk = await import('@zilliz/milvus2-sdk-node');
  const client = new sdk.MilvusClient(clientConfig(endpoint));
  const call = async (method: string, request: object, timeoutMs = CALL_TIMEOUT_MS): Promise<unknown> => {
    const answer = await checked(
      side,
      method,
      sdk.promisify(client.channelPool, method, request, timeoutMs) as Promise<unknown>,
    );
    if (statusOf(answer) !== undefined) return answer;
    // The library turns gRPC's "unimplemented" into an empty success.
    throw new ReplicationError('unsupported', side, `The ${side} does not know the call ${method}. Is it a Milvus?`);
  };
  try {
    await checked(side, 'connect', client.connectPromise as Promise<unknown>);
    await call('ListDatabases', {}, CONNECT_TIMEOUT_MS);
  } catch (error) {
    await client.closeConnection();
    throw connectFailure(endpoint, side, asReplicationError(side, 'connect', error));
  }
  return {
    side,
    client,
    call,
    close: async () => {
      await client.closeConnection();
    },
  };
}

function connectFailure({ address }: MilvusEndpoint, side: DrillSide, failure: ReplicationError): ReplicationError {
  const isRefusedLogin = failure.code === 'unauthenticated' || /auth check failure/i.test(failure.message);
  const isGone = failure.code === 'unreachable' || failure.code === 'timeout';
  if (!isRefusedLogin && !isGone) return failure;
  return new ReplicationError(
    isRefusedLogin ? 'unauthenticated' : failure.code,
    side,
    isRefusedLogin
      ? `The ${side} at ${address} refused the user name or password. Check both.`
      : `The ${side} cannot be reached at ${address}. Check the address, and that the server is running.`,
    { cause: failure },
  );
}

function clientConfig(endpoint: MilvusEndpoint): ClientConfig {
  const { address, username, password, token, tls } = endpoint;
  return {
    address,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(token === undefined ? {} : { token }),
    ...(tls === undefined
      ? {}
      : {
          ssl: true,
          tls: {
            ...(tls.ca === undefined ? {} : { rootCert: Buffer.from(tls.ca) }),
            ...(tls.cert === undefined ? {} : { certChain: Buffer.from(tls.cert) }),
            ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
            ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
          },
        }),
    timeout: CALL_TIMEOUT_MS,
    maxRetries: 0,
    // Below this level the library prints whole requests, rows included.
    logLevel: 'error',
  };
}

/** An answer whose status is not success is an error: the server has refused, and has not done it. */
export async function checked<T>(side: DrillSide, action: string, answer: Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await answer;
  } catch (error) {
    throw asReplicationError(side, action, error);
  }
  const status = statusOf(result);
  if (status === undefined || status.error_code === 'Success') return result;
  throw refusal(side, action, status);
}

interface Status {
  readonly error_code: string;
  readonly reason?: string;
}

function statusOf(answer: unknown): Status | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { status, error_code } = answer as { status?: Status; error_code?: string };
  return status ?? (error_code === undefined ? undefined : (answer as Status));
}

/** gRPC status codes that the drill tells apart (https://grpc.io/docs/guides/status-codes/). */
const GRPC_CANCELLED = 1;
const GRPC_UNKNOWN = 2;
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_PERMISSION_DENIED = 7;
const GRPC_INTERNAL = 13;
const GRPC_UNAVAILABLE = 14;
const GRPC_UNAUTHENTICATED = 16;

function refusal(side: DrillSide, action: string, status: Status): ReplicationError {
  return new ReplicationError(
    'invalidRequest',
    side,
    `The ${side} refused ${action}: ${status.reason === undefined || status.reason === '' ? status.error_code : status.reason}`,
    { context: { action } },
  );
}

export function asReplicationError(side: DrillSide, action: string, thrown: unknown): ReplicationError {
  if (thrown instanceof ReplicationError) return thrown;
  // The library throws a whole answer where it had to ask for the schema first.
  const status = statusOf(thrown);
  if (status !== undefined) return refusal(side, action, status);
  const grpcCode = (thrown as { code?: unknown }).code;
  const code: ErrorCode =
    grpcCode === GRPC_UNAUTHENTICATED
      ? 'unauthenticated'
      : grpcCode === GRPC_PERMISSION_DENIED
        ? 'permissionDenied'
        : grpcCode === GRPC_DEADLINE_EXCEEDED
          ? 'timeout'
          : grpcCode === GRPC_UNAVAILABLE || grpcCode === GRPC_CANCELLED
            ? 'unreachable'
            : 'unknown';
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const sentence =
    code === 'unreachable'
      ? `The ${side} went away during ${action}. See that the server is running, and start again.`
      : code === 'timeout'
        ? `The ${side} has not answered ${action} in time. Look at its load and its log, and start again.`
        : `The ${side} failed at ${action}: ${message}`;
  return new ReplicationError(code, side, sentence, { cause: thrown, context: { action } });
}

/** True where the call may have been carried out although it failed here: no answer came, or none that says. */
export function isOutcomeUnknown(error: ReplicationError): boolean {
  if (error.code === 'timeout' || error.code === 'unreachable') return true;
  const grpcCode = (error.cause as { code?: unknown } | undefined)?.code;
  return grpcCode === GRPC_INTERNAL || grpcCode === GRPC_UNKNOWN;
}
