/**
 * How late an event loop comes to its work, measured by core and shell in one and the same way.
 *
 * `monitorEventLoopDelay` runs a timer every `LOOP_RESOLUTION_MS` and records the time from one run to the next. So an idle
 * loop shows the resolution itself, and a loop that was kept for 40 ms shows 40 to 45. It is left in on both sides: the
 * figures are those of Node, never too small, and are compared with a limit that is ten times the resolution.
 */

/** Finer costs the measured loop itself something; coarser is a large part of what it is to find. */
export const LOOP_RESOLUTION_MS = 5;
const NANOSECONDS_PER_MS = 1e6;

export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Of `perf_hooks`, in nanoseconds. */
export interface LoopHistogram {
  percentile(percentile: number): number;
  readonly max: number;
}

/** In milliseconds, the resolution included. */
export function readLoopDelay(histogram: LoopHistogram): LoopDelay {
  const ms = (nanoseconds: number): number => Math.round(nanoseconds / (NANOSECONDS_PER_MS / 100)) / 100;
  return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
}
