/** Whether memory grows: an even load for as long as is asked for, and the line through what the core takes meanwhile. */
import { protecting, untilIdle, writeRows, type BenchContext } from '../bench-context.ts';
import { round, slope } from '../statistics.ts';

const COLLECTION = 'bench_memory';
const SHARDS = 2;
/** A quarter of an hour of it fits a small disk. */
const ROWS_PER_SECOND = 4_000;
const MS_PER_MINUTE = 60_000;
/** Pools fill and heaps grow to their size at first. */
const SETTLING_PART = 0.25;

export interface MemoryFigures {
  readonly rssSlopeMiBPerMin: number;
  /** That it was measured over; a line through a minute or two says little. */
  readonly slopeMinutes: number;
}

export async function measureMemory(context: BenchContext): Promise<MemoryFigures> {
  const { plan, source, subject, say } = context;
  return protecting(context, [COLLECTION], async () => {
    await source.create([COLLECTION], SHARDS);
    await subject.call('untilLevel');
    await untilIdle(context);
    say(`An even load for ${plan.slopeMinutes} min`);
    await subject.measure();
    await writeRows(context, source, {
      collections: [COLLECTION],
      rowsPerSecond: ROWS_PER_SECOND,
      durationMs: plan.slopeMinutes * MS_PER_MINUTE,
    });
    const { rss } = (await subject.report()).core;
    const settled = rss.slice(Math.floor(rss.length * SETTLING_PART));
    const line = slope(settled.map(({ atMs, mib }) => [atMs / MS_PER_MINUTE, mib] as const));
    return { rssSlopeMiBPerMin: round(line, 2), slopeMinutes: plan.slopeMinutes };
  });
}
