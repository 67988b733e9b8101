import { expect, it } from 'vitest';
import {
  keepOrder,
  matches,
  sortRows,
  type CollectionRow,
} from '../../../renderer/features/protections/collection-rows.ts';
import type { ShownState } from '../../../renderer/ui/states.ts';
import { collection } from '../../support/fake-states.ts';

const row = (title: string, state: ShownState, lagMs: number | undefined, rowsWritten = 0): CollectionRow => ({
  id: title,
  title,
  state,
  lagMs,
  collection: collection(title, title, { rowsWritten }),
});
const titles = (rows: readonly CollectionRow[]): string => rows.map(({ title }) => title).join('');

const ROWS = [row('a', 'following', 100, 5), row('b', 'failed', undefined, 9), row('c', 'blocked', 900, 7)];

it('sorts by state with the worst first, and by number', () => {
  expect(titles(sortRows(ROWS, { key: 'state', isDescending: false }))).toBe('bca');
  expect(titles(sortRows(ROWS, { key: 'rows', isDescending: true }))).toBe('bca');
  expect(titles(sortRows(ROWS, { key: 'title', isDescending: true }))).toBe('cba');
});

it('puts an unknown lag last, whichever way one sorts', () => {
  expect(titles(sortRows(ROWS, { key: 'lag', isDescending: false }))).toBe('acb');
  expect(titles(sortRows(ROWS, { key: 'lag', isDescending: true }))).toBe('cab');
});

it('filters by state and by a part of the name', () => {
  expect(matches(row('Shop.Orders', 'held', 1), 'held', ' orders ')).toBe(true);
  expect(matches(row('Shop.Orders', 'held', 1), 'failed', '')).toBe(false);
  expect(matches(row('Shop.Orders', 'held', 1), 'all', 'items')).toBe(false);
});

it('keeps rows where they are while one reads, adds new ones at the end and takes out those that are gone', () => {
  expect(titles(keepOrder([...ROWS, row('0', 'failed', 1)], ['c', 'x', 'a', 'b']))).toBe('cab0');
});
