/**
 * A source that is written to without a pause: how fast its target follows, and how long event loops are kept from their
 * work meanwhile, which is what a person at the window would feel.
 */
import type { LagSummary } from '../../../../shared/bench/bench-line.ts';
import type { LoopDelay } from '../../../../shared/bench/loop-delay.ts';
import { perMillionRows, perSecond, protecting, untilIdle, writeRows, type BenchContext } from '../bench-context.ts';
import { round } from '../statistics.ts';
import type { Figures } from '../subject.ts';

const COLLECTION = 'bench_follow';
const SHARDS = 2;
/** The first seconds are those of a thread that has just started. */
const WARM_UP_MS = 2_000;

export interface FollowFigures {
  readonly rowsPerSecond: number;
  /** Taken by the source meanwhile. */
  readonly sourceRowsPerSecond: number;
  /** As the engine says: from the source's timestamp to the target's answer. */
  readonly lagMs: LagSummary;
  readonly cpuSecondsPerMillionRows: number;
}

export interface LoopFigures {
  readonly loopDelayMs: LoopDelay;
  /** Absent where none ran. */
  readonly shell?: Figures['shell'];
}

export async function measureFollow(
  context: BenchContext,
): Promise<{ readonly follow: FollowFigures; readonly loops: LoopFigures }> {
  const { plan, source, subject, say } = context;
  return protecting(context, [COLLECTION], async () => {
    await source.create([COLLECTION], SHARDS);
    await subject.call('untilLevel');
    await untilIdle(context);
    const warm = Promise.withResolvers<void>();
    const startedMs = performance.now();
    const seconds = plan.seconds + WARM_UP_MS / 1_000;
    const loading = writeRows(context, source, { collections: [COLLECTION], durationMs: seconds * 1_000 }, () => {
      if (performance.now() - startedMs >= WARM_UP_MS) warm.resolve();
    });
    // Should the load fail, that is the news.
    await Promise.race([warm.promise, loading]);
    await subject.measure();
    say(`Following for ${plan.seconds} s`);
    const loaded = await loading;
    const { core, shell } = await subject.report();
    return {
      follow: {
        rowsPerSecond: Math.round(core.rowsPerSecond),
        sourceRowsPerSecond: Math.round(perSecond(loaded)),
        lagMs: core.lagMs,
        cpuSecondsPerMillionRows: round(perMillionRows(core.cpuSeconds, core.rowsWritten), 2),
      },
      loops: { loopDelayMs: core.loopDelayMs, ...(shell === undefined ? {} : { shell }) },
    };
  });
}
