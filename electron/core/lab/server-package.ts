/**
 * The unpacked server: found in the cache folder, or fetched and unpacked into it once; read-only and shared by all
 * instances of all processes. A folder under its final name is always whole, since it is moved there when it is.
 */
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { cacheDirectory } from './cache-directory.ts';
import { identify, livenessOf, procTable, type ProcessIdentity } from './process-identity.ts';
import type { OnLabProgress } from './progress.ts';
import { causeInOutput, requirePython, runPython } from './python.ts';
import { checkGivenWheel, fetchWheel } from './server-wheel.ts';

export const SERVER_VERSION = '2.3.5';
const UNPACKED_FOLDER = `milvus-${SERVER_VERSION}`;
/** Of the unpacked files, which is what the progress counts. */
const UNPACKED_BYTES = 257_060_416;
const MANIFEST_FILE = 'manifest.json';
export const WORK_PREFIX = 'work-';
export const WORK_OWNER_FILE = 'owner.json';

export interface ServerPackageOptions {
  /** Defaults to `cacheDirectory()`. */
  readonly cache?: string | undefined;
  /** A wheel given by hand; defaults to `LIFELINE_MILVUS_WHEEL`. Only used when the server is not unpacked yet. */
  readonly wheelFile?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnLabProgress | undefined;
}

/** The executable's folder, which holds its shared libraries too. */
export interface ServerPackage {
  readonly binDirectory: string;
}

/** The streams are xz in spite of their name, which Python's lzma reads; Node has no reader for them. */
const UNPACK_SCRIPT = `
import lzma, os, sys, zipfile
wheel, target = sys.argv[1], sys.argv[2]
done = 0
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if not (entry.filename.startswith('milvus/data/bin/') and entry.filename.endswith('.lzma')):
            continue
        name = os.path.basename(entry.filename)[:-len('.lzma')]
        with archive.open(entry) as packed, lzma.open(packed) as unpacked, open(os.path.join(target, name), 'wb') as file:
            while chunk := unpacked.read(1 << 20):
                file.write(chunk)
                done += len(chunk)
                print(done, flush=True)
`;

/**
 * Errors: `unsupported` on a machine that the server does not run on, `prerequisiteMissing`, `downloadFailed`,
 * `invalidConfig` for a wheel that is not the right one, `labFailed` when unpacking fails. May run in two processes at
 * once; a crash leaves a work folder, which the next call removes.
 */
export async function ensureServerPackage(options: ServerPackageOptions = {}): Promise<ServerPackage> {
  requireSupportedPlatform();
  const cache = join(options.cache ?? cacheDirectory(), 'milvus-server');
  const unpacked = join(cache, UNPACKED_FOLDER);
  if (await isWhole(unpacked)) return { binDirectory: join(unpacked, 'bin') };

  await mkdir(cache, { recursive: true });
  await removeAbandonedWork(cache);
  const work = await mkdtemp(join(cache, WORK_PREFIX));
  try {
    await writeFile(join(work, WORK_OWNER_FILE), JSON.stringify(await identify(procTable, process.pid)));
    const given = options.wheelFile ?? process.env['LIFELINE_MILVUS_WHEEL'];
    const wheel =
      given === undefined || given === ''
        ? await fetchWheel(cache, work, options)
        : await checkGivenWheel(given, options.signal);
    await unpack(wheel, join(work, UNPACKED_FOLDER), options);
    await moveIntoPlace(join(work, UNPACKED_FOLDER), unpacked);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { binDirectory: join(unpacked, 'bin') };
}

function requireSupportedPlatform(): void {
  const isLinuxX64 = process.platform === 'linux' && process.arch === 'x64';
  // Named in the report only where the C library is glibc, which the server is built against.
  const header = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
  if (isLinuxX64 && header?.glibcVersionRuntime !== undefined) return;
  const here = isLinuxX64 ? 'Linux without glibc' : `${process.platform} ${process.arch}`;
  throw new ReplicationError(
    'unsupported',
    'lab',
    `The embedded lab runs on Linux x64 with glibc only, and this machine is ${here}. Use two Milvus clusters of your own instead.`,
  );
}

async function isWhole(directory: string): Promise<boolean> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8')) as Record<string, number>;
    const sizes = Object.entries(manifest).map(
      async ([name, bytes]) => (await stat(join(directory, 'bin', name))).size === bytes,
    );
    return sizes.length > 0 && (await Promise.all(sizes)).every(Boolean);
  } catch {
    // Not there, or tampered with so far that it cannot be read: unpack anew.
    return false;
  }
}

async function unpack(wheel: string, directory: string, options: ServerPackageOptions): Promise<void> {
  await requirePython({ pip: false }, options.signal);
  const bin = join(directory, 'bin');
  await mkdir(bin, { recursive: true });
  const message = "Unpacking the lab's Milvus server";
  let percentShown = -1;
  const onLine = (line: string): void => {
    const fraction = Math.min(1, Number(line) / UNPACKED_BYTES);
    const percent = Math.floor(fraction * 100);
    if (percent === percentShown) return;
    percentShown = percent;
    options.onProgress?.({ step: 'unpack', message, fraction });
  };
  const result = await runPython(['-c', UNPACK_SCRIPT, wheel, bin], { signal: options.signal, onLine });
  if (result.exitCode !== 0) {
    throw new ReplicationError(
      'labFailed',
      'lab',
      `The lab's Milvus server could not be unpacked into ${directory}: ${causeInOutput(result.stderr)} Check the free space there (260 MB are needed), then try again.`,
      { cause: new Error(result.stderr) },
    );
  }
  const manifest: Record<string, number> = {};
  for (const name of await readdir(bin)) {
    manifest[name] = (await stat(join(bin, name))).size;
    await chmod(join(bin, name), 0o555);
  }
  await writeFile(join(directory, MANIFEST_FILE), JSON.stringify(manifest, undefined, 2));
}

/** Onto the final name, where another process may have put its own copy meanwhile: then that one is used. */
async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  if (await isWhole(to)) return;
  // A damaged copy. Renamed before it is removed, so that nobody finds it half removed under its final name.
  await rename(to, `${from}-damaged`);
  await rename(from, to);
}

export async function removeAbandonedWork(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const directory = join(cache, name);
    let owner: ProcessIdentity;
    try {
      owner = JSON.parse(await readFile(join(directory, WORK_OWNER_FILE), 'utf8')) as ProcessIdentity;
    } catch {
      // Being made or being removed at this moment by another process, or a crash between two lines: left alone.
      continue;
    }
    if ((await livenessOf(procTable, owner)) === 'dead') await rm(directory, { recursive: true, force: true });
  }
}
