/**
 * Two Milvus Lite servers as targets for types that the lab's Milvus 2.3.5 does not hold: fetched once by the machine's own
 * pip into the cache folder, the packages themselves checked by SHA-256. They have no log and no etcd, and are no measure
 * of speed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { cacheDirectory } from '../../electron/core/lab/cache-directory.ts';
import { freePorts } from '../../electron/core/lab/ports.ts';
import { causeInOutput, runPython } from '../../electron/core/lab/python.ts';
import { fetchWheel, type PinnedWheel } from '../../electron/core/lab/server-wheel.ts';
import { MilvusRpc } from '../../electron/engine/milvus/milvus-rpc.ts';

/** A C++ program, with the types of 2.4. */
export const LITE_2 = '2.5.1';
/** Written anew in Python, with nullable fields. */
export const LITE_3 = '3.2.2';
export type LiteVersion = typeof LITE_2 | typeof LITE_3;

const WHEELS: Readonly<Record<LiteVersion, PinnedWheel>> = {
  [LITE_2]: {
    requirement: 'milvus-lite==2.5.1',
    file: 'milvus_lite-2.5.1-py3-none-manylinux2014_x86_64.whl',
    sha256: '25ce13f4b8d46876dd2b7ac8563d7d8306da7ff3999bb0d14b116b30f71d706c',
    bytes: 55_263_911,
  },
  [LITE_3]: {
    requirement: 'milvus-lite==3.2.2',
    file: 'milvus_lite-3.2.2-py3-none-any.whl',
    sha256: '106e2437054713afa31208cd081f1e2682253213949a5f544d983dfce1b3a16d',
    bytes: 276_845,
  },
};
/** What the Python one needs beside its own dependencies. */
const LITE_3_EXTRAS = ['pymilvus==3.0.2', 'setuptools<80'];

/** The Python one loads its libraries first. */
const START_LIMIT_MS = 60_000;
const PROBE_INTERVAL_MS = 100;
const STOP_LIMIT_MS = 5_000;

export interface LiteServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** The folder that the version was unpacked or installed into, made when it is not there yet. */
async function ensureLite(version: LiteVersion): Promise<string> {
  const cache = join(cacheDirectory(), 'milvus-lite');
  const folder = join(cache, version);
  // A folder under its final name is whole.
  if ((await stat(folder).catch(() => undefined)) !== undefined) return folder;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'work-'));
  try {
    const wheel = await fetchWheel(cache, work, {}, WHEELS[version]);
    if (version === LITE_2) {
      await python(['-m', 'zipfile', '-e', wheel, join(work, 'whole')]);
      await chmod(join(work, 'whole', 'milvus_lite', 'lib', 'milvus'), 0o755);
    } else {
      const whole = join(work, 'whole');
      // A folder of packages and no environment of its own, which could not be moved to its final name.
      const quiet = ['--no-cache-dir', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
      await python(['-m', 'pip', 'install', '--quiet', '--target', whole, ...quiet, wheel, ...LITE_3_EXTRAS]);
    }
    await rename(join(work, 'whole'), folder).catch(async (error: unknown) => {
      // Another process was first.
      if ((await stat(folder).catch(() => undefined)) === undefined) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function python(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runPython(args);
  if (exitCode !== 0) throw new Error(`python3 ${args.join(' ')} failed: ${causeInOutput(stderr)}`);
}

/** An empty one, in a folder of its own that goes with it. */
export async function startLite(version: LiteVersion): Promise<LiteServer> {
  const folder = await ensureLite(version);
  const data = await mkdtemp(join(tmpdir(), 'lifeline-lite-'));
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const log = await open(join(data, 'console.log'), 'w');
  const library = join(folder, 'milvus_lite', 'lib');
  const start =
    version === LITE_2
      ? {
          command: join(library, 'milvus'),
          args: [join(data, 'lite.db'), address, 'WARN'],
          env: { LD_LIBRARY_PATH: library },
        }
      : {
          command: 'python3',
          args: [
            '-m',
            'milvus_lite',
            'server',
            '--data-dir',
            join(data, 'lite'),
            '--host',
            '127.0.0.1',
            '--port',
            String(port),
          ],
          env: { PYTHONPATH: [folder, process.env['PYTHONPATH'] ?? ''].filter((part) => part !== '').join(delimiter) },
        };
  const child = spawn(start.command, start.args, {
    cwd: data,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...start.env },
  });
  await log.close();
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    await answers(child, address);
  } catch (error) {
    const said = await readFile(join(data, 'console.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`Milvus Lite ${version} has not come up: ${said.slice(-2_000)}`, { cause: error });
  }
  return { address, stop };
}

async function answers(child: ChildProcess, address: string): Promise<void> {
  const rpc = new MilvusRpc({ address });
  const until = Date.now() + START_LIMIT_MS;
  try {
    for (;;) {
      try {
        await rpc.call('ShowCollections', { dbName: '' }, { deadlineMs: 2_000 });
        return;
      } catch (error) {
        if (Date.now() > until || child.exitCode !== null || child.signalCode !== null) throw error;
      }
      await delay(PROBE_INTERVAL_MS);
    }
  } finally {
    rpc.close();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(timer);
}
