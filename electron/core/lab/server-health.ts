/** Whether a Milvus server is up, asked of the server itself; and its first password change. */
import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { setTimeout as delay } from 'node:timers/promises';

/** Between two questions. The server is up after about three seconds. */
const ASK_INTERVAL_MS = 100;
const ASK_TIMEOUT_MS = 5_000;
const ROOT = 'root';
/** With which every Milvus 2.3 begins; its setting for another one came with a later version (seen: no effect in 2.3.5). */
const FIRST_PASSWORD = 'Milvus';
/** grpc.status.UNAUTHENTICATED */
const UNAUTHENTICATED = 16;

export interface ServerAddress {
  readonly address: string;
  readonly metricsPort: number;
  readonly password: string;
}

/**
 * Resolves once the server reports itself healthy and answers a real call as `root` with `password`, which is set
 * first where the server still has the one that it began with. Throws the signal's reason when that comes first.
 */
export async function untilHealthy(server: ServerAddress, signal: AbortSignal): Promise<void> {
  while (!(await isListeningHealthy(server.metricsPort, signal)) || !(await answersCalls(server))) {
    await delay(ASK_INTERVAL_MS, undefined, { signal });
  }
}

async function isListeningHealthy(metricsPort: number, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${metricsPort}/healthz`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]),
    });
    return (await response.text()) === 'OK';
  } catch {
    // Not listening yet. Whether there is any use in asking again is told by the signal.
    signal.throwIfAborted();
    return false;
  }
}

async function answersCalls(server: ServerAddress): Promise<boolean> {
  try {
    return await asRoot(server.address, server.password, isHealthy);
  } catch (error) {
    if ((error as { code?: unknown }).code !== UNAUTHENTICATED) return false;
  }
  try {
    await asRoot(server.address, FIRST_PASSWORD, async (client) => {
      await client.updateUser({ username: ROOT, oldPassword: FIRST_PASSWORD, newPassword: server.password });
    });
    return await asRoot(server.address, server.password, isHealthy);
  } catch {
    // Up, but not all of its parts are: the caller asks again, and gives up in its own time.
    return false;
  }
}

async function isHealthy(client: MilvusClient): Promise<boolean> {
  const [health, collections] = [await client.checkHealth(), await client.listCollections()];
  return health.isHealthy && collections.status.code === 0;
}

async function asRoot<T>(address: string, password: string, use: (client: MilvusClient) => Promise<T>): Promise<T> {
  // Loaded here: it takes half a second and 20 MiB (see drill/content/milvus-client.ts).
  const sdk = await import('@zilliz/milvus2-sdk-node');
  const client = new sdk.MilvusClient({
    address,
    username: ROOT,
    password,
    timeout: ASK_TIMEOUT_MS,
    maxRetries: 1,
    // The SDK writes to our stdout, under NODE_ENV=test even every request; nothing it has to say is at this level.
    logLevel: 'error',
  });
  try {
    await client.connectPromise;
    return await use(client);
  } finally {
    await client.closeConnection();
  }
}
