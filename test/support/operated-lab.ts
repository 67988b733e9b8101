/**
 * A real source and target, and operators: cores with data folders of their own, told what to do over HTTP as a window or
 * a program would. What is written into the source stands in a ledger; the judge compares the two sides.
 */
import { join } from 'node:path';
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node';
import { Etcd3 } from 'etcd3';
import { expect } from 'vitest';
import { compareClusters } from '../../electron/core/drill/compare/compare-clusters.ts';
import type { CollectionComparison, ComparisonReport } from '../../electron/core/drill/compare/comparison-report.ts';
import { openMilvus, type MilvusConnection } from '../../electron/core/drill/content/milvus-client.ts';
import { LedgerWriter } from '../../electron/core/drill/load/ledger.ts';
import { startLab, type Lab, type LabOptions } from '../../electron/core/lab/lab.ts';
import type { ProcedureInput } from '../../shared/contract/procedures.ts';
import type { CollectionStatus, TaskStatus } from '../../shared/model/task-status.ts';
import { nextEvent, whenLinked } from './contract-events.ts';
import { PatientSession } from './lab-load.ts';
import { startHttpCore, temporaryDataDirectory, type HttpCore } from './served-core.ts';

/** Far above what a few thousand rows take, an earlier engine's last writes awaited included. */
const STATE_TIMEOUT_MS = 120_000;

export class OperatedLab implements AsyncDisposable {
  readonly lab: Lab;
  /** Writes into the source; what it writes stands in the ledger. */
  readonly session: PatientSession;
  readonly target: MilvusConnection;
  readonly #ledger: LedgerWriter;
  readonly #ledgerFile: string;
  readonly #stopping: AbortController;
  readonly #operators: Operator[] = [];

  private constructor(
    lab: Lab,
    session: PatientSession,
    target: MilvusConnection,
    ledger: { readonly writer: LedgerWriter; readonly file: string },
    stopping: AbortController,
  ) {
    this.lab = lab;
    this.session = session;
    this.target = target;
    this.#ledger = ledger.writer;
    this.#ledgerFile = ledger.file;
    this.#stopping = stopping;
  }

  static async begin(settings?: LabOptions['settings']): Promise<OperatedLab> {
    const lab = await startLab({ purpose: 'throwaway', settings });
    try {
      const file = join(lab.directory, 'ledger.jsonl');
      const writer = new LedgerWriter(file);
      writer.write({ op: 'start', version: 1, seed: 0 });
      const stopping = new AbortController();
      const session = await PatientSession.open(lab.source.asTarget.milvus, writer, stopping.signal);
      const target = await openMilvus(lab.target.asTarget.milvus, 'target');
      return new OperatedLab(lab, session, target, { writer, file }, stopping);
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  /** Another core on the same two clusters, with a data folder of its own. Ends with the lab. */
  async operator(): Promise<Operator> {
    const operator = await Operator.begin(this.lab);
    this.#operators.push(operator);
    return operator;
  }

  /** Nothing may be written meanwhile. */
  async compare({ withLedger = true } = {}): Promise<ComparisonReport> {
    // Each comparison may be the last one.
    this.#ledger.write({ op: 'end' });
    return compareClusters({
      source: this.lab.source.asTarget.milvus,
      target: this.lab.target.asTarget.milvus,
      ...(withLedger ? { ledgerFile: this.#ledgerFile } : {}),
      signal: this.#stopping.signal,
    });
  }

  /** The end of each case: the same rows by key and content, no key twice. */
  async assertEqual(options?: { readonly withLedger?: boolean }): Promise<ComparisonReport> {
    const report = await this.compare(options);
    expect(report.differences).toEqual([]);
    expect(report.equal).toBe(true);
    expect(report.rowsSource).toBeGreaterThan(0);
    return report;
  }

  async comparisonOf(collection: string, options?: { readonly withLedger?: boolean }): Promise<CollectionComparison> {
    const { collections } = await this.compare(options);
    const found = collections.find((one) => one.collection === collection);
    if (found === undefined) throw new Error(`Neither side has ${collection}.`);
    return found;
  }

  /** Rows that fit, of a collection of the database `default` that is loaded there; doubles included. */
  async countOnTarget(collection: string, filter = ''): Promise<number> {
    const { data } = await this.target.client.query({
      collection_name: collection,
      filter,
      output_fields: ['count(*)'],
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    return Number(data[0]?.['count(*)']);
  }

  /** The etcd of one side. The caller closes it. */
  etcd(side: 'source' | 'target'): Etcd3 {
    return new Etcd3({ hosts: this.lab[side].asSource.etcd.endpoints.map((address) => `http://${address}`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    for (const operator of this.#operators) await operator[Symbol.asyncDispose]();
    await this.session.connection.close();
    await this.target.close();
    this.#ledger.close();
    await this.lab.stop();
  }
}

type NewTask = Omit<ProcedureInput<'tasks.create'>, 'sourceId' | 'targetId'>;

export class Operator implements AsyncDisposable {
  readonly core: HttpCore;
  readonly folder: string;
  readonly #ids: { readonly sourceId: string; readonly targetId: string };
  readonly #dispose: () => Promise<void>;

  private constructor(
    core: HttpCore,
    folder: string,
    ids: { readonly sourceId: string; readonly targetId: string },
    dispose: () => Promise<void>,
  ) {
    this.core = core;
    this.folder = folder;
    this.#ids = ids;
    this.#dispose = dispose;
  }

  static async begin({ source, target }: Pick<Lab, 'source' | 'target'>): Promise<Operator> {
    const directory = await temporaryDataDirectory();
    const core = await startHttpCore(directory.path);
    const dispose = async (): Promise<void> => {
      await core.stop();
      await directory[Symbol.asyncDispose]();
    };
    try {
      await whenLinked(core.client);
      const { client } = core;
      const { milvus, etcd, wal } = source.asSource;
      const asSource = await client.call('connections.save', { name: 'source', milvus, etcd, wal });
      const asTarget = await client.call('connections.save', { name: 'target', ...target.asTarget });
      const ids = { sourceId: asSource.connection.id, targetId: asTarget.connection.id };
      return new Operator(core, directory.path, ids, dispose);
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  /** @returns its id. */
  async create(task: NewTask): Promise<string> {
    const { task: made } = await this.core.client.call('tasks.create', { ...task, ...this.#ids });
    return made.id;
  }

  /** The last that was told. */
  async status(id: string): Promise<TaskStatus | undefined> {
    const { tasks } = await this.core.client.call('tasks.list', {});
    return tasks.find((task) => task.id === id)?.status;
  }

  /** The status as it is, or as soon as it fits. */
  async until(id: string, fits: (status: TaskStatus) => boolean, timeoutMs = STATE_TIMEOUT_MS): Promise<TaskStatus> {
    const told = nextEvent(
      this.core.client,
      'task.status',
      (event) => event.id === id && fits(event.status),
      timeoutMs,
    );
    // It may not be waited for in the end.
    told.catch(() => undefined);
    const now = await this.status(id);
    return now !== undefined && fits(now) ? now : (await told).status;
  }

  /** One collection of it. */
  async untilCollection(
    id: string,
    name: string,
    fits: (collection: CollectionStatus) => boolean,
    timeoutMs?: number,
  ): Promise<CollectionStatus> {
    const of = ({ collections }: TaskStatus) => collections.find((one) => one.name === name && fits(one));
    const found = of(await this.until(id, (status) => of(status) !== undefined, timeoutMs));
    if (found === undefined) throw new Error(`There is no ${name} any more.`);
    return found;
  }

  /** All that the source has acknowledged up to now is confirmed, in each of its collections. */
  async untilConfirmed(id: string, names?: readonly string[]): Promise<TaskStatus> {
    const sinceMs = Date.now();
    return this.until(id, ({ at, state, collections, operationsPending }) => {
      const some = collections.filter(({ name }) => names?.includes(name) ?? true);
      const isConfirmed = some.every((one) => one.state === 'following' && one.confirmedMs > sinceMs);
      const isWhole = names !== undefined || (state === 'following' && operationsPending === 0);
      return at > sinceMs && some.length > 0 && isConfirmed && isWhole;
    });
  }

  /** Paused for good: its engine has stopped. */
  async pause(id: string): Promise<void> {
    await this.core.client.call('tasks.pause', { id });
    await this.until(id, ({ state }) => state === 'paused');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dispose();
  }
}
