/** From when on a log still keeps every change. */
import type { OldestKeptAnswer } from '../host/oldest-kept.ts';
import { TIME_TICK_ZERO, timeTickToMs } from '../../../shared/time/time-tick.ts';
import { oldestKept } from '../source/wal/oldest-kept.ts';
import type { Wal } from '../source/wal/wal.ts';

/** Of a log that has lost nothing since it was made, whatever broker keeps it. */
const FIRST_ORDINAL_MAX = 1n;

interface Kept {
  readonly shown: OldestKeptAnswer['perChannel'][number];
  /** Nothing was ever removed from it: it goes back to its own beginning, however late that was. */
  readonly isWhole: boolean;
}

/** One channel after the other: nobody waits for milliseconds here. @throws as the log's calls do. */
export async function keptSince(wal: Wal, signal: AbortSignal): Promise<OldestKeptAnswer> {
  const kept: Kept[] = [];
  for (const channel of await wal.listDataChannels()) {
    signal.throwIfAborted();
    const oldest = await oldestKept(wal, channel, signal);
    const hasTime = oldest !== undefined && oldest.tick !== TIME_TICK_ZERO;
    kept.push({
      shown: { channel, ...(hasTime ? { oldestMs: timeTickToMs(oldest.tick) } : {}) },
      isWhole: oldest !== undefined && oldest.ordinal <= FIRST_ORDINAL_MAX,
    });
  }
  const oldestMs = latestBeginning(kept);
  return {
    ...(oldestMs === undefined ? {} : { oldestMs }),
    perChannel: kept.map(({ shown }) => shown),
  };
}

/** Changes are complete from the latest beginning of those channels that have lost theirs; else from the earliest of all. */
function latestBeginning(kept: readonly Kept[]): number | undefined {
  const beginningsOf = (some: readonly Kept[]): number[] =>
    some.flatMap(({ shown: { oldestMs } }) => (oldestMs === undefined ? [] : [oldestMs]));
  const cut = beginningsOf(kept.filter(({ isWhole }) => !isWhole));
  if (cut.length > 0) return Math.max(...cut);
  const all = beginningsOf(kept);
  return all.length === 0 ? undefined : Math.min(...all);
}
