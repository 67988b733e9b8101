/** The few sums that the bench's figures are made of. */

/** 0 of none. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value below which so many percent lie; between two of them, what lies between. 0 of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? 0;
  return below + (above - below) * (place - Math.floor(place));
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

export const spread = (values: readonly number[]): Spread => ({
  p50: round(percentile(values, 50), 1),
  p99: round(percentile(values, 99), 1),
  max: round(percentile(values, 100), 1),
  samples: values.length,
});

/** Least squares: how much `y` grows with 1 of `x`. 0 where nothing can be said. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / Math.max(1, points.length);
  const meanX = mean(([x]) => x);
  const meanY = mean(([, y]) => y);
  const covariance = mean(([x, y]) => (x - meanX) * (y - meanY));
  const variance = mean(([x]) => (x - meanX) ** 2);
  return variance === 0 ? 0 : covariance / variance;
}

/**
 * Rows per second of a counter that was read now and then, from its first rows to its last: what was written before the
 * first reading, and the time after the last row, do not count. 0 where it was read too rarely to say.
 */
export function steadyRate(samples: readonly { readonly atMs: number; readonly rows: number }[]): number {
  const last = samples.at(-1)?.rows ?? 0;
  const from = samples.find(({ rows }) => rows > 0);
  const moving = samples.filter(({ rows }) => rows > 0 && rows < last);
  const to = moving.at(-1);
  if (from === undefined || to === undefined || to.atMs <= from.atMs) return 0;
  return ((to.rows - from.rows) * 1_000) / (to.atMs - from.atMs);
}

export function round(value: number, digits: number): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}
