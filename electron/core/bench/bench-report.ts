/** What the bench has found: as data for a file, and as a table for a person. */
import { LOOP_RESOLUTION_MS, type LoopDelay } from '../../../shared/bench/loop-delay.ts';
import { thousands } from './bench-context.ts';
import { DIMENSION } from './bench-cluster.ts';
import type { BenchPlan, PhaseName } from './bench-plan.ts';
import type { CatchUpFigures, RawFigures } from './phases/catch-up.ts';
import type { CollectionCost } from './phases/collections.ts';
import type { CopyFigures, ReadingFigures } from './phases/copy.ts';
import type { FollowFigures, LoopFigures } from './phases/follow.ts';
import type { LagFigures } from './phases/lag.ts';
import type { MemoryFigures } from './phases/memory.ts';
import type { Spread } from './statistics.ts';

/** A phase that was not run leaves its keys out. */
export interface BenchReport extends Partial<LagFigures>, Partial<MemoryFigures>, Partial<LoopFigures> {
  readonly version: 2;
  readonly wal: 'nats' | 'kafka';
  /** Figures of a quick run mean nothing. */
  readonly quick: boolean;
  readonly node: string;
  readonly processors: number;
  readonly rows: number;
  readonly rounds: number;
  readonly batchRows: number;
  readonly dimension: number;
  readonly seconds: number;
  raw?: RawFigures;
  reading?: ReadingFigures;
  catchUp?: CatchUpFigures;
  copy?: CopyFigures;
  follow?: FollowFigures;
  collections?: readonly CollectionCost[];
  /** Of catching up. */
  cpuSecondsPerMillionRows?: number;
  /** Of the core's process over the whole bench. */
  peakRssMiB?: number;
  readonly loopResolutionMs: number;
  /** The machine's load average over a minute, before and after each phase. */
  readonly load: Partial<Record<PhaseName, readonly [before: number, after: number]>>;
  /** Measurements that began while the servers were still at work on what came before. */
  busyStarts: number;
}

export function emptyReport(wal: BenchReport['wal'], plan: BenchPlan, processors: number): BenchReport {
  const { isQuick, rows, rounds, batchRows, seconds } = plan;
  return {
    version: 2,
    wal,
    quick: isQuick,
    node: process.versions.node,
    processors,
    ...{ rows, rounds, batchRows, dimension: DIMENSION, seconds },
    loopResolutionMs: LOOP_RESOLUTION_MS,
    load: {},
    busyStarts: 0,
  };
}

type Line = readonly [title: string, value: string];

const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
const rate = (value: number): string => `${thousands(value)} rows/s`;
const percent = (ratio: number): string => `${(ratio * 100).toFixed(0)} %`;
const lag = ({ p50, p99 }: Pick<Spread, 'p50' | 'p99'>): string => `p50 ${ms(p50)}, p99 ${ms(p99)}`;
const loop = (delay: LoopDelay): string => `${lag(delay)}, at most ${ms(delay.max)}`;
/** Servers, product or client together: with two processors busy all the time, 2 s of it pass in a second. */
const ALL = '  of all processes';
const whole = ({ machineCpuSecondsPerMillionRows: cost }: { readonly machineCpuSecondsPerMillionRows: number }) =>
  `${cost} CPU s per million rows`;

function linesOf(report: BenchReport): Line[] {
  const lines: Line[] = [];
  const add = <T>(value: T | undefined, ...of: readonly (readonly [string, (value: T) => string])[]): void => {
    if (value !== undefined) for (const [title, text] of of) lines.push([title, text(value)]);
  };
  const { shell } = report;
  add(report.reading, ['Reading alone', (reading) => rate(reading.rowsPerSecond)], [ALL, whole]);
  add(
    report.copy,
    ['Copy', (copy) => `${rate(copy.rowsPerSecond)}, ${percent(copy.ratioToRaw)} of reading alone`],
    ['  between first and last rows', (copy) => `${rate(copy.steadyRowsPerSecond)}, ${percent(copy.steadyRatioToRaw)}`],
    ['  CPU', (copy) => `${copy.cpuSecondsPerMillionRows} s per million rows`],
    [ALL, whole],
  );
  add(
    report.raw,
    ['Straight to the target', (raw) => `${rate(raw.insertRowsPerSecond)}, ${raw.concurrency} calls at once`],
    [ALL, whole],
  );
  add(
    report.catchUp,
    ['Catch-up', (work) => `${rate(work.rowsPerSecond)}, ${percent(work.ratioToRaw)} of that`],
    ['  between first and last rows', (work) => `${rate(work.steadyRowsPerSecond)}, ${percent(work.steadyRatioToRaw)}`],
    ['  first rows after', (work) => `${ms(work.firstRowsMs)}, level after ${ms(work.untilLevelMs)}`],
    ['  CPU', (work) => `${work.cpuSecondsPerMillionRows} s per million rows`],
    [ALL, whole],
  );
  add(
    report.follow,
    ['Follow', (follow) => `${rate(follow.rowsPerSecond)} (source takes ${rate(follow.sourceRowsPerSecond)})`],
    ['  lag under full load', (follow) => lag(follow.lagMs)],
    ['  CPU', (follow) => `${follow.cpuSecondsPerMillionRows} s per million rows`],
  );
  add(report.lagMs, ['Lag of single rows, 50/s', lag]);
  add(report.visibleLagMs, ['  until a search finds them', lag]);
  add(report.tickLagMs, ["  until the source's tick", lag]);
  add(report.ownLagMs, ["  from the tick to the target's answer", lag]);
  for (const cost of report.collections ?? []) {
    lines.push([
      `${cost.count} collection${cost.count === 1 ? '' : 's'}`,
      `${cost.cpuSecondsPerMillionRows} CPU s per million rows, ${cost.idleCpuPercent} % idle, ${cost.rssMiB} MiB, lag ${lag(cost.lagMs)}`,
    ]);
  }
  add(report.peakRssMiB, ['Peak memory of the core', (mib) => `${mib} MiB`]);
  add(report.rssSlopeMiBPerMin, [
    'Memory grows by',
    (mib) => `${mib} MiB/min, over ${report.slopeMinutes ?? 0} min${hint(report)}`,
  ]);
  add(report.loopDelayMs, ["Core's event loop late", (delay) => `${loop(delay)} (idle: ${LOOP_RESOLUTION_MS} ms)`]);
  add(shell, ["Shell's event loop late", (of) => `${loop(of.loopDelayMs)} (Electron ${of.electron}, Node ${of.node})`]);
  const loads = Object.values(report.load).flat();
  if (loads.length > 0) {
    const [least, most] = [Math.min(...loads), Math.max(...loads)].map((one) => one.toFixed(1));
    lines.push(["Machine's load average", `${least} to ${most} on ${report.processors} processors`]);
  }
  const { busyStarts } = report;
  if (busyStarts > 0) lines.push(['Not idle before', `${busyStarts} measurement${busyStarts === 1 ? '' : 's'}`]);
  return lines;
}

/** Below this a line through it is noise. */
const SLOPE_MINUTES_MIN = 10;

const hint = ({ slopeMinutes = 0 }: BenchReport): string =>
  slopeMinutes < SLOPE_MINUTES_MIN ? ', which is too short to mean much (--slope-minutes 15)' : '';

/** One line per figure. */
export function formatReport(report: BenchReport): string {
  const { wal, quick, rows, rounds, batchRows, dimension } = report;
  const lines: Line[] = [
    ['Log', wal],
    [
      'Rows',
      `${thousands(rows)} of ${dimension} floats in batches of ${thousands(batchRows)}, ${rounds} round${rounds === 1 ? '' : 's'}${quick ? '; quick: these figures mean nothing' : ''}`,
    ],
    ...linesOf(report),
  ];
  const width = Math.max(...lines.map(([title]) => title.length)) + 2;
  return lines.map(([title, value]) => `${title.padEnd(width)}${value}`).join('\n');
}
