/** Which collections are listed, and in which order. Pure. */
import { weightOf, type ShownState } from '../../ui/states.ts';
import type { Collection } from './protection-view.ts';

export interface CollectionRow {
  readonly id: string;
  readonly title: string;
  readonly state: ShownState;
  readonly lagMs: number | undefined;
  readonly collection: Collection;
}

export const SORT_KEYS = ['title', 'state', 'rows', 'lag'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Sort {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

/** `all`, or one state. */
export type StateFilter = 'all' | ShownState;

export function matches(row: CollectionRow, filter: StateFilter, search: string): boolean {
  if (filter !== 'all' && row.state !== filter) return false;
  return row.title.toLowerCase().includes(search.trim().toLowerCase());
}

export function sortRows(rows: readonly CollectionRow[], { key, isDescending }: Sort): CollectionRow[] {
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    // What is not known comes last, whichever way one sorts.
    if (key === 'lag' && (a.lagMs === undefined) !== (b.lagMs === undefined)) return a.lagMs === undefined ? 1 : -1;
    return sign * compare(a, b, key) || a.title.localeCompare(b.title);
  });
}

function compare(a: CollectionRow, b: CollectionRow, key: SortKey): number {
  switch (key) {
    case 'title':
      return a.title.localeCompare(b.title);
    case 'state':
      return weightOf(a.state) - weightOf(b.state);
    case 'rows':
      return a.collection.rowsWritten - b.collection.rowsWritten;
    case 'lag':
      return (a.lagMs ?? 0) - (b.lagMs ?? 0);
  }
}

/**
 * Rows do not jump while one reads: those that were listed keep their places, new ones are added in their own order at
 * the end. @param before ids as they were listed.
 */
export function keepOrder(rows: readonly CollectionRow[], before: readonly string[]): CollectionRow[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const kept = before.flatMap((id) => byId.get(id) ?? []);
  const known = new Set(before);
  return [...kept, ...rows.filter(({ id }) => !known.has(id))];
}
