/**
 * The core: the data folder's store and all services on it, behind one `dispatch` and one stream of events. Front doors
 * (HTTP, the shell's line) are given this and nothing else.
 */
import { join } from 'node:path';
import type { DataFolder } from '../data-folder.ts';
import { cacheDirectory } from '../lab/cache-directory.ts';
import { readProduct } from '../product.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import { openStore } from '../store/open-store.ts';
import type { SessionStore } from '../store/session-store.ts';
import { ConnectionService } from './connection-service.ts';
import { createDispatch, type Dispatch, type Handlers } from './contract.ts';
import { DrillService } from './drill-service.ts';
import { EventHub } from './event-hub.ts';
import { LabService } from './lab-service.ts';
import type { TaskFile } from './task-file.ts';
import { TaskOrders } from './task-orders.ts';
import { TaskScopes } from './task-scopes.ts';
import { TaskRunner } from './task-runner.ts';
import { TaskService } from './task-service.ts';

export interface CoreOptions {
  readonly folder: DataFolder;
  /** The unwrapped data key in base64, where the desktop's shell keeps it. */
  readonly dataKey?: string | undefined;
  readonly logLevel: string;
  readonly logger: Logger;
}

export interface Core {
  readonly dispatch: Dispatch;
  readonly hub: EventHub;
  /** Of browsers. */
  readonly sessions: SessionStore;
  /** Of the data folder: protections and task files. */
  readonly runner: TaskRunner;
  /** See `TaskService.runFile`. */
  runTaskFile(file: TaskFile, onStarted: (host: EngineHost) => void): void;
  taskCount(): number;
  /** Takes up the lab and every protection that should run. */
  start(): void;
  /** Stops tasks (checkpoints stored), a drill and the lab, then closes the store. May be called twice. */
  close(): Promise<void>;
}

/** @throws storeFailed: see `openStore`. Nothing runs before `start`. */
export function openCore({ folder, dataKey, logLevel, logger }: CoreOptions): Core {
  // Each task's thread loads its modules anew: compiled ones are loaded in two thirds of the time (Node reads this when it
  // starts a thread).
  process.env['NODE_COMPILE_CACHE'] ??= join(cacheDirectory(), 'compiled');
  const store = openStore(folder.directory, dataKey);
  const { version } = readProduct();
  const hub = new EventHub();
  const runner = new TaskRunner({ storeFile: folder.storeFile, logLevel, logger });
  const connections: ConnectionService = new ConnectionService({
    store: store.connections,
    hub,
    usersOf: (id) => tasks.usersOf(id),
    onChanged: (id) => tasks.restartUsersOf(id),
    logLevel,
  });
  const scopes = new TaskScopes({ connections, logger });
  const tasks = new TaskService({ store: store.protections, connections, runner, hub, logger, scopes });
  const orders = new TaskOrders({
    find: (id) => tasks.ordered(id),
    quarantineOf: (id) => store.protections.quarantine(id),
  });
  const lab = new LabService({
    directory: join(folder.directory, 'lab'),
    settings: store.settings,
    connections,
    hub,
    logger,
  });
  const drills = new DrillService({ hub, logLevel, logger });

  const handlers: Handlers = {
    'system.info': () => ({
      version,
      node: process.versions.node,
      platform: process.platform,
      dataDirectory: folder.directory,
      secrets: store.secretsKept,
    }),
    'connections.list': () => ({ connections: connections.list() }),
    'connections.save': (draft) => ({ connection: connections.save(draft) }),
    'connections.remove': ({ id }) => {
      connections.remove(id);
      return {};
    },
    'connections.test': async (draft) => ({ hops: await connections.test(draft) }),
    'connections.cancelTest': ({ testId }) => {
      connections.cancelTest(testId);
      return {};
    },
    'connections.oldestKept': ({ sourceId }) => connections.oldestKept(sourceId),
    'tasks.list': () => ({ tasks: tasks.list() }),
    'tasks.create': async (input) => ({ task: await tasks.create(input) }),
    'tasks.preview': (input) => tasks.preview(input),
    'tasks.select': async ({ id, selection }) => ({ task: await tasks.select(id, selection) }),
    'tasks.history': ({ id }) => tasks.history(id),
    'tasks.pause': ({ id }) => ({ task: tasks.pause(id) }),
    'tasks.resume': ({ id, ...options }) => ({ task: tasks.resume(id, options) }),
    'tasks.remove': async ({ id }) => {
      await tasks.remove(id);
      return {};
    },
    'tasks.retryCollection': async ({ id, collectionId }) => {
      await orders.retryCollection(id, collectionId);
      return {};
    },
    'tasks.recopy': async ({ id, collectionIds }) => {
      await orders.recopy(id, collectionIds);
      return {};
    },
    'tasks.copyBudget': async ({ id, budget }) => ({ task: await tasks.setCopyBudget(id, budget) }),
    'tasks.gapPolicy': ({ id, onGap }) => ({ task: tasks.setGapPolicy(id, onGap) }),
    'tasks.operationSettings': async ({ id, settings }) => ({ task: await tasks.setOperationSettings(id, settings) }),
    'tasks.operations': ({ id, collectionId }) => tasks.operations(id, collectionId),
    'tasks.decideOperation': async ({ id, operationId, decision }) => {
      await orders.decideOperation(id, operationId, decision);
      return {};
    },
    'tasks.quarantine': ({ id }) => ({ records: orders.quarantine(id) }),
    'tasks.quarantineRecord': ({ id, recordId }) => orders.quarantineRecord(id, recordId),
    'tasks.skipRecord': async ({ id, recordId, reason }) => {
      await orders.skipRecord(id, recordId, reason);
      return {};
    },
    'lab.get': () => ({ lab: lab.get() }),
    'lab.start': () => ({ lab: lab.start() }),
    'lab.stop': () => ({ lab: lab.stop() }),
    'lab.remove': () => ({ lab: lab.remove() }),
    'drill.get': () => ({ drill: drills.get() }),
    'drill.start': async (input) => ({ drill: await drills.start(input) }),
    'drill.cancel': () => ({ drill: drills.cancel() }),
  };

  const closeAll = async (): Promise<void> => {
    try {
      connections.close();
      scopes.close();
      // Tasks first: a task whose lab goes away under it would report troubles that nobody has.
      await Promise.all([tasks.close(), drills.close()]);
      await Promise.all([runner.stopAll(), lab.close()]);
    } finally {
      store[Symbol.dispose]();
    }
  };
  let closed: Promise<void> | undefined;

  return {
    dispatch: createDispatch(handlers, logger),
    hub,
    sessions: store.sessions,
    runner,
    runTaskFile: (file, onStarted) => tasks.runFile(file, onStarted),
    taskCount: () => tasks.list().length,
    start: () => {
      lab.takeUp();
      tasks.startAll();
    },
    close: () => (closed ??= closeAll()),
  };
}
