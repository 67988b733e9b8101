/** The machine's own Python, which fetches and unpacks the lab's server: both need nothing but its standard parts. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/** Enough of what a command said to find its cause in. */
const STDERR_BYTES_MAX = 64 * 1024;

export interface PythonResult {
  readonly exitCode: number | null;
  /** The last part of what it wrote there. */
  readonly stderr: string;
}

export interface PythonOptions {
  /** Laid over the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

/**
 * Runs `python3 <args>` to its end. A failing exit is a result, not an error; a missing python3 is
 * `prerequisiteMissing`; an abort ends the process and throws the signal's reason.
 */
export async function runPython(args: readonly string[], options: PythonOptions = {}): Promise<PythonResult> {
  options.signal?.throwIfAborted();
  const child = spawn('python3', args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGTERM');
  options.signal?.addEventListener('abort', stop, { once: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_BYTES_MAX)));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => options.onLine?.(line));
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    options.signal?.throwIfAborted();
    return { exitCode, stderr };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const install = await installCommand('python3');
    throw new ReplicationError(
      'prerequisiteMissing',
      'lab',
      `The lab needs Python 3, and the command python3 was not found. ${install}`,
      { cause: error },
    );
  } finally {
    options.signal?.removeEventListener('abort', stop);
    lines.close();
  }
}

/** `prerequisiteMissing` unless python3 is there with the parts that unpacking needs and, when asked for, pip. */
export async function requirePython(needs: { readonly pip: boolean }, signal?: AbortSignal): Promise<void> {
  const unpacking = await runPython(['-c', 'import lzma, zipfile'], { signal });
  if (unpacking.exitCode !== 0) {
    throw new ReplicationError(
      'prerequisiteMissing',
      'lab',
      `The lab needs a Python 3 with its lzma module, and this machine's python3 has none. ${await installCommand('python3')}`,
      { cause: new Error(causeInOutput(unpacking.stderr)) },
    );
  }
  if (!needs.pip) return;
  const pip = await runPython(['-m', 'pip', '--version'], { signal });
  if (pip.exitCode !== 0) {
    throw new ReplicationError(
      'prerequisiteMissing',
      'lab',
      `The lab fetches its server with pip, and this machine's python3 has no pip. ${await installCommand('pip')}`,
      { cause: new Error(causeInOutput(pip.stderr)) },
    );
  }
}

type Prerequisite = 'python3' | 'pip';

/** Per family of distributions, as os-release names it in ID and ID_LIKE. */
const INSTALL_COMMANDS: ReadonlyArray<readonly [family: string, Readonly<Record<Prerequisite, string>>]> = [
  ['debian', { python3: 'sudo apt install python3 python3-pip', pip: 'sudo apt install python3-pip' }],
  ['ubuntu', { python3: 'sudo apt install python3 python3-pip', pip: 'sudo apt install python3-pip' }],
  ['fedora', { python3: 'sudo dnf install python3 python3-pip', pip: 'sudo dnf install python3-pip' }],
  ['rhel', { python3: 'sudo dnf install python3 python3-pip', pip: 'sudo dnf install python3-pip' }],
  ['suse', { python3: 'sudo zypper install python3 python3-pip', pip: 'sudo zypper install python3-pip' }],
  ['arch', { python3: 'sudo pacman -S python python-pip', pip: 'sudo pacman -S python-pip' }],
];

/** The sentence that tells how to install it, for the distribution that `osRelease` (/etc/os-release) describes. */
export function installSentence(what: Prerequisite, osRelease: string): string {
  const names = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replaceAll(/["']/g, '').split(/\s+/),
  );
  const command = INSTALL_COMMANDS.find(([family]) =>
    names.some((name) => name === family || name.startsWith(`${family}-`)),
  )?.[1][what];
  return command === undefined
    ? `Install ${what === 'pip' ? 'pip (often the package python3-pip)' : 'Python 3 with pip'} with your system's package manager, then try again.`
    : `Install it with: ${command}`;
}

async function installCommand(what: Prerequisite): Promise<string> {
  // Without the file (a very bare system) the sentence names no command.
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return installSentence(what, osRelease);
}

/**
 * What is worth telling of a command's stderr, as one sentence: a connection that pip could not make, else its first
 * ERROR, else the last line. Credentials in URLs are cut out.
 */
export function causeInOutput(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  // pip goes on to say that there is no such package, which is not the reason.
  const broken = /connection broken by '\w+\((?:'?<[^>]*>: ?)?(.*?)'?\)'/.exec(stderr)?.[1];
  const line = broken ?? lines.find((candidate) => candidate.startsWith('ERROR:')) ?? lines.at(-1) ?? 'It said nothing';
  const plain = line
    .replace(/^ERROR: /, '')
    .replaceAll(/\/\/[^/\s@]+@/g, '//')
    .trim();
  return /[.!?]$/.test(plain) ? plain : `${plain}.`;
}
