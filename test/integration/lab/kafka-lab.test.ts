/** The embedded lab with its logs in a real Kafka. All labs live under a folder of this test's own. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { removeLeftovers } from '../../../electron/core/lab/lab-owner.ts';
import { procTable } from '../../../electron/core/lab/process-identity.ts';
import { INSTANCE_ENV } from '../../../electron/core/lab/server-process.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import { openWal } from '../../../electron/engine/source/wal/open-wal.ts';
import type { Wal } from '../../../electron/engine/source/wal/wal.ts';
import { ORDINAL_NONE } from '../../../shared/model/position.ts';
import { kafkaMissing } from '../../contract/wal/kafka-harness.ts';

/** All three servers are up in eight seconds on a quiet machine of two cores; this is what a busy one gets. */
const START_LIMIT_MS = 40_000;
const CASE_TIMEOUT_MS = 90_000;
const TIME_TICK_BYTES_MAX = 30;

let root: string;
let temporary: string;
let lab: Lab;
const tmpdirBefore = process.env['TMPDIR'];

async function serversUnder(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await procTable.pids()) {
    if ((await procTable.environment(pid))?.get(INSTANCE_ENV)?.startsWith(directory)) found.push(pid);
  }
  return found;
}

async function withMilvus<T>(side: LabSide, use: (client: MilvusClient) => Promise<T>): Promise<T> {
  const { address, username = '', password = '' } = side.asTarget.milvus;
  const client = new MilvusClient({ address, username, password, maxRetries: 1, logLevel: 'error' });
  try {
    await client.connectPromise;
    return await use(client);
  } finally {
    await client.closeConnection();
  }
}

async function withWal<T>(side: LabSide, use: (wal: Wal) => Promise<T>): Promise<T> {
  const wal = await openWal(side.asSource.wal, silentLogger);
  try {
    return await use(wal);
  } finally {
    await wal.close();
  }
}

/** Payloads of the first messages of all data channels that are no time ticks, until there are `count`. */
async function readChanges(wal: Wal, count: number): Promise<number> {
  const signal = AbortSignal.timeout(CASE_TIMEOUT_MS);
  let found = 0;
  for (const channel of await wal.listDataChannels()) {
    const { incarnation } = await wal.bounds(channel);
    const reader = await wal.open(channel, { kind: 'after', ordinal: ORDINAL_NONE, incarnation }, signal);
    while (found < count) {
      const messages = await reader.read(1024 * 1024, signal);
      found += messages.filter(({ payload }) => payload.length > TIME_TICK_BYTES_MAX).length;
    }
    await reader.close();
  }
  return found;
}

describe.skipIf(kafkaMissing !== undefined)('the embedded lab on Kafka', { timeout: CASE_TIMEOUT_MS }, () => {
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
    temporary = join(root, 'tmp');
    await mkdir(temporary);
    process.env['TMPDIR'] = temporary;
    const startedAt = performance.now();
    lab = await startLab({ purpose: 'throwaway', wal: 'kafka' });
    expect(performance.now() - startedAt).toBeLessThan(START_LIMIT_MS);
  }, CASE_TIMEOUT_MS);

  afterAll(async () => {
    await lab.stop();
    if (tmpdirBefore === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = tmpdirBefore;
    await rm(root, { recursive: true, force: true });
  });

  it('marks its three servers as its own and binds Kafka to 127.0.0.1', async () => {
    const { kafka, source, target } = lab;
    expect((await serversUnder(temporary)).sort()).toEqual(
      [kafka?.pid, source.instance.pid, target.instance.pid].sort(),
    );
    const tables = (await readFile('/proc/net/tcp', 'utf8')) + (await readFile('/proc/net/tcp6', 'utf8'));
    const listening = [...tables.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm)];
    for (const port of Object.values(kafka?.ports ?? {})) {
      const found = listening.filter((match) => Number.parseInt(match[2] ?? '', 16) === port).map((match) => match[1]);
      // Java binds through an IPv6 socket, which names the address in its IPv4-mapped form.
      expect(found).toHaveLength(1);
      expect(['0100007F', '0000000000000000FFFF00000100007F']).toContain(found[0]);
    }
  });

  it('keeps the logs of both sides apart by their prefixes', async () => {
    const identities = await Promise.all(
      [lab.source, lab.target].map((side) => withWal(side, (wal) => wal.identity())),
    );
    expect(new Set(identities).size).toBe(2);
    await withMilvus(lab.source, async (client) => {
      await client.createCollection({ collection_name: 'rows', dimension: 4 });
      const inserted = await client.insert({ collection_name: 'rows', data: [{ id: 1, vector: [1, 2, 3, 4] }] });
      expect(inserted.insert_cnt).toBe('1');
    });
    await withWal(lab.source, async (wal) => {
      expect(await wal.listDataChannels()).toContain('lab-source-rootcoord-dml_0');
      expect(await wal.operationChannel()).toBe('lab-source-replicate-msg');
      // The collection and the row.
      expect(await readChanges(wal, 2)).toBeGreaterThanOrEqual(2);
    });
    await withWal(lab.target, async (wal) => expect(await wal.listDataChannels()).toEqual([]));
  });

  it('goes on where it was when Kafka was killed and started again', async () => {
    const channel = 'lab-source-rootcoord-dml_0' as never;
    const before = await withWal(lab.source, (wal) => wal.bounds(channel));
    await lab.kafka?.kill();
    expect(lab.kafka?.isRunning).toBe(false);
    await lab.kafka?.start();
    await withMilvus(lab.source, async (client) => {
      const insert = async (): Promise<string> =>
        (await client.insert({ collection_name: 'rows', data: [{ id: 2, vector: [1, 2, 3, 4] }] })).insert_cnt;
      await expect.poll(() => insert().catch(() => ''), { timeout: 60_000 }).toBe('1');
    });
    const after = await withWal(lab.source, (wal) => wal.bounds(channel));
    expect(after.incarnation).toBe(before.incarnation);
    expect(after.latest).toBeGreaterThan(before.latest);
  });

  it('leaves no process and no folder after a stop', async () => {
    await lab.stop();
    await lab.stop();
    expect(await serversUnder(temporary)).toEqual([]);
    await removeLeftovers(procTable, temporary);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('is taken up again on Kafka without being told to, and never on another log', async () => {
    const directory = join(root, 'kept');
    const first = await startLab({ purpose: 'kept', directory, wal: 'kafka' });
    onTestFinished(() => first.stop());
    const [connection, identity] = [first.source.asSource, await withWal(first.source, (wal) => wal.identity())];
    await first.stop();
    expect(await serversUnder(directory)).toEqual([]);
    await expect(startLab({ purpose: 'kept', directory, wal: 'nats' })).rejects.toMatchObject({
      code: 'invalidConfig',
      message: expect.stringContaining('in Kafka, which cannot be changed to NATS') as unknown,
    });

    const second = await startLab({ purpose: 'kept', directory });
    onTestFinished(() => second.stop());
    expect(second.source.asSource).toEqual(connection);
    expect(await withWal(second.source, (wal) => wal.identity())).toBe(identity);
    await second.remove();
    expect(await serversUnder(directory)).toEqual([]);
    await expect(readdir(directory)).rejects.toThrow('ENOENT');
  });
});
