/**
 * `npm start -- serve`: the core without a desktop. Takes up the data folder's protections and task files, and serves the
 * window and the API until it is told to stop.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import { openDataFolder, type DataFolder } from '../data-folder.ts';
import { Access, openAccessToken } from '../http/access.ts';
import type { HttpServer } from '../http/http-server.ts';
import { choosePort, rememberPort } from '../http/remembered-port.ts';
import { isLoopback } from '../http/request-guard.ts';
import { readProduct } from '../product.ts';
import { openCore, type Core } from '../services/core.ts';
import { formatStatus, troubleLines } from '../services/status-lines.ts';
import { readTaskFile } from '../services/task-file.ts';

/** Between two lines about a task that merely goes on. */
const STATUS_LINE_INTERVAL_MS = 10_000;

export interface ServeOptions {
  readonly task: readonly string[];
  readonly untilLevel?: boolean;
  readonly dataDir?: string;
  readonly host: string;
  /** Absent: the port of the last time, or a free one. */
  readonly port?: number;
  readonly logLevel: string;
}

type Print = (line: string) => void;

/** @returns the process's exit code. */
export async function serve(options: ServeOptions, signal: AbortSignal, print: Print): Promise<number> {
  let core: Core | undefined;
  let server: HttpServer | undefined;
  try {
    const folder = openDataFolder(options.dataDir);
    const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
    core = openCore({ folder, logLevel: options.logLevel, logger });
    const files = await taskFiles(folder, options.task);
    for (const file of files) {
      const task = await readTaskFile(file);
      if (task.warning !== undefined) print(task.warning);
      core.runTaskFile(task, (host) => follow(host, print));
    }
    if (options.untilLevel === true) return await untilLevel(core, files.length, signal, print);
    core.start();
    server = await serveHttp(core, folder, options, logger, print);
    if (core.taskCount() === 0) {
      print(
        'No protection yet. Connect a source and a target in the window, or try it on a pair of real servers there.',
      );
    }
    await untilAborted(signal);
    return 0;
  } catch (error) {
    print(toReplicationError(error).message);
    return 1;
  } finally {
    await server?.close();
    await core?.close();
  }
}

async function taskFiles(folder: DataFolder, named: readonly string[]): Promise<string[]> {
  const found = (await readdir(folder.tasksDirectory)).filter((name) => name.endsWith('.json')).sort();
  return [...found.map((name) => join(folder.tasksDirectory, name)), ...named];
}

/** A run with an end has no window: only the task files take part in it. */
async function untilLevel(core: Core, taskCount: number, signal: AbortSignal, print: Print): Promise<number> {
  if (taskCount === 0) {
    print('There is no task file to bring level. Name one with --task, or put it into the folder "tasks".');
    return 1;
  }
  await Promise.race([untilAborted(signal), Promise.all([...core.runner.hosts()].map((host) => host.whenLevel()))]);
  print(
    signal.aborted ? 'Stopped before all targets were level.' : 'Level: the targets hold all that was in the logs.',
  );
  return signal.aborted ? 1 : 0;
}

async function serveHttp(
  core: Core,
  folder: DataFolder,
  { host, port }: ServeOptions,
  logger: Logger,
  print: Print,
): Promise<HttpServer> {
  const { windowDirectory } = readProduct();
  // Loaded when the tasks run already: whoever waits for their first word waits less.
  const { startHttpServer } = await import('../http/http-server.ts');
  const server = await startHttpServer({
    host,
    port: port ?? (await choosePort(folder.directory)),
    dispatch: core.dispatch,
    hub: core.hub,
    access: new Access({ token: openAccessToken(folder.directory), sessions: core.sessions, logger }),
    logger,
    windowDirectory,
  });
  rememberPort(folder.directory, server.port);
  if (!isLoopback(host)) {
    print(`Warning: ${host} can be reached by others, and the line is not encrypted: put a proxy with TLS before it.`);
  }
  print(`Lifeline is at ${server.origin}/. Sign in with this link, once, within 15 minutes:`);
  print(`  ${server.newSignInLink()}`);
  return server;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Says each new trouble once, each change of state once, and now and then that all goes on. */
function follow(host: EngineHost, print: Print): void {
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
