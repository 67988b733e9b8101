/** `npm start`: runs every task of the data folder, and those named on the command line, until it is told to stop. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { openDataFolder } from '../data-folder.ts';
import { formatStatus, troubleLines } from '../services/status-lines.ts';
import { readTaskFile } from '../services/task-file.ts';
import { TaskService } from '../services/task-service.ts';

/** Between two lines about a task that merely goes on. */
const STATUS_LINE_INTERVAL_MS = 10_000;

export interface ServeOptions {
  readonly task: readonly string[];
  readonly untilLevel?: boolean;
  readonly dataDir?: string;
  readonly logLevel: string;
}

/** @returns the process's exit code. */
export async function serve(
  options: ServeOptions,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<number> {
  const folder = openDataFolder(options.dataDir);
  const found = (await readdir(folder.tasksDirectory)).filter((name) => name.endsWith('.json')).sort();
  const files = [...found.map((name) => join(folder.tasksDirectory, name)), ...options.task];
  if (files.length === 0) {
    print('No protection yet. Try one on a pair of real servers on this machine (about a minute): npm start -- drill');
    print(
      `Or describe your own in a task file (see the README), put it into ${folder.tasksDirectory}, and start again.`,
    );
    return 0;
  }
  const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
  const tasks = new TaskService({ storeFile: folder.storeFile, logLevel: options.logLevel, logger });
  try {
    for (const file of files) {
      const { spec, warning } = await readTaskFile(file);
      if (warning !== undefined) print(warning);
      follow(tasks.start(spec), print);
    }
    const stopped = untilAborted(signal);
    if (options.untilLevel === true) {
      await Promise.race([stopped, Promise.all([...tasks.hosts()].map((host) => host.whenLevel()))]);
      print(signal.aborted ? 'Stopped before all targets were level.' : 'Level: the targets hold all that was in the logs.');
      return signal.aborted ? 1 : 0;
    }
    // A thread keeps the process alive, a failed one does not; the operator must see the failure either way.
    const alive = setInterval(() => undefined, 2 ** 30);
    await stopped;
    clearInterval(alive);
    return 0;
  } catch (error) {
    print(toReplicationError(error).message);
    return 1;
  } finally {
    await tasks.stopAll();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Says each new trouble once, each change of state once, and now and then that all goes on. */
function follow(host: EngineHost, print: (line: string) => void): void {
  let lastState = '';
  let lastLineAt = 0;
  let told = new Set<string>();
  host.on('status', (status) => {
    const lines = [...troubleLines(status), ...status.notices];
    for (const line of lines) if (!told.has(line)) print(line);
    told = new Set(lines);
    const isDue = status.at - lastLineAt >= STATUS_LINE_INTERVAL_MS;
    if (status.state === lastState && !isDue) return;
    lastState = status.state;
    lastLineAt = status.at;
    print(formatStatus(status));
  });
  host.on('failed', (error) => {
    if (!told.has(error.message)) print(`${host.taskId} has stopped: ${error.message}`);
  });
}
