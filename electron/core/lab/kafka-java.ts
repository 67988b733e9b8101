/** The machine's own Java and Maven: the one runs the lab's Kafka, the other fetches it. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ReplicationError } from '../../../shared/model/replication-error.ts';

/** That Kafka 3.9 is happy with as a server, and that every distribution of today has. */
const JAVA_VERSION_MIN = 17;
/** Enough of what a command said to find its cause in. */
const OUTPUT_CHARACTERS_MAX = 64 * 1024;

export interface CommandResult {
  readonly exitCode: number | null;
  /** The last part of what it wrote, to either stream. */
  readonly output: string;
}

export interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
}

/** `JAVA_HOME`'s where that is set, as Maven does, else the one on the path. */
export function javaCommand(env: NodeJS.ProcessEnv = process.env): string {
  const home = env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}

/** To its end. A failing exit is a result; a missing command throws as Node says it; an abort ends it and throws the reason. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { signal, onLine }: CommandOptions = {},
): Promise<CommandResult> {
  signal?.throwIfAborted();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', stop, { once: true });
  let output = '';
  const lines = [child.stdout, child.stderr].map((input) =>
    createInterface({ input }).on('line', (line) => {
      output = `${output}${line}\n`.slice(-OUTPUT_CHARACTERS_MAX);
      onLine?.(line);
    }),
  );
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal?.throwIfAborted();
    return { exitCode, output };
  } finally {
    signal?.removeEventListener('abort', stop);
    for (const line of lines) line.close();
  }
}

/** `prerequisiteMissing` unless there is a Java that runs Kafka and, when asked for, Maven. Returns Java's command. */
export async function requireJava(needs: { readonly maven: boolean }, signal?: AbortSignal): Promise<string> {
  const java = javaCommand();
  const version = await outputOf(java, ['-version'], signal);
  if (version === undefined) {
    throw await missing(`The lab's Kafka needs Java ${JAVA_VERSION_MIN}, and the command ${java} was not found.`);
  }
  const major = majorVersion(version);
  if (major === undefined || major < JAVA_VERSION_MIN) {
    const found = major === undefined ? 'does not say which it is' : `is Java ${major}`;
    throw await missing(
      `The lab's Kafka needs Java ${JAVA_VERSION_MIN} or later, and this machine's ${java} ${found}.`,
    );
  }
  if (needs.maven && (await outputOf('mvn', ['--version'], signal)) === undefined) {
    throw await missing('The lab fetches its Kafka with Maven, and the command mvn was not found.');
  }
  return java;
}

/** `undefined` when there is no such command. */
async function outputOf(command: string, args: string[], signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    return (await runCommand(command, args, { signal })).output;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Out of what `java -version` says: `openjdk version "17.0.15" …`, and `java version "1.8.0_392"` up to Java 8. */
export function majorVersion(said: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(said)?.[1];
  return match === undefined ? undefined : Number(match);
}

/** Per family of distributions, as os-release names it in ID and ID_LIKE. */
const INSTALL_COMMANDS: ReadonlyArray<readonly [family: string, command: string]> = [
  ['debian', 'sudo apt install openjdk-17-jre-headless maven'],
  ['ubuntu', 'sudo apt install openjdk-17-jre-headless maven'],
  ['fedora', 'sudo dnf install java-21-openjdk-headless maven'],
  ['rhel', 'sudo dnf install java-17-openjdk-headless maven'],
  ['suse', 'sudo zypper install java-17-openjdk-headless maven'],
  ['arch', 'sudo pacman -S jre17-openjdk-headless maven'],
];

/** For the distribution that `osRelease` (/etc/os-release) describes. */
export function javaInstallSentence(osRelease: string): string {
  const names = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replaceAll(/["']/g, '').split(/\s+/),
  );
  const command = INSTALL_COMMANDS.find(([family]) =>
    names.some((name) => name === family || name.startsWith(`${family}-`)),
  )?.[1];
  return command === undefined
    ? `Install a Java ${JAVA_VERSION_MIN} runtime and Maven with your system's package manager, then try again.`
    : `Install both with: ${command}`;
}

async function missing(what: string): Promise<ReplicationError> {
  // Without the file (a very bare system) the sentence names no command.
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return new ReplicationError('prerequisiteMissing', 'lab', `${what} ${javaInstallSentence(osRelease)}`);
}
