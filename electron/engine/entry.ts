/** The worker thread of one task: makes the parts, runs the engine, and reports. The only place that knows them all. */
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { asTaskId, type CollectionId } from '../../shared/model/ids.ts';
import type { MilvusEndpoint } from '../../shared/model/connection.ts';
import { toReplicationError } from '../../shared/model/replication-error.ts';
import { openDatabase } from '../core/store/database.ts';
import { SqliteTaskStore } from '../core/store/sqlite-task-store.ts';
import type { FromWorker, ToWorker, WorkerInput } from './host/task-messages.ts';
import { openMilvusRights } from './milvus/milvus-rights.ts';
import { performOrder } from './perform-order.ts';
import { systemClock } from './runtime/clock.ts';
import { openEtcdCatalog } from './source/catalog/etcd-catalog.ts';
import { openPropertiesShown, withShownProperties } from './source/catalog/shown-properties.ts';
import { openMilvusRowSource } from './source/rows/milvus-row-source.ts';
import { openWal } from './source/wal/open-wal.ts';
import { openMilvusTarget } from './target/milvus-target.ts';
import { RestartNeeded } from './task/restart-needed.ts';
import { newRun } from './task/run-lease.ts';
import { TaskEngine } from './task/task-engine.ts';

/** Often enough for a window to look alive, rare enough to cost nothing with 500 collections. */
const STATUS_INTERVAL_MS = 250;

const port = parentPort;
if (port === null) throw new Error('The engine runs as a worker thread, started by the core.');
const { spec, storeFile, logLevel, takeOver } = workerData as WorkerInput;
const logger = pino({ level: logLevel, base: { task: spec.taskId } }, pino.destination(2));
const send = (message: FromWorker): void => port.postMessage(message);
const stop = new AbortController();

/** A token may be user and password in one, as Milvus takes it. */
function userOf({ username, token }: MilvusEndpoint): string | undefined {
  const user =
    token === undefined || token === '' ? username : token.split(':', 2).length === 2 ? token.split(':')[0] : '';
  return user === '' ? undefined : user;
}

async function runTask(): Promise<void> {
  using database = openDatabase(storeFile);
  const wal = await openWal(spec.source.wal, logger);
  const target = openMilvusTarget(spec.target.milvus, { logger });
  const rows = spec.source.milvus === undefined ? undefined : openMilvusRowSource(spec.source.milvus);
  const targetRows = openMilvusRowSource(spec.target.milvus, 'target');
  const etcd = openEtcdCatalog(spec.source.etcd);
  const catalog =
    spec.source.milvus === undefined
      ? etcd
      : withShownProperties(etcd, openPropertiesShown(spec.source.milvus), logger);
  const sourceRights = spec.source.milvus === undefined ? undefined : openMilvusRights(spec.source.milvus, 'source');
  const rights = { source: sourceRights, target: openMilvusRights(spec.target.milvus, 'target') };
  const store = new SqliteTaskStore(database, asTaskId(spec.taskId));
  const engine = new TaskEngine(
    {
      taskId: spec.taskId,
      rootPath: spec.source.etcd.rootPath,
      walKind: spec.source.wal.kind,
      budgetBytes: spec.readBudgetBytes,
      start: spec.start ?? (rows === undefined ? { kind: 'creation' } : { kind: 'copy', mayLoad: false }),
      ...(spec.selection === undefined ? {} : { selection: spec.selection }),
      ...(spec.mapping === undefined ? {} : { mapping: spec.mapping }),
      run: newRun(dirname(storeFile), systemClock),
      guard: { takesOver: takeOver },
      signInUser: userOf(spec.target.milvus),
    },
    {
      wal,
      catalog,
      target,
      rows,
      targetRows,
      rights,
      store,
      clock: systemClock,
      logger,
    },
  );
  engine.setCopyBudget(spec.copyBudget);
  engine.setOperationSettings(spec.operations);
  const sendStatus = (): void => send({ kind: 'status', status: engine.status() });
  const timer = setInterval(() => {
    engine.watch();
    sendStatus();
  }, STATUS_INTERVAL_MS);
  const schemaOf = (id: CollectionId) => store.load()?.collections.find((collection) => collection.id === id)?.schema;
  const onMessage = (message: ToWorker): void => {
    if (message.kind === 'stop') stop.abort(new Error('The task was stopped.'));
    else if (message.kind === 'whenLevel') void answerLevel(engine, message.request);
    else void answerOrder(performOrder(engine, message.order, schemaOf), message.request);
  };
  port?.on('message', onMessage);
  try {
    await engine.run(stop.signal);
  } finally {
    clearInterval(timer);
    sendStatus();
    port?.off('message', onMessage);
    await Promise.allSettled([
      catalog.close(),
      wal.close(),
      target.close(),
      rows?.close(),
      targetRows.close(),
      rights.source?.close(),
      rights.target.close(),
    ]);
  }
}

async function answerOrder(work: Promise<unknown>, request: number): Promise<void> {
  try {
    send({ kind: 'answer', request, result: await work });
  } catch (error) {
    send({ kind: 'answer', request, error: toReplicationError(error).toData() });
  }
}

async function answerLevel(engine: TaskEngine, request: number): Promise<void> {
  try {
    await engine.whenLevel(stop.signal);
    send({ kind: 'level', request });
  } catch (error) {
    // The host asks the next thread again.
    if (error instanceof RestartNeeded) return;
    send({ kind: 'level', request, error: toReplicationError(error).toData() });
  }
}

try {
  await runTask();
  send({ kind: 'ended' });
} catch (error) {
  if (error instanceof RestartNeeded) {
    logger.info({ reason: error.message }, 'The task starts over.');
  } else {
    const failure = toReplicationError(error);
    // What the outside world or the settings did needs no stack; a defect of ours does.
    logger.error(
      failure.code === 'bug' ? { err: error } : { code: failure.code, side: failure.side },
      'The task ended.',
    );
    send({ kind: 'ended', error: failure.toData() });
  }
}
