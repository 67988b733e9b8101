/** How fast a task copies the rows that are there, against the same reading with no target behind. The two take turns. */
import { benchPages, type BenchPagesResult } from '../../../engine/host/bench-jobs.ts';
import type { WorkFigures } from '../../../../shared/bench/bench-line.ts';
import { benchFailed } from '../bench-cluster.ts';
import {
  machineCost,
  perMillionRows,
  perSecond,
  thousands,
  untilIdle,
  writeRows,
  type BenchContext,
} from '../bench-context.ts';
import { median, round } from '../statistics.ts';

const COLLECTION = 'bench_copy';
const SHARDS = 2;
const READING_LIMIT_MS = 10 * 60_000;

export interface CopyFigures {
  /** From the first look at the source to the last confirmed row; the join is behind that. */
  readonly rowsPerSecond: number;
  /** To reading alone; the median of the rounds' own ratios. */
  readonly ratioToRaw: number;
  /** Between the first rows and the last. */
  readonly steadyRowsPerSecond: number;
  readonly steadyRatioToRaw: number;
  /** From the task's creation until it followed. */
  readonly untilJoinedMs: number;
  readonly cpuSecondsPerMillionRows: number;
  /** Of product and servers together. */
  readonly machineCpuSecondsPerMillionRows: number;
  readonly rounds: readonly number[];
}

export interface ReadingFigures {
  readonly rowsPerSecond: number;
  /** Of reader and server together. */
  readonly machineCpuSecondsPerMillionRows: number;
  readonly rounds: readonly number[];
}

export async function measureCopy(
  context: BenchContext,
): Promise<{ readonly reading: ReadingFigures; readonly copy: CopyFigures }> {
  const { plan, source, target, subject, clusters, signal, say } = context;
  say('Filling a collection of the source');
  await source.create([COLLECTION], SHARDS);
  await writeRows(context, source, { collections: [COLLECTION], rowsMax: plan.rows });
  await source.load(COLLECTION);

  const read = async (): Promise<BenchPagesResult> => {
    const input = { source: clusters.source, collection: COLLECTION };
    await untilIdle(context);
    const result = await benchPages(input, { timeoutMs: READING_LIMIT_MS, signal });
    if (result.rows !== plan.rows) throw benchFailed(`The source showed ${result.rows} rows of ${plan.rows}.`);
    return result;
  };
  const copy = async (): Promise<WorkFigures> => {
    await untilIdle(context);
    const work = await subject.call('copy', clusters);
    if (work.rowsWritten !== plan.rows) throw benchFailed(`The copy wrote ${work.rowsWritten} rows of ${plan.rows}.`);
    await subject.call('unprotect');
    await target.drop([COLLECTION]);
    return work;
  };
  if (!plan.isQuick) {
    say('Reading and copying once, uncounted');
    await read();
    await copy();
  }
  const pages: BenchPagesResult[] = [];
  const works: WorkFigures[] = [];
  for (let turn = 1; turn <= plan.rounds; turn += 1) {
    const result = await read();
    pages.push(result);
    say(`Round ${turn} of ${plan.rounds}: read ${thousands(perSecond(result))} rows/s`);
    const work = await copy();
    works.push(work);
    say(`Round ${turn} of ${plan.rounds}: copied ${thousands(rateOf(work))} rows/s`);
  }
  await source.drop([COLLECTION]);

  const reads = pages.map(perSecond);
  const of = (pick: (work: WorkFigures, index: number) => number): number => median(works.map(pick));
  return {
    reading: {
      rowsPerSecond: Math.round(median(reads)),
      machineCpuSecondsPerMillionRows: machineCost(pages.map((one) => [one.machineCpuSeconds, one.rows])),
      rounds: reads.map(Math.round),
    },
    copy: {
      rowsPerSecond: Math.round(of(rateOf)),
      ratioToRaw: round(
        of((work, turn) => rateOf(work) / (reads[turn] ?? Infinity)),
        3,
      ),
      steadyRowsPerSecond: of((work) => work.steadyRowsPerSecond),
      steadyRatioToRaw: round(
        of((work, turn) => work.steadyRowsPerSecond / (reads[turn] ?? Infinity)),
        3,
      ),
      untilJoinedMs: Math.round(of((work) => work.elapsedMs)),
      cpuSecondsPerMillionRows: round(
        of((work) => perMillionRows(work.cpuSeconds, work.rowsWritten)),
        2,
      ),
      machineCpuSecondsPerMillionRows: machineCost(works.map((one) => [one.machineCpuSeconds, one.rowsWritten])),
      rounds: works.map((work) => Math.round(rateOf(work))),
    },
  };
}

const rateOf = ({ rowsWritten, copyMs }: WorkFigures): number => (rowsWritten * 1_000) / (copyMs[0] ?? Infinity);
