/** What every phase of the bench works with. Whatever is measured begins on an idle lab. */
import type { Clusters } from '../../../shared/bench/bench-line.ts';
import { benchIdle, benchRows, type BenchRowsInput, type BenchRowsResult } from '../../engine/host/bench-jobs.ts';
import { DIMENSION, type BenchCluster } from './bench-cluster.ts';
import type { EtcdEndpoint } from '../../../shared/model/connection.ts';
import type { BenchPlan } from './bench-plan.ts';
import { median, round } from './statistics.ts';
import type { Subject } from './subject.ts';

export interface BenchContext {
  readonly plan: BenchPlan;
  readonly clusters: Clusters;
  /** Of both. */
  readonly etcds: readonly EtcdEndpoint[];
  readonly source: BenchCluster;
  readonly target: BenchCluster;
  readonly subject: Subject;
  readonly signal: AbortSignal;
  /** One line of progress. */
  readonly say: (text: string) => void;
  /** That the servers were still at work on what came before. */
  readonly onBusyStart: () => void;
}

/** Far above what any phase needs of one job: a bench that hangs must end some time. */
const JOB_MARGIN_MS = 10 * 60_000;
/** A machine that does other things as well is never idle. */
const IDLE = { lookMs: 1_000, limitMs: 90_000 };
const IDLE_QUICK = { lookMs: 100, limitMs: 1_000 };

/** Before each measurement: what is left of the one before would be charged to this one. */
export async function untilIdle({ plan, etcds, signal, onBusyStart }: BenchContext): Promise<void> {
  const waiting = plan.isQuick ? IDLE_QUICK : IDLE;
  if (!(await benchIdle({ etcds, ...waiting }, { timeoutMs: JOB_MARGIN_MS, signal }))) onBusyStart();
}

/** One request waits at the server while the next one is made. */
export const SOURCE_WRITERS = 2;

type Rows = Pick<BenchRowsInput, 'collections'> &
  Partial<Pick<BenchRowsInput, 'batchRows' | 'concurrency' | 'firstKey' | 'rowsMax' | 'durationMs' | 'rowsPerSecond'>>;

/** Writes rows into a cluster as fast as it takes them, unless told otherwise. */
export function writeRows(
  { plan, signal }: BenchContext,
  cluster: BenchCluster,
  rows: Rows,
  onRows?: (rows: number) => void,
): Promise<BenchRowsResult> {
  const input: BenchRowsInput = {
    milvus: cluster.endpoint,
    dimension: DIMENSION,
    batchRows: plan.batchRows,
    concurrency: SOURCE_WRITERS,
    firstKey: 1,
    ...rows,
  };
  const timeoutMs = (rows.durationMs ?? 0) + JOB_MARGIN_MS;
  return benchRows(input, { timeoutMs, signal, ...(onRows === undefined ? {} : { onRows }) });
}

/** A protection from the beginning to the end of `body`, whose collections are gone when it ends. */
export async function protecting<T>(
  { subject, clusters, source }: BenchContext,
  collections: readonly string[],
  body: () => Promise<T>,
  target: Clusters['target'] = clusters.target,
): Promise<T> {
  await subject.call('protect', { source: clusters.source, target });
  const result = await body();
  await source.drop(collections);
  // So that the next phase finds neither them nor writes of them.
  await subject.call('untilLevel');
  await subject.call('unprotect');
  return result;
}

export const perSecond = ({ rows, elapsedMs }: BenchRowsResult): number => (rows * 1_000) / elapsedMs;

const MILLION = 1_000_000;
export const perMillionRows = (cpuSeconds: number, rows: number): number => (cpuSeconds * MILLION) / Math.max(1, rows);

/** Median of the rounds' own, in CPU seconds for a million rows. */
export const machineCost = (rounds: readonly (readonly [cpuSeconds: number, rows: number])[]): number =>
  round(median(rounds.map(([cpuSeconds, rows]) => perMillionRows(cpuSeconds, rows))), 2);

export const thousands = (value: number): string => Math.round(value).toLocaleString('en-US');
