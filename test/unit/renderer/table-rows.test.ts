import { describe, expect, it } from 'vitest';
import { meaningOf } from '../../../renderer/ui/table/row-keys.ts';
import {
  keepOrder,
  matchesSearch,
  nextSort,
  rangeOf,
  sortRows,
  type Column,
  type TableRow,
} from '../../../renderer/ui/table/table-rows.ts';
import { rowWindow } from '../../../renderer/ui/table/use-row-window.ts';

interface Row extends TableRow {
  readonly weight: number;
  readonly lag: number | undefined;
}
const row = (title: string, weight = 0, lag?: number): Row => ({ id: title, title, weight, lag });
const COLUMNS: readonly Column<Row>[] = [
  { key: 'title', label: '', sortValue: ({ title }) => title },
  { key: 'weight', label: '', sortValue: ({ weight }) => weight },
  { key: 'lag', label: '', sortValue: ({ lag }) => lag, startsDescending: true },
];
const ROWS = [row('a', 3, 100), row('b', 1), row('c', 2, 900)];
const sorted = (key: string, isDescending: boolean): string =>
  sortRows(ROWS, COLUMNS, { key, isDescending })
    .map(({ title }) => title)
    .join('');

describe('rows', () => {
  it('are sorted by number and by text, either way', () => {
    expect(sorted('weight', false)).toBe('bca');
    expect(sorted('weight', true)).toBe('acb');
    expect(sorted('title', true)).toBe('cba');
  });

  it('whose value is not known come last, whichever way one sorts', () => {
    expect(sorted('lag', false)).toBe('acb');
    expect(sorted('lag', true)).toBe('cab');
  });

  it('with numbers in their names are sorted as a person counts', () => {
    const rows = sortRows([row('t10'), row('t9')], COLUMNS, { key: 'title', isDescending: false });
    expect(rows.map(({ title }) => title)).toEqual(['t9', 't10']);
  });

  it('are turned round by a second click; large lags come first at the first', () => {
    const lag = COLUMNS[2]!;
    const first = nextSort(lag, { key: 'title', isDescending: false });
    expect(first).toEqual({ key: 'lag', isDescending: true });
    expect(nextSort(lag, first)).toEqual({ key: 'lag', isDescending: false });
  });

  it('are found by a part of their name, whatever its case', () => {
    expect(matchesSearch(row('Shop.Orders'), ' orders ')).toBe(true);
    expect(matchesSearch(row('Shop.Orders'), 'items')).toBe(false);
  });

  it('stay where they are while one reads: new ones come last, those that are gone go', () => {
    const rows = keepOrder([...ROWS, row('0')], ['c', 'x', 'a', 'b']);
    expect(rows.map(({ id }) => id).join('')).toBe('cab0');
  });

  it('are marked from one to another in either direction', () => {
    expect(rangeOf(['a', 'b', 'c', 'd'], 'c', 'a')).toEqual(['a', 'b', 'c']);
    expect(rangeOf(['a', 'b'], 'gone', 'b')).toEqual(['b']);
  });
});

describe('the keys of a table', () => {
  const press = (key: string, modifiers = {}): unknown =>
    meaningOf({ key, ctrlKey: false, metaKey: false, altKey: false, ...modifiers }, 4, 100, 10);

  it('move by a row, a page, and to both ends', () => {
    expect(press('ArrowDown')).toEqual({ kind: 'move', to: 5 });
    expect(press('ArrowUp')).toEqual({ kind: 'move', to: 3 });
    expect(press('PageDown')).toEqual({ kind: 'move', to: 14 });
    expect(press('PageUp')).toEqual({ kind: 'move', to: 0 });
    expect(press('Home')).toEqual({ kind: 'move', to: 0 });
    expect(press('End')).toEqual({ kind: 'move', to: 99 });
  });

  it('open and mark; what belongs to the browser stays with it', () => {
    expect(press('Enter')).toEqual({ kind: 'open' });
    expect(press(' ')).toEqual({ kind: 'mark' });
    expect(press('a', { ctrlKey: true })).toEqual({ kind: 'markAll' });
    expect(press('a')).toBeUndefined();
    expect(press('ArrowLeft', { altKey: true })).toBeUndefined();
  });
});

describe('the window over a long table', () => {
  const at = (scrollTop: number, details?: { index: number; height: number }) =>
    rowWindow({ rowCount: 1000, rowHeight: 40, viewHeight: 400, scrollTop, details });

  it('makes what is in sight and a little more, and stands for all the rest', () => {
    for (const scrollTop of [0, 40, 12_345, 39_600]) {
      const { first, end, before, after } = at(scrollTop);
      expect(first * 40).toBeLessThanOrEqual(scrollTop);
      expect(end * 40).toBeGreaterThanOrEqual(scrollTop + 400);
      expect(end - first).toBeLessThan(60);
      expect(before + (end - first) * 40 + after).toBe(40_000);
    }
  });

  it('counts the details of an open row once, wherever it is', () => {
    for (const scrollTop of [0, 4_000, 4_100, 20_000, 39_800]) {
      const { first, end, before, after } = at(scrollTop, { index: 100, height: 300 });
      const inside = first <= 100 && 100 < end ? 300 : 0;
      expect(before + (end - first) * 40 + inside + after).toBe(40_300);
      expect(before).toBeLessThanOrEqual(scrollTop);
    }
  });

  it('stays whole when it is scrolled further than there are rows left', () => {
    const { first, end, after } = rowWindow({ rowCount: 300, rowHeight: 40, viewHeight: 400, scrollTop: 90_000 });
    expect(first).toBeLessThanOrEqual(end);
    expect(end).toBe(300);
    expect(after).toBe(0);
  });
});
