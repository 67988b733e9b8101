/** What collections cost: the same load over more and more of them, and nothing to do at all. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LagSummary } from '../../../../shared/bench/bench-line.ts';
import { perMillionRows, protecting, untilIdle, writeRows, type BenchContext } from '../bench-context.ts';
import { round } from '../statistics.ts';

const SHARDS = 1;
const ROWS_PER_SECOND = 10_000;
const BATCH_ROWS = 500;
/** Of the phase's time, with nothing to do. */
const IDLE_PART = 0.25;

export interface CollectionCost {
  readonly count: number;
  readonly cpuSecondsPerMillionRows: number;
  /** Of one processor, with nothing to do. */
  readonly idleCpuPercent: number;
  readonly rssMiB: number;
  readonly lagMs: LagSummary;
}

export async function measureCollections(context: BenchContext): Promise<readonly CollectionCost[]> {
  const costs: CollectionCost[] = [];
  for (const count of context.plan.collectionCounts) costs.push(await costOf(context, count));
  return costs;
}

async function costOf(context: BenchContext, count: number): Promise<CollectionCost> {
  const { plan, source, subject, signal, say } = context;
  const names = Array.from({ length: count }, (_, index) => `bench_${count}_${index + 1}`);
  return protecting(context, names, async () => {
    say(`Making ${count} collections`);
    await source.create(names, SHARDS);
    await subject.call('untilLevel');
    await untilIdle(context);
    const timeMs = (plan.seconds * 1_000) / 2;
    say(`${count} collections, idle`);
    await subject.measure();
    await delay(timeMs * IDLE_PART, undefined, { signal });
    const idle = (await subject.report()).core;
    say(`${count} collections, ${ROWS_PER_SECOND} rows a second over all of them`);
    await subject.measure();
    await writeRows(context, source, {
      collections: names,
      batchRows: BATCH_ROWS,
      rowsPerSecond: ROWS_PER_SECOND,
      durationMs: timeMs,
    });
    await subject.call('untilLevel');
    const busy = (await subject.report()).core;
    return {
      count,
      cpuSecondsPerMillionRows: round(perMillionRows(busy.cpuSeconds, busy.rowsWritten), 2),
      idleCpuPercent: round((idle.cpuSeconds * 100_000) / idle.elapsedMs, 1),
      rssMiB: Math.round(busy.rss.at(-1)?.mib ?? 0),
      lagMs: busy.lagMs,
    };
  });
}
