import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Throttle } from '../../../../electron/core/services/throttle.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('a throttle', () => {
  it('lets the first pass at once, then the newest of each interval', () => {
    const passed: number[] = [];
    const throttle = new Throttle<number>(250, (value) => passed.push(value));
    for (let at = 0; at < 10; at += 1) {
      throttle.offer(at);
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(1_000);
    expect(passed[0]).toBe(0);
    expect(passed.at(-1)).toBe(9);
    expect(passed.length).toBeLessThanOrEqual(5);
  });

  it('lets one that comes after a pause pass at once', () => {
    const passed: number[] = [];
    const throttle = new Throttle<number>(250, (value) => passed.push(value));
    throttle.offer(1);
    vi.advanceTimersByTime(300);
    throttle.offer(2);
    expect(passed).toEqual([1, 2]);
  });

  it('drops what waits when it is reset', () => {
    const passed: number[] = [];
    const throttle = new Throttle<number>(250, (value) => passed.push(value));
    throttle.offer(1);
    throttle.offer(2);
    throttle.reset();
    throttle.offer(3);
    vi.advanceTimersByTime(1_000);
    expect(passed).toEqual([1, 3]);
  });
});
