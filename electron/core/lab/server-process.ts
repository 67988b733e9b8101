/**
 * The process of one of the lab's servers: known for ours by a variable in its environment, with what it says in a file of
 * its log folder, in a process group of its own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Names the instance's directory in its process's environment, which is how a server is known for ours later. */
export const INSTANCE_ENV = 'LIFELINE_LAB_INSTANCE';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Its working directory, and the mark by which it is known. */
  readonly directory: string;
  readonly logDirectory: string;
  /** All of its environment, but for the mark. */
  readonly env: NodeJS.ProcessEnv;
}

export class ServerProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the process runs; throws what the system says when it cannot be run. */
  static async spawn({ command, args, directory, logDirectory, env }: ServerCommand): Promise<ServerProcess> {
    await mkdir(logDirectory, { recursive: true, mode: 0o700 });
    const consoleLog = join(logDirectory, 'console.log');
    // What the last run said at its end is often the reason for this one, so one generation is kept.
    await rename(consoleLog, join(logDirectory, 'console-previous.log')).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
    const log = await open(consoleLog, 'w', 0o600);
    try {
      const child = spawn(command, args, {
        cwd: directory,
        // A process group of its own: Ctrl-C in a terminal reaches the owner, which stops its servers in order.
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { ...env, [INSTANCE_ENV]: directory },
      });
      await once(child, 'spawn');
      child.unref();
      return new ServerProcess(child);
    } finally {
      await log.close();
    }
  }

  get pid(): number | undefined {
    return this.isRunning ? this.#child.pid : undefined;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How it ended, for a sentence. */
  get end(): string {
    return this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
  }

  /** Aborted when the process ends. */
  untilExit(): AbortSignal {
    const ended = new AbortController();
    if (this.isRunning) this.#child.once('exit', () => ended.abort());
    else ended.abort();
    return ended.signal;
  }

  /** In order; at once when that takes longer than the limit. Resolves when the process is gone. */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.isRunning) return;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.#signal('SIGTERM');
    clearTimeout(timer);
  }

  /** At once and without a chance to save anything. Resolves when the process is gone. */
  async kill(): Promise<void> {
    if (this.isRunning) await this.#signal('SIGKILL');
  }

  /** For the last moment of the process, in which nothing can be awaited. */
  killSync(): void {
    if (this.isRunning) this.#child.kill('SIGKILL');
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    // Unreferenced while it runs, but whoever waits for its end must not end first.
    this.#child.ref();
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}
