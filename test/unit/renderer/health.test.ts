import { describe, expect, it } from 'vitest';
import {
  byUrgency,
  canCopyAgain,
  collectionsOfGap,
  hasEnded,
  headroomLeftMs,
  otherEngine,
  takesOrders,
  type Headroom,
} from '../../../renderer/features/protections/health.ts';
import { collection, status, task } from '../../support/fake-states.ts';
import { inUseState } from '../../support/fake-troubles.ts';

const NOW = 1_800_000_000_000;
const channel = (name: string, parts: Partial<Headroom>): Headroom => ({
  channel: name,
  leftMs: null,
  level: 'ok',
  ...parts,
});

describe('the headroom', () => {
  it('counts at the present rate while it runs, and by the clock while it does not', () => {
    const one = channel('a', { leftMs: 5_000, keptUntilMs: NOW + 60_000 });
    expect(headroomLeftMs(one, true, NOW)).toBe(5_000);
    expect(headroomLeftMs(one, false, NOW)).toBe(60_000);
    expect(headroomLeftMs(one, false, NOW + 90_000)).toBe(0);
    expect(headroomLeftMs(channel('b', {}), true, NOW)).toBeUndefined();
    expect(headroomLeftMs(channel('b', {}), false, NOW)).toBeUndefined();
  });

  it('puts the most pressing channel first', () => {
    const all = [
      channel('endless', {}),
      channel('soon', { leftMs: 1 }),
      channel('low', { leftMs: 9_000, level: 'low' }),
      channel('critical', { level: 'critical' }),
    ];
    expect(byUrgency(all, true, NOW).map((one) => one.channel)).toEqual(['critical', 'low', 'soon', 'endless']);
  });
});

const trouble = (parts: object = {}) => ({
  error: { code: 'bug', side: 'internal', message: 'x', context: {}, causes: [] },
  hint: '',
  since: NOW,
  ...parts,
});

describe('orders', () => {
  it('are taken by a protection that runs, also while one of its collections has failed', () => {
    const failed = status('a', [collection('1', 'a', { state: 'failed', trouble: trouble() })], { state: 'failed' });
    expect(takesOrders(task('a', 'a', { status: failed }))).toBe(true);
    const blocked = { ...failed, trouble: trouble({ nextTryAt: NOW }) };
    expect(takesOrders(task('a', 'a', { status: blocked }))).toBe(true);
    const { error } = trouble();
    const asked = {
      ...failed,
      state: 'held' as const,
      trouble: trouble({ error: { ...error, code: 'decisionNeeded' } }),
    };
    expect(takesOrders(task('a', 'a', { status: asked }))).toBe(true);
  });

  it('are not taken by one that has ended, is paused, or has never been heard of', () => {
    const ended = task('a', 'a', { status: status('a', [], { state: 'failed', trouble: trouble() }) });
    expect(hasEnded(ended)).toBe(true);
    expect(takesOrders(ended)).toBe(false);
    expect(takesOrders(task('a', 'a', { status: status('a', []), desired: 'paused' }))).toBe(false);
    expect(takesOrders(task('a', 'a'))).toBe(false);
  });
});

it('copies again what stands or follows, and not what is being copied', () => {
  expect((['following', 'blocked', 'held', 'failed'] as const).every((state) => canCopyAgain({ state }))).toBe(true);
  expect((['copying', 'replaying', 'initializing'] as const).some((state) => canCopyAgain({ state }))).toBe(false);
});

it('finds the collections of a gap that still wait', () => {
  const gap = { channel: 'c', vchannels: [], collections: ['shop.a', 'shop.b'] };
  const collections = [collection('1', 'a', { state: 'held' }), collection('2', 'b', { state: 'copying' })];
  expect(collectionsOfGap(gap, [...collections, collection('3', 'c', { state: 'held' })])).toEqual(['1']);
});

it('names the other engine that the target is in use by', () => {
  expect(otherEngine(inUseState().tasks[0]!)).toMatchObject({ host: 'dr-2.example.com' });
  expect(otherEngine(task('a', 'a', { status: status('a', []) }))).toBeUndefined();
});
