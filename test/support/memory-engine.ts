/**
 * The real engine between a source and a target in memory, its state in a real store on a file. One `MemoryTask` lives
 * through many engines: each may be stopped, or killed so that from one step on nothing of it reaches anything.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { asTaskId, type CollectionId, type VChannel } from '../../shared/model/ids.ts';
import { compareResumePoints, type Checkpoint } from '../../shared/model/position.ts';
import type { OperationDecision } from '../../shared/model/operation-event.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import type { QuarantinedRecord } from '../../shared/model/quarantine.ts';
import type { TimeTick } from '../../shared/time/time-tick.ts';
import type { CheckpointUpdate, StoredShard, TaskStore } from '../../shared/model/task-state.ts';
import type { TaskStatus } from '../../shared/model/task-status.ts';
import { openDatabase } from '../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../electron/core/store/sqlite-task-store.ts';
import { systemClock } from '../../electron/engine/runtime/clock.ts';
import { silentLogger } from '../../electron/engine/runtime/logger.ts';
import type { RightsKeeper, RightsReader } from '../../electron/engine/milvus/rights.ts';
import { RestartNeeded } from '../../electron/engine/task/restart-needed.ts';
import { TaskEngine } from '../../electron/engine/task/task-engine.ts';
import type { Content, MemorySource } from './memory-source.ts';
import { sorted } from './memory-source.ts';
import { MemoryKeys, MemoryRows } from './memory-rows.ts';
import type { NameMapping } from '../../shared/model/name-mapping.ts';
import type { Selection } from '../../shared/model/selection.ts';
import type { StartPoint } from '../../shared/model/start-point.ts';
import type { MemoryTarget } from './memory-target.ts';
import { VALUE_FIELD } from './wal-builder.ts';

/** Calls of the doubles end at once or never. */
const DRAIN_TIMEOUT_MS = 20;

/** Kept from before any test puts fake timers in its place. */
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout, setImmediate: realSetImmediate } = globalThis;

const TASK_ID = asTaskId('simulated');
/** Far above what anything here takes; only a hang gets there. */
const LIMIT_MS = 10_000;

/** Memory where there is such a folder: hundreds of stores are made, each with its transactions. */
const scratchFolder = (): string => mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lifeline-sim-'));

/** `promise`, or an error that says what was awaited. Real time, also under fake timers. */
export async function within<T>(promise: Promise<T>, what: string | (() => string), limitMs = LIMIT_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const describe = (): string => (typeof what === 'string' ? what : what());
    timer = realSetTimeout(() => reject(new Error(`Waited ${limitMs} ms in vain: ${describe()}.`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    realClearTimeout(timer);
  }
}

/** Asks again at every turn of the event loop. */
export async function until(isMet: () => boolean, what: string, limitMs = LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  while (!isMet()) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain: ${what}.`);
    await new Promise<void>((resolve) => realSetImmediate(resolve));
  }
}

/** Of the operations that a person is asked about, the newest first. */
export const waitingIds = (task: MemoryTask): string[] =>
  task.store.operations().flatMap(({ id, outcome }) => (outcome === 'waiting' && id !== undefined ? [id] : []));

/** Lets everything that can run without a timer run. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => realSetImmediate(resolve));
}

export class Killed extends Error {
  constructor() {
    super('killed');
    this.name = 'Killed';
  }
}

/** Counts the steps of one engine and ends it at one of them. */
export class Steps {
  count = 0;
  isDead = false;
  readonly names: string[] = [];
  readonly #killAt: number;
  readonly #stop: AbortController;

  constructor(stop: AbortController, killAt = Number.POSITIVE_INFINITY) {
    this.#stop = stop;
    this.#killAt = killAt;
  }

  take(what: string): void {
    if (this.isDead) throw new Killed();
    this.count += 1;
    this.names.push(what);
    if (this.count !== this.#killAt) return;
    this.isDead = true;
    this.#stop.abort(new Killed());
    throw new Killed();
  }
}

/** The same store, each writing call with a step before and after it. */
interface StoreWatcher {
  saved(update: CheckpointUpdate): void;
  pinned(shards: readonly StoredShard[]): void;
}

function stepped(store: TaskStore, steps: Steps, watcher: StoreWatcher): TaskStore {
  return new Proxy(store, {
    get: (found, name) => {
      if (name === 'load') return () => found.load();
      if (name === 'loadedForCopy') return found.loadedForCopy.bind(found);
      const value: unknown = Reflect.get(found, name, found);
      if (typeof value !== 'function') return value;
      if (name === 'operations' || name === 'operationDecisions') return value.bind(found) as unknown;
      const call = value as (...given: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        steps.take(`before ${String(name)}`);
        const result = call.apply(found, args);
        if (name === 'saveCheckpoints') watcher.saved(args[1] as CheckpointUpdate);
        if (name === 'beginCopy') watcher.pinned(args[1] as readonly StoredShard[]);
        steps.take(`after ${String(name)}`);
        return result;
      };
    },
  });
}

export interface RunningEngine {
  readonly steps: Steps;
  /** Settles when the engine has ended; never rejects. */
  readonly ended: Promise<unknown>;
  status(): TaskStatus;
  /** As its host does several times a second. */
  watch(): void;
  level(): Promise<void>;
  /** As the operator does. */
  retry(id: CollectionId): Promise<void>;
  recopy(...ids: CollectionId[]): Promise<void>;
  select(selection: Selection): Promise<void>;
  quarantine(): readonly QuarantinedRecord[];
  quarantinedBytes(id: string): Uint8Array;
  skip(id: string, reason: string): Promise<void>;
  decide(id: string, decision: OperationDecision): void;
  setOperations(settings: OperationSettings): void;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly killAt?: number;
  readonly budgetBytes?: number;
  readonly start?: StartPoint;
  readonly selection?: Selection;
  readonly mapping?: NameMapping;
  readonly operations?: OperationSettings;
  /** The source's address is not known. */
  readonly withoutRows?: boolean;
  readonly rights?: { readonly source: RightsReader; readonly target: RightsKeeper };
}

export class MemoryTask implements AsyncDisposable {
  readonly source: MemorySource;
  readonly target: MemoryTarget;
  readonly rows: MemoryRows;
  readonly keys: MemoryKeys;
  readonly store: SqliteTaskStore;
  /** Broken promises of the store, found while running. */
  readonly violations: string[] = [];
  /** How often an engine asked to be started over. */
  restarts = 0;
  readonly #folder = scratchFolder();
  readonly #database: DatabaseSync;
  readonly #running = new Set<RunningEngine>();

  constructor(source: MemorySource, target: MemoryTarget) {
    this.source = source;
    this.rows = new MemoryRows(source);
    this.target = target;
    this.keys = new MemoryKeys(target);
    this.#database = openDatabase(join(this.#folder, 'lifeline.db'));
    this.store = new SqliteTaskStore(this.#database, TASK_ID);
  }

  start({
    killAt,
    budgetBytes = 1 << 20,
    start = { kind: 'creation' },
    selection,
    mapping,
    ...rest
  }: StartOptions = {}): RunningEngine {
    let operations = rest.operations ?? {};
    const stop = new AbortController();
    const steps = new Steps(stop, killAt);
    /** A dead engine's calls reach nothing, nor do those it made last get their answers. */
    const alive = <T extends object>(part: T, prepare: () => void = () => undefined): T =>
      new Proxy(part, {
        get: (found, name) => {
          const value: unknown = Reflect.get(found, name, found);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]): unknown => {
            if (steps.isDead) return Promise.reject(new Killed());
            prepare();
            return (value as (...args: unknown[]) => unknown).apply(found, args);
          };
        },
      });
    const step = (what: string): void => steps.take(what);
    const target = alive(this.target, () => (this.target.step = step));
    const targetRows = alive(this.keys, () => (this.keys.step = step));
    const rows = alive(this.rows);
    const make = (): TaskEngine => {
      const made = new TaskEngine(
        {
          signInUser: 'lifeline',
          taskId: TASK_ID,
          rootPath: 'by-dev',
          walKind: 'memory',
          budgetBytes,
          start,
          ...(selection === undefined ? {} : { selection }),
          ...(mapping === undefined ? {} : { mapping }),
          drainTimeoutMs: DRAIN_TIMEOUT_MS,
        },
        {
          wal: this.source.wal,
          catalog: this.source.catalog,
          target,
          rows: rest.withoutRows === true ? undefined : rows,
          targetRows,
          rights: rest.rights && { source: alive(rest.rights.source), target: alive(rest.rights.target) },
          store: stepped(this.store, steps, {
            saved: (update) => this.#check(update.shards),
            pinned: (shards) => {
              for (const { vchannel } of shards) this.#copiedFrom.set(vchannel, this.source.now);
            },
          }),
          clock: systemClock,
          logger: silentLogger,
        },
      );
      made.setOperationSettings(operations);
      return made;
    };
    let engine = make();
    // As its host does: an engine that has changed its own beginnings is followed by another.
    const ended = (async (): Promise<unknown> => {
      for (;;) {
        try {
          await engine.run(stop.signal);
          return undefined;
        } catch (error) {
          if (!(error instanceof RestartNeeded)) return error;
          this.restarts += 1;
          engine = make();
        }
      }
    })();
    const level = async (): Promise<void> => {
      for (;;) {
        const asked = engine;
        try {
          await asked.whenLevel(stop.signal);
          return;
        } catch (error) {
          if (!(error instanceof RestartNeeded)) throw error;
          await until(() => engine !== asked || stop.signal.aborted, 'the engine to start over');
        }
      }
    };
    const running: RunningEngine = {
      steps,
      ended,
      status: () => engine.status(),
      watch: () => engine.watch(),
      level: () => within(level(), () => `level; ${JSON.stringify(engine.status())}`),
      retry: (id) => within(engine.retry(id), `retry of ${id}`),
      quarantine: () => engine.quarantine(),
      quarantinedBytes: (id) => engine.quarantinedBytes(id),
      skip: (id, reason) => within(engine.skip(id, reason), `${id} to be left out`),
      select: (to) => within(engine.select(to), 'the selection to be applied'),
      decide: (id, decision) => engine.decideOperation(id, decision),
      setOperations: (settings) => {
        operations = settings;
        engine.setOperationSettings(settings);
      },
      recopy: (...ids) => within(engine.recopy(ids), `recopy of ${ids.join()}`),
      stop: async () => {
        stop.abort(new Error('stopped by the test'));
        await within(ended, 'the engine to end after its stop');
        this.#running.delete(running);
      },
    };
    this.#running.add(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const running of [...this.#running]) await running.stop();
    } finally {
      this.#database.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** What the target holds, as the source's model puts it. */
  content(): Content {
    return describeTarget(this.target);
  }

  /** Up to there a shard's changes are part of what a copy has read. */
  readonly #copiedFrom = new Map<VChannel, TimeTick>();

  #lastShards = new Map<VChannel, Checkpoint>();

  /** A checkpoint never moves back, and everything up to it has been confirmed by the target. */
  #check(shards: ReadonlyMap<VChannel, Checkpoint>): void {
    for (const [vchannel, checkpoint] of shards) {
      const last = this.#lastShards.get(vchannel);
      if (
        last !== undefined &&
        (checkpoint.tick < last.tick || compareResumePoints(checkpoint.resume, last.resume) < 0)
      ) {
        this.violations.push(`The checkpoint of ${vchannel} moved back.`);
      }
      this.#lastShards.set(vchannel, checkpoint);
      for (const change of this.source.changes.get(vchannel) ?? []) {
        if (change.tick > checkpoint.tick) break;
        const isMoot =
          this.source.droppedCollections.has(change.collectionId) ||
          (change.partition !== undefined && this.source.droppedPartitions.has(change.partition.id));
        if (isMoot || change.tick <= (this.#copiedFrom.get(vchannel) ?? 0n)) continue;
        const origin = `${this.source.catalog.id}/${change.collectionId}`;
        const scope = change.hasPartitionKey ? '' : (change.partition?.name ?? '');
        const place = `${origin}/${scope}/${change.key}`;
        const isConfirmed =
          change.kind === 'insert'
            ? this.target.everWritten.has(`${place}/${change.value}`)
            : this.target.everDeleted.has(place) ||
              // Done by an Upsert, or by the Insert half that replaced it.
              [...this.target.everWritten].some((written) => written.startsWith(`${place}/`));
        if (!isConfirmed) {
          this.violations.push(
            `The checkpoint ${checkpoint.tick} of ${vchannel} passed an unconfirmed ${change.kind} of ${change.key}.`,
          );
        }
      }
    }
  }
}

export function describeTarget(target: MemoryTarget): Content {
  const content: Content = {};
  for (const [database, collections] of target.databases) {
    const held: Content[string] = (content[database] = {});
    for (const [name, collection] of collections) {
      held[name] = {
        partitions: Object.fromEntries(
          [...collection.partitions].map(([partition, rows]) => [partition, sorted(rows)]),
        ),
        indexes: [...collection.indexes].toSorted(),
        isLoaded: collection.isLoaded,
        shardCount: collection.shardCount,
        properties: Object.fromEntries(
          [...(collection.properties ?? [])].filter(([key]) => !key.startsWith('lifeline.')),
        ),
        valueSettings: Object.fromEntries(collection.settings?.get(VALUE_FIELD.name) ?? []),
        aliases: [...target.aliases]
          .filter(([key, id]) => id === collection.id && key.startsWith(`${database}.`))
          .map(([key]) => key.slice(key.indexOf('.') + 1))
          .toSorted(),
      };
    }
  }
  return content;
}
