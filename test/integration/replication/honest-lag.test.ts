/**
 * What a task says of itself beside real servers that stand still (SIGSTOP), idle and under load; and what it says when the log
 * has removed what it had not read.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { DataType, type MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openMilvus } from '../../../electron/core/drill/content/milvus-client.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../electron/core/store/sqlite-task-store.ts';
import { systemClock } from '../../../electron/engine/runtime/clock.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { findOldestKept } from '../../../electron/engine/host/oldest-kept.ts';
import { openEtcdCatalog } from '../../../electron/engine/source/catalog/etcd-catalog.ts';
import { openWal } from '../../../electron/engine/source/wal/open-wal.ts';
import { openMilvusTarget } from '../../../electron/engine/target/milvus-target.ts';
import { RestartNeeded } from '../../../electron/engine/task/restart-needed.ts';
import { TaskEngine } from '../../../electron/engine/task/task-engine.ts';
import { asTaskId, type PChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal } from '../../../shared/model/position.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';

/** Longer than any stop here: a server that has lost its session ends itself. */
const SESSION_TTL_S = 120;
const TASK_ID = 'honest';
const WATCH_INTERVAL_MS = 250;
/** A busy machine delays both the tick and the look at the clock. */
const TOLERANCE_MS = 1_000;
const SHORT_RETENTION_MS = 2_000;
/** NATS has it no longer than the retention. */
const DUPLICATE_WINDOW_MS = 1_000;

let lab: Lab;
let client: MilvusClient;
let closeClient: () => Promise<unknown>;
/** One task, stopped and started again: what it has made on the target is its own. */
let folder: string;

beforeAll(async () => {
  const settings = { 'common.session.ttl': SESSION_TTL_S };
  lab = await startLab({ purpose: 'throwaway', settings: { source: settings, target: settings } });
  const connection = await openMilvus(lab.source.asTarget.milvus, 'source');
  ({ client } = connection);
  closeClient = () => connection.close();
  folder = await mkdtemp(join(tmpdir(), 'lifeline-honest-'));
});
afterAll(async () => {
  for (const { instance } of [lab.source, lab.target]) resume(instance.pid);
  await closeClient();
  await lab.stop();
  await rm(folder, { recursive: true, force: true });
});

function resume(pid: number | undefined): void {
  if (pid !== undefined) process.kill(pid, 'SIGCONT');
}

async function createCollection(name: string): Promise<void> {
  await client.createCollection({
    collection_name: name,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
    ],
  });
}

const insert = (name: string, from: number, count: number): Promise<unknown> =>
  client.insert({
    collection_name: name,
    data: Array.from({ length: count }, (_, index) => ({ id: from + index, embedding: [1, 2, 3, 4] })),
  });

interface Running {
  readonly wal: Wal;
  readonly store: SqliteTaskStore;
  status(): TaskStatus;
  until(isMet: (status: TaskStatus) => boolean, what: string): Promise<TaskStatus>;
  stop(): Promise<void>;
}

async function run(): Promise<Running> {
  const { asSource } = lab.source;
  const database = openDatabase(join(folder, 'lifeline.db'));
  const store = new SqliteTaskStore(database, asTaskId(TASK_ID));
  const parts = {
    wal: await openWal(asSource.wal, silentLogger),
    catalog: openEtcdCatalog(asSource.etcd),
    target: openMilvusTarget(lab.target.asTarget.milvus),
  };
  const make = (): TaskEngine =>
    new TaskEngine(
      {
        ...{ taskId: TASK_ID, rootPath: asSource.etcd.rootPath, walKind: asSource.wal.kind, budgetBytes: 1 << 26 },
        start: { kind: 'creation' },
        drainTimeoutMs: 5_000,
      },
      { ...parts, store, clock: systemClock, logger: silentLogger },
    );
  let engine = make();
  const ending = new AbortController();
  const watching = setInterval(() => engine.watch(), WATCH_INTERVAL_MS);
  const ended = (async () => {
    for (;;) {
      try {
        await engine.run(ending.signal);
        return;
      } catch (error) {
        if (!(error instanceof RestartNeeded)) throw error;
        engine = make();
      }
    }
  })();
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => {
    if (ending.signal.aborted) return;
    ending.abort(new Error('the test ended'));
    await ended.catch(() => undefined);
    clearInterval(watching);
    await Promise.all([parts.wal.close(), parts.catalog.close(), parts.target.close()]);
    database.close();
  };
  onTestFinished(stop);
  return {
    ...{ wal: parts.wal, store, stop },
    status: () => engine.status(),
    until: (isMet, what) =>
      vi.waitFor(
        () => {
          const status = engine.status();
          if (!isMet(status)) throw new Error(`Not yet ${what}: ${JSON.stringify(status)}`);
          return status;
        },
        { timeout: 60_000, interval: 100 },
      ),
  };
}

const lagOf = ({ lagMs }: TaskStatus): number => lagMs.now ?? Number.NaN;

/** Two looks, some seconds apart. */
async function expectGrowth(task: Running): Promise<void> {
  const first = await task.until((status) => lagOf(status) > 6_000, 'behind');
  const second = await task.until((status) => status.at - first.at > 5_000, 'later');
  expect(Math.abs(lagOf(second) - lagOf(first) - (second.at - first.at))).toBeLessThan(TOLERANCE_MS);
  expect(second.isInSync).toBe(false);
}

describe('the lag of a task', () => {
  test.each(['target', 'source'] as const)(
    'grows one second per second while the %s stands still, idle and under load',
    { timeout: 240_000 },
    async (side) => {
      const name = `still_${side}`;
      const { pid } = lab[side].instance;
      if (pid === undefined) throw new Error(`The ${side} does not run.`);
      await createCollection(name);
      const task = await run();
      await insert(name, 0, 10);
      const isInSync = (status: TaskStatus): boolean => status.isInSync === true && status.rowsWritten >= 10;
      await task.until(isInSync, 'in sync');

      process.kill(pid, 'SIGSTOP');
      await expectGrowth(task);
      expect(task.status().stages?.bottleneck.stage).not.toBe('none');
      resume(pid);
      await task.until(isInSync, 'in sync again');

      // A source that stands still takes no rows.
      if (side === 'target') {
        process.kill(pid, 'SIGSTOP');
        for (let batch = 1; batch <= 5; batch += 1) await insert(name, batch * 100, 50);
        await expectGrowth(task);
        resume(pid);
        await task.until((status) => isInSync(status) && status.rowsWritten >= 260, 'in sync at last');
      }
    },
  );
});

describe('a log that keeps only some seconds', () => {
  test(
    'leaves a gap when the task was away for longer, and holds just the collections concerned',
    { timeout: 180_000 },
    async () => {
      await createCollection('away');
      await createCollection('elsewhere');
      const first = await run();
      await insert('away', 0, 10);
      await insert('elsewhere', 0, 10);
      await first.until((status) => status.isInSync === true && status.rowsWritten >= 20, 'in sync');
      const [headroom] = (await first.until(({ headroom: shown }) => shown !== undefined, 'looked at')).headroom ?? [];
      expect(headroom).toMatchObject({ level: 'ok', leftMs: null });
      await first.stop();

      // Retention of the one channel that `away` lives on.
      const channel = ownChannelOf('away');
      const { limit, close } = await admin();
      await limit(channel, SHORT_RETENTION_MS);
      await insert('away', 100, 10);
      const wal = await openWal(lab.source.asSource.wal, silentLogger);
      onTestFinished(() => wal.close());
      const resumed = stored().shards.filter((shard) => shard.channel === channel);
      const needed = resumed.map(({ checkpoint }) => firstOrdinal(checkpoint.resume)).reduce((a, b) => (a > b ? a : b));
      await vi.waitFor(async () => expect((await wal.bounds(channel)).earliest > needed).toBe(true), {
        timeout: 30_000,
        interval: 200,
      });
      await limit(channel, 3_600_000);
      await close();

      const second = await run();
      const held = await second.until(({ gaps }) => gaps !== undefined, 'held');
      expect(held.state).toBe('held');
      expect(held.gaps).toMatchObject([{ channel }]);
      expect(held.gaps?.[0]?.collections).toContain('default.away');
      const { fromMs = 0, toMs = 0 } = held.gaps?.[0] ?? {};
      expect(toMs).toBeGreaterThan(fromMs);
      await insert('elsewhere', 100, 10);
      await second.until(({ rowsWritten }) => rowsWritten >= 10, 'the other went on');
      expect(second.store.gaps().map(({ collection, reason }) => [collection, reason])).toContainEqual([
        'away',
        'removed',
      ]);

      const kept = await findOldestKept(lab.source.asSource.wal, 'silent');
      expect(kept.perChannel).toContainEqual({ channel, oldestMs: expect.any(Number) });
      expect(kept.oldestMs).toBeGreaterThanOrEqual(toMs - 1_000);
    },
  );
});

function stored() {
  using database = openDatabase(join(folder, 'lifeline.db'));
  const found = new SqliteTaskStore(database, asTaskId(TASK_ID)).load();
  if (found === undefined) throw new Error('The task has stored nothing.');
  return found;
}

/** Of which no other collection has a shard. */
function ownChannelOf(collection: string): PChannel {
  const { collections, shards } = stored();
  const own = collections.find(({ name }) => name === collection);
  const channels = new Set(shards.filter(({ collectionId }) => collectionId === own?.id).map((shard) => shard.channel));
  const others = new Set(shards.filter(({ collectionId }) => collectionId !== own?.id).map((shard) => shard.channel));
  const found = [...channels].find((channel) => !others.has(channel));
  if (found === undefined) throw new Error('The collection shares its channel.');
  return found;
}

async function admin() {
  const { wal } = lab.source.asSource;
  if (wal.kind !== 'nats') throw new Error('This lab keeps its log elsewhere.');
  const connection = await connect({ servers: wal.servers });
  const manager = await jetstreamManager(connection);
  return {
    limit: (channel: PChannel, ageMs: number) =>
      manager.streams.update(channel, { max_age: nanos(ageMs), duplicate_window: nanos(DUPLICATE_WINDOW_MS) }),
    close: () => connection.close(),
  };
}
