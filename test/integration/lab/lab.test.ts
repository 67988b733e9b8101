/**
 * The embedded lab on real servers. One lab serves most cases, in their order; each case says what it leaves behind.
 * All labs live under a folder of this test's own, so that labs of other programs are neither seen nor counted.
 */
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { removeLeftovers } from '../../../electron/core/lab/lab-owner.ts';
import { INSTANCE_ENV } from '../../../electron/core/lab/server-process.ts';
import { procTable } from '../../../electron/core/lab/process-identity.ts';
import type { TargetConnection } from '../../../shared/model/connection.ts';

/** Issue 3 §3: both sides up within this time once the server is unpacked. */
const START_LIMIT_MS = 15_000;
const CASE_TIMEOUT_MS = 60_000;
/** A server that answers calls may still be loading its collections again, and then refuses to query them. */
const LOADING = { timeout: 30_000, interval: 100 };
const COLLECTION = 'rows';

let root: string;
let temporary: string;
let lab: Lab;
const tmpdirBefore = process.env['TMPDIR'];

/** The processes of all servers that live under this test's folder. */
async function serversUnder(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await procTable.pids()) {
    if ((await procTable.environment(pid))?.get(INSTANCE_ENV)?.startsWith(directory)) found.push(pid);
  }
  return found;
}

async function withClient<T>(
  { milvus }: TargetConnection,
  use: (client: MilvusClient) => Promise<T>,
  password = milvus.password,
): Promise<T> {
  const client = new MilvusClient({
    address: milvus.address,
    username: milvus.username ?? '',
    password: password ?? '',
    maxRetries: 1,
    logLevel: 'error',
  });
  try {
    await client.connectPromise;
    return await use(client);
  } finally {
    await client.closeConnection();
  }
}

const countRows = (side: LabSide): Promise<number> =>
  withClient(side.asTarget, async (client) => {
    const answer = await client.query({
      collection_name: COLLECTION,
      output_fields: ['count(*)'],
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    if (answer.status.code !== 0) throw new Error(answer.status.reason);
    return Number(answer.data[0]?.['count(*)']);
  });

/** Runs the script that developers use, until it has printed its lab. */
async function runLabScript() {
  const script = fileURLToPath(new URL('../../support/run-lab.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, lab: JSON.parse(line) as Record<'source' | 'target', { directory: string; pid: number }> };
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'lifeline-test-'));
  temporary = join(root, 'tmp');
  await mkdir(temporary);
  process.env['TMPDIR'] = temporary;
});

afterAll(async () => {
  await lab.stop();
  if (tmpdirBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = tmpdirBefore;
  await rm(root, { recursive: true, force: true });
});

describe('the embedded lab', { timeout: CASE_TIMEOUT_MS }, () => {
  it('removes at its start what a killed owner left, and is up in time', async () => {
    const killed = await runLabScript();
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    const orphans = await serversUnder(temporary);
    expect(orphans.sort()).toEqual([killed.lab.source.pid, killed.lab.target.pid].sort());
    expect(await readdir(temporary)).toHaveLength(1);

    const startedAt = performance.now();
    lab = await startLab({ purpose: 'throwaway' });
    expect(performance.now() - startedAt).toBeLessThan(START_LIMIT_MS);
    const servers = await serversUnder(temporary);
    expect(servers.filter((pid) => orphans.includes(pid))).toEqual([]);
    expect(servers.sort()).toEqual([lab.source.instance.pid, lab.target.instance.pid].sort());
    await expect(access(killed.lab.source.directory)).rejects.toThrow('ENOENT');
  });

  it('takes a row on each side from whoever has the password', async () => {
    for (const side of [lab.source, lab.target]) {
      await withClient(side.asTarget, async (client) => {
        await client.createCollection({ collection_name: COLLECTION, dimension: 4 });
        const inserted = await client.insert({ collection_name: COLLECTION, data: [{ id: 1, vector: [1, 2, 3, 4] }] });
        expect(inserted.insert_cnt).toBe('1');
      });
      expect(await countRows(side)).toBe(1);
    }
  });

  it.each(['wrong', 'Milvus'])('refuses the password %j', async (password) => {
    for (const side of [lab.source, lab.target]) {
      await expect(withClient(side.asTarget, (client) => client.listCollections(), password)).rejects.toMatchObject({
        code: 16,
      });
    }
  });

  it('gives the two sides different passwords, root paths and channel names', () => {
    expect(lab.source.asTarget.milvus.password).not.toBe(lab.target.asTarget.milvus.password);
    expect(lab.source.asSource.etcd.rootPath).not.toBe(lab.target.asSource.etcd.rootPath);
    expect(lab.source.asSource.wal.channelPrefix).not.toBe(lab.target.asSource.wal.channelPrefix);
  });

  it('binds etcd and NATS to 127.0.0.1', async () => {
    // Lines of /proc/net/tcp and tcp6: number, local address:port and remote one in hex, state (0A is listening).
    const tables = (await readFile('/proc/net/tcp', 'utf8')) + (await readFile('/proc/net/tcp6', 'utf8'));
    const addressesOf = (port: number): string[] =>
      [...tables.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm)]
        .filter((match) => Number.parseInt(match[2] ?? '', 16) === port)
        .map((match) => match[1] ?? '');
    for (const { ports } of [lab.source.instance, lab.target.instance]) {
      for (const port of [ports.etcdClient, ports.etcdPeer, ports.nats]) {
        expect(addressesOf(port)).toEqual(['0100007F']);
      }
    }
  });

  it('refuses to start again on a port that was taken meanwhile, and starts when it is free', async () => {
    const { instance } = lab.target;
    await instance.stop();
    expect(instance.isRunning).toBe(false);
    const blocker = createServer().listen(instance.ports.proxy);
    await once(blocker, 'listening');
    await expect(instance.start()).rejects.toMatchObject({
      code: 'labFailed',
      side: 'lab',
      message: expect.stringContaining('target Milvus could not start because another program has taken'),
    });
    blocker.close();
    await once(blocker, 'close');
    await instance.start();
  });

  it('keeps rows, ports and password through a kill and a new start on the same data', async () => {
    const { instance, asTarget, asSource } = lab.source;
    await instance.kill();
    expect(instance.pid).toBeUndefined();
    await instance.start();
    expect(lab.source).toMatchObject({ asTarget, asSource });
    // The target was stopped in order by the case before this one.
    for (const side of [lab.source, lab.target]) await expect.poll(() => countRows(side), LOADING).toBe(1);
  });

  it('leaves no process and no folder after a stop, and may be stopped twice', async () => {
    await lab.stop();
    await lab.stop();
    expect(await serversUnder(temporary)).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('tells why a server would not start, and leaves nothing behind', async () => {
    const settings = { target: { 'mq.type': 'nonsense' } };
    await expect(startLab({ purpose: 'throwaway', settings })).rejects.toMatchObject({
      code: 'labFailed',
      message: expect.stringMatching(/target Milvus ended while it started .*mq type nonsense is invalid/),
    });
    expect(await serversUnder(temporary)).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('ends in the middle of its start when it is told to, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const start = startLab({
      purpose: 'throwaway',
      signal: abort.signal,
      onProgress: ({ step }) => step === 'start' && setImmediate(() => abort.abort(new Error('No longer wanted.'))),
    });
    await expect(start).rejects.toThrow('No longer wanted.');
    expect(await serversUnder(temporary)).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('takes its servers and folder with it when its process exits without stopping it', async () => {
    const lab = JSON.stringify(new URL('../../../electron/core/lab/lab.ts', import.meta.url));
    const code = `const { startLab } = await import(${lab}); await startLab({ purpose: 'throwaway' }); process.exit(0);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
    await expect.poll(() => serversUnder(temporary)).toEqual([]);
    // The folder may not go at once with servers that are still dying; what is left goes at the next start.
    await removeLeftovers(procTable, temporary);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('takes a kept lab up again as it was, and removes nothing that it did not make', async () => {
    const directory = join(root, 'kept');
    const first = await startLab({ purpose: 'kept', directory });
    onTestFinished(() => first.stop());
    const connections = [first.source.asSource, first.source.asTarget, first.target.asSource, first.target.asTarget];
    expect((await stat(join(directory, 'source', 'instance.json'))).mode & 0o777).toBe(0o600);
    await withClient(first.source.asTarget, async (client) => {
      await client.createCollection({ collection_name: COLLECTION, dimension: 4 });
      await client.insert({ collection_name: COLLECTION, data: [{ id: 1, vector: [1, 2, 3, 4] }] });
    });
    await first.stop();
    expect(await serversUnder(directory)).toEqual([]);

    const second = await startLab({ purpose: 'kept', directory });
    onTestFinished(() => second.stop());
    expect([second.source.asSource, second.source.asTarget, second.target.asSource, second.target.asTarget]).toEqual(
      connections,
    );
    await expect.poll(() => countRows(second.source), LOADING).toBe(1);
    await writeFile(join(directory, 'notes.txt'), 'not of the lab');
    await second.remove();
    expect(await serversUnder(directory)).toEqual([]);
    expect(await readdir(directory)).toEqual(['notes.txt']);
  });

  it('does not move into a folder that holds something else under its names', async () => {
    const directory = join(root, 'taken');
    await mkdir(join(directory, 'source'), { recursive: true });
    await expect(startLab({ purpose: 'kept', directory })).rejects.toMatchObject({ code: 'invalidConfig' });
    expect(await readdir(directory)).toEqual(['source']);
  });
});
