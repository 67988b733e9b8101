/**
 * Job: tries every hop of a connection as a task would use it, and says what it found. Reads only; leaves no trace.
 *
 * Three ways run beside each other: etcd → catalog, log → channels, milvus → writes. Where they meet: rows.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import type { Hop, HopProgress } from '../../../shared/contract/procedures.ts';
import type { MilvusEndpoint, SourceConnection, WalEndpoint } from '../../../shared/model/connection.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import { ReplicationError, toReplicationError, type ErrorSide } from '../../../shared/model/replication-error.ts';
import type { JobMessage } from '../host/job-host.ts';
import { HOP_BUDGET_MS, type ConnectionTestInput } from '../host/test-connection.ts';
import type { Logger } from '../runtime/logger.ts';
import { openEtcdCatalog } from '../source/catalog/etcd-catalog.ts';
import { openWal } from '../source/wal/open-wal.ts';
import type { ChannelBounds, Wal } from '../source/wal/wal.ts';
import { MilvusRpc } from '../milvus/milvus-rpc.ts';
import { probeTarget } from '../target/probe.ts';
import type { CatalogCollection } from '../source/catalog/catalog.ts';
import { findRows } from './find-rows.ts';

/** Below the budget, so that the adapter's own sentence, which knows more, comes before ours. */
const CALL_DEADLINE_MS = HOP_BUDGET_MS - 500;

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const credentials = (username: string | undefined): string =>
  username === undefined || username === '' ? 'without signing in' : `signed in as ${username}`;

const say = (message: JobMessage): void => parentPort?.postMessage(message);
const tell = (hop: HopProgress): void => say({ progress: hop });

function end(hops: Hop[], hop: Hop): void {
  hops.push(hop);
  tell(hop);
}

/** Runs one hop. @returns whether what depends on it may be tried. */
async function hop(hops: Hop[], name: Hop['hop'], side: ErrorSide, find: () => Promise<string>): Promise<boolean> {
  const startedMs = performance.now();
  tell({ hop: name, state: 'running', message: '', durationMs: 0 });
  const done = (state: Hop['state'], message: string): void =>
    end(hops, { hop: name, state, message, durationMs: Math.round(performance.now() - startedMs) });
  try {
    done('ok', await withinBudget(find(), name, side));
    return true;
  } catch (error) {
    done('failed', toReplicationError(error).message);
    return false;
  }
}

async function withinBudget<T>(work: Promise<T>, name: string, side: ErrorSide): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      late.reject(
        new ReplicationError(
          'timeout',
          side,
          `There was no answer within ${HOP_BUDGET_MS / 1000} s (${name}). Check the address, the firewall between here and there, and the load of the server.`,
        ),
      ),
    HOP_BUDGET_MS,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function skip(hops: Hop[], name: Hop['hop'], because: string): void {
  end(hops, { hop: name, state: 'skipped', message: `Not tried: ${because}`, durationMs: 0 });
}

interface EtcdWay {
  readonly hops: Hop[];
  /** Absent where the catalog could not be read. */
  readonly collections?: readonly CatalogCollection[];
}

const NO_WAY: EtcdWay = { hops: [] };

async function testEtcd(etcd: SourceConnection['etcd']): Promise<EtcdWay> {
  const hops: Hop[] = [];
  let found: readonly CatalogCollection[] | undefined;
  const catalog = openEtcdCatalog(etcd, { timeoutMs: CALL_DEADLINE_MS });
  try {
    const isUp = await hop(hops, 'etcd', 'source', async () => {
      const clusterId = await catalog.clusterId();
      return `etcd answers, ${credentials(etcd.username)} (cluster ${clusterId}).`;
    });
    if (!isUp) skip(hops, 'catalog', 'etcd was not reached.');
    else {
      await hop(hops, 'catalog', 'source', async () => {
        const { databases, collections } = await catalog.snapshot();
        found = collections;
        return `Milvus keeps ${plural(collections.length, 'collection')} in ${plural(databases.length, 'database')} under the root path ${etcd.rootPath}.`;
      });
    }
  } finally {
    await catalog.close();
  }
  return found === undefined ? { hops } : { hops, collections: found };
}

const logName = (wal: WalEndpoint): string => (wal.kind === 'nats' ? 'NATS' : 'Kafka');
const logUser = (wal: WalEndpoint): string => {
  if (wal.kind === 'kafka') return credentials(wal.sasl?.username);
  return wal.token !== undefined && wal.token !== '' ? 'signed in with a token' : credentials(wal.username);
};

async function testLog(endpoint: WalEndpoint, logger: Logger): Promise<Hop[]> {
  const hops: Hop[] = [];
  const wal = await openWal(endpoint, logger, { timeoutMs: CALL_DEADLINE_MS });
  let channels: Awaited<ReturnType<typeof wal.listDataChannels>> = [];
  try {
    const isUp = await hop(hops, 'log', 'wal', async () => {
      channels = await wal.listDataChannels();
      return `${logName(endpoint)} answers, ${logUser(endpoint)}.`;
    });
    if (!isUp) skip(hops, 'channels', 'the log was not reached.');
    else {
      await hop(hops, 'channels', 'wal', async () => {
        if (channels.length === 0) throw channelsNotFound(endpoint);
        const bounds = await Promise.all(channels.map((channel) => wal.bounds(channel)));
        const kept = bounds.reduce((sum, { earliest, latest }) => sum + (latest - earliest + 1n), 0n);
        await readOne(wal, channels, bounds);
        const operations = await wal.operationChannel();
        return (
          `${plural(channels.length, 'channel')} of ${endpoint.channelPrefix} with ${kept} messages kept; ` +
          (operations === undefined
            ? 'the channel of operations is not there yet, so indexes and loading will not follow until it is.'
            : 'the channel of operations is there.')
        );
      });
    }
  } finally {
    await wal.close();
  }
  return hops;
}

/** The newest message of one channel: seeing a channel is a right of its own, reading it another. */
async function readOne(wal: Wal, channels: readonly PChannel[], bounds: readonly ChannelBounds[]): Promise<void> {
  const at = bounds.findIndex(({ earliest, latest }) => latest >= earliest);
  const [channel, found] = [channels[at], bounds[at]];
  if (channel === undefined || found === undefined) return;
  const signal = AbortSignal.timeout(CALL_DEADLINE_MS);
  const start = { kind: 'at', ordinal: found.latest, incarnation: found.incarnation } as const;
  const reader = await wal.open(channel, start, signal);
  try {
    await reader.read(1, signal);
  } finally {
    await reader.close();
  }
}

function channelsNotFound({ kind, channelPrefix }: WalEndpoint): ReplicationError {
  // Kafka hides what a user may not see.
  const rights =
    kind === 'kafka' ? ' A user of Kafka sees only topics on which it has the rights Describe and Read.' : '';
  return new ReplicationError(
    'channelsNotFound',
    'wal',
    `The source's log has no channel "${channelPrefix}-rootcoord-dml_<number>". Check the channel prefix (Milvus' common.chanNamePrefix.cluster) and that the log's address is the source's.${rights}`,
  );
}

async function testMilvus(endpoint: MilvusEndpoint, logger: Logger): Promise<Hop[]> {
  const hops: Hop[] = [];
  let rpc: MilvusRpc | undefined;
  const ending = new AbortController();
  try {
    const isUp = await hop(hops, 'milvus', 'target', async () => {
      rpc = new MilvusRpc(endpoint);
      const { version } = await rpc.call('GetVersion', {}, { deadlineMs: CALL_DEADLINE_MS, signal: ending.signal });
      const isToken = endpoint.token !== undefined && endpoint.token !== '';
      return `Milvus ${version.replace(/^v/, '')}, ${isToken ? 'signed in with a token' : credentials(endpoint.username)}.`;
    });
    if (!isUp || rpc === undefined) skip(hops, 'writes', 'Milvus was not reached.');
    else {
      const reached = rpc;
      await hop(hops, 'writes', 'target', async () => {
        await probeTarget(reached, CALL_DEADLINE_MS, logger, ending.signal);
        return 'It takes writes.';
      });
    }
  } finally {
    ending.abort();
    rpc?.close();
  }
  return hops;
}

/** Whether a copy can read what the catalog names. */
async function testRows(
  endpoint: MilvusEndpoint,
  collections: readonly CatalogCollection[] | undefined,
  isMilvusUp: boolean,
): Promise<Hop[]> {
  const hops: Hop[] = [];
  if (!isMilvusUp) skip(hops, 'rows', 'Milvus was not reached.');
  else if (collections === undefined) skip(hops, 'rows', 'the catalog was not read.');
  else {
    const ending = new AbortController();
    const rpc = new MilvusRpc(endpoint, 'source');
    try {
      await hop(hops, 'rows', 'source', () =>
        findRows(rpc, collections, { deadlineMs: CALL_DEADLINE_MS, signal: ending.signal }),
      );
    } finally {
      ending.abort();
      rpc.close();
    }
  }
  return hops;
}

async function test({ parts, logLevel }: ConnectionTestInput): Promise<Hop[]> {
  const logger = pino({ level: logLevel, base: { job: 'test-connection' } }, pino.destination(2));
  const { etcd, wal, milvus } = parts;
  const [etcdWay, logHops, milvusHops] = await Promise.all([
    etcd === undefined ? NO_WAY : testEtcd(etcd),
    wal === undefined ? [] : testLog(wal, logger),
    milvus === undefined ? [] : testMilvus(milvus, logger),
  ]);
  const isMilvusUp = milvusHops.some(({ hop, state }) => hop === 'milvus' && state === 'ok');
  const isWhole = etcd !== undefined && wal !== undefined && milvus !== undefined;
  const rowHops = isWhole ? await testRows(milvus, etcdWay.collections, isMilvusUp) : [];
  return [...etcdWay.hops, ...logHops, ...milvusHops, ...rowHops];
}

try {
  say({ result: await test(workerData as ConnectionTestInput) });
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
