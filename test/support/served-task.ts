/** The built program as a process of its own, serving one task: to be watched, stopped and killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NameMappingInput } from '../../shared/model/name-mapping.ts';
import type { SelectionInput } from '../../shared/model/selection.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import type { StartPoint } from '../../shared/model/start-point.ts';
import type { SourceConnection, TargetConnection } from '../../shared/model/connection.ts';

export const PROGRAM = fileURLToPath(new URL('../../out/electron/core/main.js', import.meta.url));

/** Far above what the tests' few thousand rows take, waiting for an earlier run's writes included. */
const LEVEL_TIMEOUT_MS = 90_000;

export interface TaskInput {
  readonly taskId?: string;
  readonly source: SourceConnection;
  readonly target: TargetConnection;
  readonly start?: StartPoint;
  readonly selection?: SelectionInput;
  readonly mapping?: NameMappingInput;
  readonly operations?: OperationSettings;
}

/** A data folder with one task file in it. */
export class ServedTask implements AsyncDisposable {
  readonly directory: string;
  readonly lines: string[] = [];
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);
  readonly #listeners = new Set<() => void>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(input: TaskInput): Promise<ServedTask> {
    const directory = await mkdtemp(join(tmpdir(), 'lifeline-served-'));
    const served = new ServedTask(directory);
    await served.configure(input);
    return served;
  }

  /** Writes the task file anew, for the next start. */
  async configure({ taskId = 'served', ...rest }: TaskInput): Promise<void> {
    await writeFile(join(this.directory, 'task.json'), JSON.stringify({ taskId, ...rest }), { mode: 0o600 });
  }

  start(...options: string[]): void {
    const task = join(this.directory, 'task.json');
    const child = spawn(
      process.execPath,
      [PROGRAM, 'serve', '--data-dir', this.directory, '--task', task, ...options],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    this.#exited = once(child, 'exit').then(([code]) => code as number | null);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        for (const listener of [...this.#listeners]) listener();
      });
    }
    void this.#exited.then(() => {
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** The first line, old or new, that fits. Rejects with all lines when none has come in time. */
  line(pattern: RegExp, timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.lines.find((line) => pattern.test(line));
        if (found === undefined) return;
        finish();
        resolve(found);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`No line like ${String(pattern)} within ${timeoutMs} ms. Lines:\n${this.lines.join('\n')}`));
      }, timeoutMs);
      const finish = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** As a power cut would end it. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** As an operator would end it. @returns its exit code. */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM');
    return this.#exited;
  }

  /** Runs until the target holds all that stands in the log now. @returns the exit code. */
  async untilLevel(): Promise<number | null> {
    this.start('--until-level');
    const limit = AbortSignal.timeout(LEVEL_TIMEOUT_MS);
    const late = once(limit, 'abort').then(() => {
      throw new Error(`Not level within ${LEVEL_TIMEOUT_MS} ms. The last lines:\n${this.lines.slice(-20).join('\n')}`);
    });
    return Promise.race([this.#exited, late]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
