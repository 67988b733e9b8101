import { describe, expect, it } from 'vitest';
import { median, percentile, slope, spread, steadyRate } from '../../../../electron/core/bench/statistics.ts';

describe('percentiles', () => {
  it('lie between two values where none is in the place', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(percentile([0, 100], 99)).toBe(99);
    expect(median([7])).toBe(7);
    expect(median([])).toBe(0);
  });

  it('sort by size, not by text', () => {
    expect(median([100, 9, 80])).toBe(80);
  });

  it('come as a summary with the largest and the number of values', () => {
    expect(spread([3, 1, 2])).toEqual({ p50: 2, p99: 3, max: 3, samples: 3 });
  });
});

describe('the slope of a line', () => {
  it('is what is added with each step, whatever it begins at', () => {
    expect(slope([1, 2, 3, 4].map((x) => [x, 250 + 0.5 * x] as const))).toBeCloseTo(0.5, 9);
  });

  it('is 0 where there is no line', () => {
    expect(slope([])).toBe(0);
    expect(slope([[1, 5]])).toBe(0);
  });
});

describe('the rate of a counter', () => {
  const samples = (...rows: number[]) => rows.map((count, index) => ({ atMs: index * 250, rows: count }));

  it('leaves out the start before the first rows and the time after the last', () => {
    expect(steadyRate(samples(0, 0, 100, 600, 1_100, 1_200, 1_200, 1_200))).toBe(2_000);
  });

  it('is 0 where it was read too rarely to say', () => {
    expect(steadyRate(samples(0, 0, 1_200, 1_200))).toBe(0);
    expect(steadyRate([])).toBe(0);
  });
});
