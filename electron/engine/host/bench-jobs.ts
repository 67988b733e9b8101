/**
 * What `npm run bench` compares the product with: the engine's own requests and pages, with nothing of a task around
 * them. Each runs as a job, in a thread of its own.
 */
import type { EtcdEndpoint, MilvusEndpoint, SourceConnection } from '../../../shared/model/connection.ts';
import { runJob } from './job-host.ts';

export interface BenchRowsInput {
  readonly milvus: MilvusEndpoint;
  /** They take turns; each has an Int64 key `id` (field 100) and a vector `embedding` (101). */
  readonly collections: readonly string[];
  readonly dimension: number;
  readonly batchRows: number;
  /** Calls under way at once. */
  readonly concurrency: number;
  /** Keys count from here. */
  readonly firstKey: number;
  /** Ends with the first of the two that is reached. */
  readonly rowsMax?: number;
  readonly durationMs?: number;
  /** Evenly spread calls; absent: as fast as they are answered. */
  readonly rowsPerSecond?: number;
}

export interface BenchRowsResult {
  /** Acknowledged. */
  readonly rows: number;
  /** From the first call to the last answer. */
  readonly elapsedMs: number;
  /** Of all processes of the machine meanwhile. */
  readonly machineCpuSeconds: number;
}

export interface BenchPagesInput {
  readonly source: SourceConnection;
  readonly collection: string;
}

export type BenchPagesResult = BenchRowsResult;

export interface BenchIdleInput {
  /** Of every Milvus of the lab. */
  readonly etcds: readonly EtcdEndpoint[];
  /** Over which processors must be idle, twice in a row: between two pieces of work lie some hundred milliseconds. */
  readonly lookMs: number;
  readonly limitMs: number;
}

/** Keys, and the Unix ms at which the log's promise was read that nothing older than them follows. */
export type BenchTicks = readonly (readonly [key: number, atMs: number])[];

export interface BenchJobOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Rows so far, a few times a second. */
  readonly onRows?: (rows: number) => void;
}

/** Inserts rows as the engine would, from memory. @throws what the server refused; timeout. */
export async function benchRows(input: BenchRowsInput, options: BenchJobOptions): Promise<BenchRowsResult> {
  return (await runJob('bench-rows', input, jobOptions(options))) as BenchRowsResult;
}

/** Reads a loaded collection's rows as a copy would, and throws them away. @throws what the server refused; timeout. */
export async function benchPages(input: BenchPagesInput, options: BenchJobOptions): Promise<BenchPagesResult> {
  return (await runJob('bench-pages', input, jobOptions(options))) as BenchPagesResult;
}

/**
 * Reads a source's log from now on until the signal aborts, and tells when each inserted row's tick came: nothing that
 * keeps the log's order can write a row earlier. Rejects with the signal's reason. `onReading`: what comes from now on is read.
 */
export async function benchTicks(
  source: SourceConnection,
  { timeoutMs, signal }: Omit<BenchJobOptions, 'onRows'>,
  { onReading, onTicks }: { readonly onReading: () => void; readonly onTicks: (ticks: BenchTicks) => void },
): Promise<void> {
  const onProgress = (progress: unknown): void =>
    progress === 'reading' ? onReading() : onTicks(progress as BenchTicks);
  await runJob('bench-ticks', source, { timeoutMs, signal, onProgress });
}

/**
 * Waits until the servers have finished what earlier calls have left them to do.
 * @returns `false`: the limit was reached first. @throws what an etcd refused; timeout.
 */
export async function benchIdle(input: BenchIdleInput, options: BenchJobOptions): Promise<boolean> {
  return (await runJob('bench-idle', input, jobOptions(options))) as boolean;
}

const jobOptions = ({ timeoutMs, signal, onRows }: BenchJobOptions) => ({
  timeoutMs,
  signal,
  ...(onRows === undefined ? {} : { onProgress: (rows: unknown) => onRows(rows as number) }),
});
