import { expect, test } from 'vitest';
import { Stamps } from '../../../../../electron/engine/task/reconciler/stamps.ts';

test('a difference is due when the log is past its stamp and it is seen once more', () => {
  const stamps = new Stamps();
  expect(stamps.seen('a', 'x')).toBe('new');
  expect(stamps.seen('a', 'x')).toBe('waiting');
  expect(stamps.passed('a', 'x')).toBe(true);
  expect(stamps.seen('a', 'x')).toBe('due');
});

test('one that looks different by now begins anew, and an older stamp says nothing of it', () => {
  const stamps = new Stamps();
  stamps.seen('a', 'x');
  expect(stamps.seen('a', 'y')).toBe('new');
  expect(stamps.passed('a', 'x')).toBe(false);
  expect(stamps.seen('a', 'y')).toBe('waiting');
});

test('what a reading no longer shows is forgotten', () => {
  const stamps = new Stamps();
  stamps.seen('a', 'x');
  stamps.seen('b', 'x');
  stamps.keep(new Set(['b']));
  expect(stamps.size).toBe(1);
  expect(stamps.passed('a', 'x')).toBe(false);
});
