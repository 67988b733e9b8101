import { describe, expect, it } from 'vitest';
import {
  describe as describeTask,
  remember,
  sampleOf,
  type Memory,
  copyProgress,
  percentOf,
} from '../../../renderer/features/protections/protection-view.ts';
import { summaryOf } from '../../../renderer/features/overview/summary.ts';
import { collection, status, task } from '../../support/fake-states.ts';

const NOW = 1_800_000_000_000;

const at = (atMs: number, rows: number) =>
  status('a', [collection('1', 'orders', { confirmedMs: atMs - 400, rowsWritten: rows })], {
    at: atMs,
    rowsDeleted: 0,
  });

function memoryOf(...points: readonly [number, number][]): Memory {
  let samples: Memory['samples'] = [];
  for (const [atMs, rows] of points) samples = remember(samples, sampleOf(at(atMs, rows)));
  return { samples, heardAt: NOW };
}

const shown = (parts: Parameters<typeof task>[2], memory: Memory | undefined = { samples: [], heardAt: NOW }) =>
  describeTask(task('a', 'orders', parts), memory, NOW);

describe('the state', () => {
  it('is initializing before anything was heard', () => {
    expect(shown({}).state).toBe('initializing');
  });

  it('is paused when that was asked for, whatever was heard last', () => {
    expect(shown({ desired: 'paused', status: at(NOW, 5) }).state).toBe('paused');
  });

  it('is initializing after a resume until something new is heard', () => {
    expect(shown({ status: { ...at(NOW, 5), state: 'paused' } }).state).toBe('initializing');
  });

  it('is idle only where the source writes nothing and the target has everything', () => {
    const idle = { ...at(NOW, 5), source: { activity: 'idle' as const, sinceMs: NOW - 30_000 } };
    expect(shown({ status: idle }).state).toBe('idle');
    expect(shown({ status: at(NOW, 5) }).state).toBe('following');
    // It writes nothing now, but what it wrote is not all there.
    expect(shown({ status: { ...idle, isInSync: false } }).state).toBe('following');
    const silent = { ...idle, source: { activity: 'silent' as const }, isInSync: false };
    expect(shown({ status: silent }).state).toBe('following');
  });
});

describe('the RPO', () => {
  it('is that of the collection furthest behind', () => {
    const both = [collection('1', 'a', { confirmedMs: NOW - 400 }), collection('2', 'b', { confirmedMs: NOW - 9000 })];
    expect(shown({ status: status('a', both, { at: NOW }) }).rpoMs).toBe(9000);
  });

  it('is unknown while one collection has confirmed nothing, or there is none', () => {
    const both = [collection('1', 'a', { confirmedMs: NOW }), collection('2', 'b', { confirmedMs: 0 })];
    expect(shown({ status: status('a', both, { at: NOW }) }).rpoMs).toBeUndefined();
    expect(shown({ status: status('a', [], { at: NOW }) }).rpoMs).toBeUndefined();
  });

  it('grows while nothing is heard', () => {
    expect(shown({ status: at(NOW, 5) }, { samples: [], heardAt: NOW - 60_000 }).rpoMs).toBe(60_400);
  });

  it('grows by the clock while it is paused, however long ago the last word was', () => {
    const paused = { ...at(NOW - 3_600_000, 5), state: 'paused' as const };
    expect(shown({ desired: 'paused', status: paused }).rpoMs).toBe(3_600_400);
  });

  it('is what the core counts by the source’s clock, not a difference of two clocks', () => {
    const told = at(NOW, 5);
    expect(shown({ status: { ...told, lagMs: { ...told.lagMs, now: 1_500 } } }).rpoMs).toBe(1_500);
  });

  it('does not depend on the clocks of window and core being equal', () => {
    const hourAhead = at(NOW + 3_600_000, 5);
    expect(shown({ status: hourAhead }).rpoMs).toBe(400);
  });
});

describe('the rate', () => {
  it('is unknown after one figure and measured after two', () => {
    expect(shown({ status: at(NOW, 5) }, memoryOf([NOW, 5])).rates).toBeUndefined();
    expect(shown({ status: at(NOW, 505) }, memoryOf([NOW - 2000, 5], [NOW, 505])).rates?.rows).toBe(250);
  });

  it('begins afresh when the counters do', () => {
    expect(memoryOf([NOW - 4000, 900], [NOW - 2000, 1000], [NOW, 3]).samples).toHaveLength(1);
  });

  it('is not shown of what is paused', () => {
    const memory = memoryOf([NOW - 2000, 5], [NOW, 505]);
    expect(shown({ desired: 'paused', status: at(NOW, 505) }, memory).rates).toBeUndefined();
  });
});

describe('all protections in one sentence', () => {
  it('is nothing without protections', () => {
    expect(summaryOf([])).toBeUndefined();
  });

  it('is safe with the worst RPO when all follow', () => {
    expect(summaryOf([shown({ status: at(NOW, 1) })])).toMatchObject({ kind: 'safe', total: 1, rpoMs: 400 });
  });

  it('names the worst when one does not follow', () => {
    const paused = shown({ desired: 'paused' });
    const failed = shown({ status: { ...at(NOW, 1), state: 'failed' } });
    const found = summaryOf([shown({ status: at(NOW, 1) }), paused, failed]);
    expect(found).toMatchObject({ kind: 'attention', total: 3, followingCount: 1 });
    expect(found?.worst).toBe(failed);
  });
});

it('follows only once every collection does', () => {
  const following = at(NOW, 1);
  const with_ = (state: 'copying' | 'replaying'): string =>
    shown({ status: { ...following, collections: [...following.collections, collection('9', 'z', { state })] } }).state;
  expect(with_('copying')).toBe('copying');
  expect(with_('replaying')).toBe('replaying');
});

describe('a copy', () => {
  const copying = (rowsCopied: number, rowsTotal?: number, sourceDoubles = 0) =>
    collection('1', 'a', {
      state: 'copying',
      copy: { rowsCopied, sourceDoubles, ...(rowsTotal === undefined ? {} : { rowsTotal }) },
    });

  it('is as far as its rows are, without those that share a key', () => {
    const progress = copyProgress([copying(30, 110, 10), copying(20, 100), collection('2', 'b')]);
    expect(progress).toEqual({ copied: 50, total: 200 });
    expect(percentOf(progress!)).toBe(25);
  });

  it('has no share while something has not been counted, and is not done before it is over', () => {
    expect(percentOf(copyProgress([copying(30), copying(20, 100)])!)).toBeUndefined();
    expect(percentOf(copyProgress([copying(100, 90)])!)).toBe(99);
    expect(copyProgress([collection('2', 'b')])).toBeUndefined();
  });
});
