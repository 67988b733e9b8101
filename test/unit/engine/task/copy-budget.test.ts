import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CopyAllowance } from '../../../../electron/engine/task/copy-budget.ts';

const never = new AbortController().signal;
const clock = { now: () => Date.now() };

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

/** Rows that are read in so many seconds, in pages of the allowance's size, by so many readers. */
async function rowsIn(allowance: CopyAllowance, seconds: number, readers = 1): Promise<number> {
  const stop = new AbortController();
  let rows = 0;
  const read = async (): Promise<void> => {
    for (;;) {
      await allowance.whenFree(stop.signal);
      const page = Math.min(8_000, allowance.pageSize().rowsMax ?? 8_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
      stop.signal.throwIfAborted();
      rows += page;
      allowance.spend(page, page * 100);
    }
  };
  const all = Array.from({ length: readers }, () => read().catch(() => undefined));
  await vi.advanceTimersByTimeAsync(seconds * 1000);
  stop.abort(new Error('enough'));
  await vi.advanceTimersByTimeAsync(10);
  await Promise.all(all);
  return rows;
}

describe('what copies may read', () => {
  it('has no limit where none was set', async () => {
    expect(await rowsIn(new CopyAllowance(clock), 1)).toBeGreaterThan(700_000);
  });

  it.each([1, 3])('is so many rows a second, for %i readers together', async (readers) => {
    const rows = await rowsIn(new CopyAllowance(clock, { rowsPerSecond: 1_000 }), 60, readers);
    expect(rows).toBeGreaterThan(58_000);
    expect(rows).toBeLessThan(62_000);
  });

  it('is so many bytes a second', async () => {
    const allowance = new CopyAllowance(clock, { bytesPerSecond: 100_000, rowsPerSecond: 100_000 });
    const rows = await rowsIn(allowance, 600);
    expect(rows / 600).toBeGreaterThan(900);
    expect(rows / 600).toBeLessThan(1_100);
  });

  it('may be changed while somebody waits', async () => {
    const allowance = new CopyAllowance(clock, { rowsPerSecond: 1 });
    allowance.spend(3_600, 1);
    let isFree = false;
    const waiting = allowance.whenFree(never).then(() => (isFree = true));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(isFree).toBe(false);
    allowance.set({ rowsPerSecond: 3_600 });
    await vi.advanceTimersByTimeAsync(1_001);
    expect(isFree).toBe(true);
    allowance.spend(1_000_000, 1);
    allowance.set({});
    await allowance.whenFree(never);
    await waiting;
  });

  it('ends its wait with the signal', async () => {
    const allowance = new CopyAllowance(clock, { rowsPerSecond: 1 });
    allowance.spend(100, 1);
    const stop = new AbortController();
    const waiting = allowance.whenFree(stop.signal);
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is read in small pages where it is small', () => {
    expect(new CopyAllowance(clock, { rowsPerSecond: 10 }).pageSize()).toEqual({ rowsMax: 5, bytesMax: undefined });
    expect(new CopyAllowance(clock, { rowsPerSecond: 1 }).pageSize().rowsMax).toBe(1);
  });

  it('is for two collections at once where nothing is said', () => {
    expect(new CopyAllowance(clock).collectionsAtOnce).toBe(2);
    expect(new CopyAllowance(clock, { collectionsAtOnce: 5 }).collectionsAtOnce).toBe(5);
  });
});
