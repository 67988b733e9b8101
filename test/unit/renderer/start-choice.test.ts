import { expect, it } from 'vitest';
import { defaultStart, isTimeAhead, toStartPoint } from '../../../renderer/features/protections/start-choice.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const NOTHING = { mayLoad: false, time: '', positions: '' };

it('is a copy where rows can be read, and the whole log where they cannot', () => {
  expect(toStartPoint(defaultStart(true), true, NOW)).toEqual({ kind: 'copy', mayLoad: false });
  expect(toStartPoint(defaultStart(false), false, NOW)).toEqual({ kind: 'creation' });
});

it('is nothing as long as a copy is impossible or a time is missing', () => {
  expect(toStartPoint(defaultStart(true), false, NOW)).toBeUndefined();
  expect(toStartPoint({ ...NOTHING, kind: 'time' }, true, NOW)).toBeUndefined();
});

it('takes the time as the person’s own clock has it, and none that lies ahead', () => {
  const past = { ...NOTHING, kind: 'time', time: '2026-01-02T03:04' } as const;
  expect(toStartPoint(past, true, NOW)).toEqual({ kind: 'time', unixMs: new Date(2026, 0, 2, 3, 4).getTime() });
  const ahead = { ...past, time: '2999-01-01T00:00' };
  expect(toStartPoint(ahead, true, NOW)).toBeUndefined();
  expect(isTimeAhead(ahead, NOW)).toBe(true);
  expect(isTimeAhead(past, NOW)).toBe(false);
});

it('carries nothing of the other choices', () => {
  const form = { mayLoad: true, time: '2026-01-02T03:04', positions: '{' };
  for (const kind of ['creation', 'oldest', 'now'] as const)
    expect(toStartPoint({ kind, ...form }, true, NOW)).toEqual({ kind });
});

it('takes positions as they were pasted, and none while one of them is wrong', () => {
  const form = { ...NOTHING, kind: 'positions' } as const;
  expect(toStartPoint(form, true, NOW)).toBeUndefined();
  expect(toStartPoint({ ...form, positions: '{"dml_0": "Cg=="}' }, false, NOW)).toEqual({
    kind: 'positions',
    positions: { dml_0: 'Cg==' },
  });
  expect(toStartPoint({ ...form, positions: '{"dml_0": "?"}' }, true, NOW)).toBeUndefined();
});
