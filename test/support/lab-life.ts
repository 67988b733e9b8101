/**
 * A real source and target, one served task between them, and the ledger of all that is written into the source: what the
 * recovery suite does its damage to, and the judge that ends each case.
 */
import { join } from 'node:path';
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node';
import { expect } from 'vitest';
import { compareClusters } from '../../electron/core/drill/compare/compare-clusters.ts';
import type { ComparisonReport } from '../../electron/core/drill/compare/comparison-report.ts';
import { openMilvus } from '../../electron/core/drill/content/milvus-client.ts';
import { LedgerWriter } from '../../electron/core/drill/load/ledger.ts';
import type { LabWal } from '../../electron/core/lab/instance-record.ts';
import { startLab, type Lab, type LabOptions } from '../../electron/core/lab/lab.ts';
import { openDatabase } from '../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../electron/core/store/sqlite-task-store.ts';
import { STORE_FILE } from '../../shared/contract/desktop.ts';
import type { TargetConnection } from '../../shared/model/connection.ts';
import { asTaskId } from '../../shared/model/ids.ts';
import type { JoinCertificate } from '../../shared/model/task-history.ts';
import { PatientSession } from './lab-load.ts';
import { ProcessWatch, type ProcessFigures } from './lab-process.ts';
import { ServedTask } from './served-task.ts';

const TASK_ID = 'served';
const LEVEL_TIMEOUT_MS = 240_000;
/** Of the program's last words, with a failure. */
const LINES_SHOWN = 25;

export interface LifeOptions {
  readonly wal?: LabWal;
  readonly settings?: LabOptions['settings'];
  /** What stands between the task and the target; by default nothing. */
  readonly target?: (lab: Lab) => Promise<TargetConnection>;
}

export class LabLife implements AsyncDisposable {
  readonly lab: Lab;
  readonly task: ServedTask;
  readonly session: PatientSession;
  readonly #ledger: LedgerWriter;
  readonly #ledgerFile: string;
  readonly #watch: ProcessWatch;
  readonly #stopping: AbortController;
  readonly #pastLines: string[] = [];

  private constructor(
    lab: Lab,
    task: ServedTask,
    session: PatientSession,
    ledger: { readonly writer: LedgerWriter; readonly file: string },
    stopping: AbortController,
  ) {
    this.lab = lab;
    this.task = task;
    this.session = session;
    this.#ledger = ledger.writer;
    this.#ledgerFile = ledger.file;
    this.#watch = new ProcessWatch(task.directory);
    this.#stopping = stopping;
  }

  /** The task copies and then follows; it is not started. */
  static async begin({ wal, settings, target }: LifeOptions = {}): Promise<LabLife> {
    const lab = await startLab({ purpose: 'throwaway', wal, settings });
    try {
      const task = await ServedTask.create({
        taskId: TASK_ID,
        source: lab.source.asSource,
        target: (await target?.(lab)) ?? lab.target.asTarget,
        start: { kind: 'copy', mayLoad: true },
      });
      const file = join(lab.directory, 'ledger.jsonl');
      const writer = new LedgerWriter(file);
      writer.write({ op: 'start', version: 1, seed: 0 });
      const stopping = new AbortController();
      const session = await PatientSession.open(lab.source.asTarget.milvus, writer, stopping.signal);
      return new LabLife(lab, task, session, { writer, file }, stopping);
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** As after a power cut: killed, and at once begun again. */
  readonly killCore = async (): Promise<void> => {
    await this.task.kill();
    this.task.start();
  };

  readonly killTarget = (): Promise<void> => killAndStart(this.lab.target.instance);
  readonly killSource = (): Promise<void> => killAndStart(this.lab.source.instance);

  /** Of all runs of the program so far. */
  get coreFigures(): ProcessFigures {
    return this.#watch.figures;
  }

  /**
   * The task is stopped in order and brought level; then source, ledger and target must be equal by key and content, no key
   * twice.
   */
  async untilEqual(levelTimeoutMs?: number): Promise<ComparisonReport & { readonly levelMs: number }> {
    await this.task.stop();
    const startedMs = performance.now();
    await this.untilLevel(levelTimeoutMs);
    const levelMs = Math.round(performance.now() - startedMs);
    // Each case may be the last one.
    this.#ledger.write({ op: 'end' });
    const report = await compareClusters({
      source: this.lab.source.asTarget.milvus,
      target: this.lab.target.asTarget.milvus,
      ledgerFile: this.#ledgerFile,
      signal: this.#stopping.signal,
    });
    expect(report.differences, this.lastLines()).toEqual([]);
    expect(report.equal).toBe(true);
    expect(report.rowsSource).toBeGreaterThan(0);
    return { ...report, levelMs };
  }

  /** Fails at once where the task waits for a person. */
  async untilLevel(timeoutMs = LEVEL_TIMEOUT_MS): Promise<void> {
    // A run before this one may have said so too.
    this.#pastLines.push(...this.task.lines.splice(0));
    this.task.start('--until-level');
    const line = await this.task.line(/^Level: the targets hold|: (?:failed|held), \d/, timeoutMs);
    await this.task.stop();
    expect(line, this.lastLines()).toMatch(/^Level/);
  }

  /** What an application would count: rows of a collection of the database `default`, doubles included. */
  async countOnTarget(collection: string): Promise<number> {
    const connection = await openMilvus(this.lab.target.asTarget.milvus, 'target');
    try {
      const { data } = await connection.client.query({
        collection_name: collection,
        filter: '',
        output_fields: ['count(*)'],
        consistency_level: ConsistencyLevelEnum.Strong,
      });
      return Number(data[0]?.['count(*)']);
    } finally {
      await connection.close();
    }
  }

  lastLines(): string {
    return [...this.#pastLines, ...this.task.lines].slice(-LINES_SHOWN).join('\n');
  }

  /** The joins in the task's history, by collection. The program must not run. */
  joins(): readonly JoinCertificate[] {
    using database = openDatabase(join(this.task.directory, STORE_FILE));
    return new SqliteTaskStore(database, asTaskId(TASK_ID)).joins();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    this.#watch[Symbol.dispose]();
    await this.task[Symbol.asyncDispose]();
    await this.session.connection.close();
    this.#ledger.close();
    await this.lab.stop();
  }
}

/** A server as the lab has it. */
interface Killable {
  kill(): Promise<void>;
  start(): Promise<void>;
}

export async function killAndStart(server: Killable): Promise<void> {
  await server.kill();
  await server.start();
}
