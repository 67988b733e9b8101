/**
 * How fast a task works off what gathered while it was paused, against a client that sends the same rows straight to the
 * target. The two take turns, so that what else happens on the machine meets both.
 */
import type { WorkFigures } from '../../../../shared/bench/bench-line.ts';
import type { BenchRowsResult } from '../../../engine/host/bench-jobs.ts';
import { benchFailed } from '../bench-cluster.ts';
import {
  machineCost,
  perMillionRows,
  perSecond,
  protecting,
  thousands,
  untilIdle,
  writeRows,
  type BenchContext,
} from '../bench-context.ts';
import { median, round } from '../statistics.ts';

const CONCURRENCIES = [1, 2, 4, 8] as const;
/** To find the best concurrency by, each of them twice. */
const TRIAL_PART = 4;
const SHARDS = 2;

export interface RawFigures {
  readonly insertRowsPerSecond: number;
  /** Of client and servers together. */
  readonly machineCpuSecondsPerMillionRows: number;
  readonly concurrency: number;
  /** What the choice was made by. */
  readonly byConcurrency: Readonly<Record<string, number>>;
  readonly rounds: readonly number[];
}

export interface CatchUpFigures {
  /** From resuming to the last confirmed row: the start of the task is part of it. */
  readonly rowsPerSecond: number;
  /** Median of the rounds' own ratios. */
  readonly ratioToRaw: number;
  /** Between the first rows and the last: without the start. */
  readonly steadyRowsPerSecond: number;
  readonly steadyRatioToRaw: number;
  readonly firstRowsMs: number;
  /** From resuming until the catalogue is known to be the same as well. */
  readonly untilLevelMs: number;
  readonly cpuSecondsPerMillionRows: number;
  /** Of product and servers together. */
  readonly machineCpuSecondsPerMillionRows: number;
  /** Of the last round. */
  readonly calls: Readonly<Record<string, number>>;
  readonly rounds: readonly number[];
}

export async function measureCatchUp(
  context: BenchContext,
): Promise<{ readonly raw: RawFigures; readonly catchUp: CatchUpFigures }> {
  const { plan, say } = context;
  const { byConcurrency, concurrency } = await findConcurrency(context);
  // Uncounted: the first one of each is slower, whatever is measured.
  if (!plan.isQuick) await catchUpOnce(context, 'bench_warm', Math.ceil(plan.rows / TRIAL_PART));
  const raws: BenchRowsResult[] = [];
  const works: WorkFigures[] = [];
  for (let turn = 1; turn <= plan.rounds; turn += 1) {
    const inserted = await insertRaw(context, `bench_raw_${turn}`, concurrency, plan.rows);
    raws.push(inserted);
    say(`Round ${turn} of ${plan.rounds}: straight to the target ${thousands(perSecond(inserted))} rows/s`);
    const work = await catchUpOnce(context, `bench_catch_up_${turn}`, plan.rows);
    works.push(work);
    say(`Round ${turn} of ${plan.rounds}: caught up with ${thousands(rateOf(work))} rows/s`);
  }
  const raw = raws.map(perSecond);
  const of = (pick: (work: WorkFigures, index: number) => number): number => median(works.map(pick));
  return {
    raw: {
      insertRowsPerSecond: Math.round(median(raw)),
      machineCpuSecondsPerMillionRows: machineCost(raws.map((one) => [one.machineCpuSeconds, one.rows])),
      concurrency,
      byConcurrency,
      rounds: raw.map(Math.round),
    },
    catchUp: {
      rowsPerSecond: Math.round(of(rateOf)),
      ratioToRaw: round(
        of((work, turn) => rateOf(work) / (raw[turn] ?? Infinity)),
        3,
      ),
      steadyRowsPerSecond: of((work) => work.steadyRowsPerSecond),
      steadyRatioToRaw: round(
        of((work, turn) => work.steadyRowsPerSecond / (raw[turn] ?? Infinity)),
        3,
      ),
      firstRowsMs: Math.round(of((work) => work.firstRowsMs)),
      untilLevelMs: Math.round(of((work) => work.elapsedMs)),
      cpuSecondsPerMillionRows: round(
        of((work) => perMillionRows(work.cpuSeconds, work.rowsWritten)),
        2,
      ),
      machineCpuSecondsPerMillionRows: machineCost(works.map((one) => [one.machineCpuSeconds, one.rowsWritten])),
      calls: works.at(-1)?.calls ?? {},
      rounds: works.map((work) => Math.round(rateOf(work))),
    },
  };
}

const rateOf = ({ rowsWritten, lastRowsMs }: WorkFigures): number => (rowsWritten * 1_000) / lastRowsMs;

async function findConcurrency(
  context: BenchContext,
): Promise<{ readonly byConcurrency: Record<string, number>; readonly concurrency: number }> {
  const rows = Math.ceil(context.plan.rows / TRIAL_PART);
  const rates = new Map<number, number[]>();
  // There and back, so that none has the advantage of its place.
  const back = context.plan.isQuick ? [] : CONCURRENCIES.toReversed();
  for (const concurrency of [...CONCURRENCIES, ...back]) {
    context.say(`Looking for the client's best concurrency: ${concurrency}`);
    const rate = perSecond(await insertRaw(context, 'bench_trial', concurrency, rows));
    rates.set(concurrency, [...(rates.get(concurrency) ?? []), rate]);
  }
  const byConcurrency: Record<string, number> = {};
  let best = { concurrency: 1, rate: 0 };
  for (const [concurrency, found] of rates) {
    const rate = median(found);
    byConcurrency[String(concurrency)] = Math.round(rate);
    if (rate > best.rate) best = { concurrency, rate };
  }
  return { byConcurrency, concurrency: best.concurrency };
}

async function insertRaw(
  context: BenchContext,
  name: string,
  concurrency: number,
  rows: number,
): Promise<BenchRowsResult> {
  const { target } = context;
  await target.create([name], SHARDS);
  await untilIdle(context);
  const result = await writeRows(context, target, { collections: [name], concurrency, rowsMax: rows });
  await target.drop([name]);
  return result;
}

async function catchUpOnce(context: BenchContext, name: string, rows: number): Promise<WorkFigures> {
  const { source, subject } = context;
  return protecting(context, [name], async () => {
    await source.create([name], SHARDS);
    // It has written before, as one that is paused has; what an orderly stop leaves behind is part of its start.
    await writeRows(context, source, { collections: [name], rowsMax: context.plan.batchRows });
    await subject.call('untilLevel');
    await subject.call('pause');
    await writeRows(context, source, { collections: [name], rowsMax: rows, firstKey: context.plan.batchRows + 1 });
    await untilIdle(context);
    const work = await subject.call('catchUp');
    if (work.rowsWritten !== rows) throw benchFailed(`The task wrote ${work.rowsWritten} rows for ${rows}.`);
    return work;
  });
}
