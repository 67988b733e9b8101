/** Columns, sorting and the order of a table's rows. Pure. */

export interface TableRow {
  readonly id: string;
  /** What it is searched by, heard as, and sorted by where all else is equal. */
  readonly title: string;
}

export interface Column<R> {
  readonly key: string;
  readonly label: string;
  /** Shown on hover. */
  readonly help?: string | undefined;
  readonly isNumber?: boolean;
  /** Absent: the table cannot be sorted by it. `undefined`: not known, comes last whichever way one sorts. */
  readonly sortValue?: (row: R) => number | string | undefined;
  /** Numbers are mostly asked for because of the large ones. */
  readonly startsDescending?: boolean;
  /** Cannot be hidden. */
  readonly isFixed?: boolean;
  readonly isHiddenAtFirst?: boolean;
  /** Its heading is only heard. */
  readonly isSilent?: boolean;
  /** Takes what room the others leave, and shows so much of one line as fits there. */
  readonly isRest?: boolean;
  /** In long tables, whose columns cannot follow what is in them: that changes as one scrolls. */
  readonly widthPx?: number;
}

/** One choice of a table's filter. */
export interface Filter<R> {
  readonly value: string;
  readonly label: string;
  readonly fits: (row: R) => boolean;
}

/** The filter that lets everything through. */
export const ALL = 'all';

export interface Sort {
  readonly key: string;
  readonly isDescending: boolean;
}

/** Made once: `localeCompare` looks for its rules at every call. */
const collator = new Intl.Collator(undefined, { numeric: true });

export function sortRows<R extends TableRow>(rows: readonly R[], columns: readonly Column<R>[], sort: Sort): R[] {
  const valueOf = columns.find(({ key }) => key === sort.key)?.sortValue;
  const sign = sort.isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const byTitle = collator.compare(a.title, b.title);
    if (valueOf === undefined) return byTitle;
    const [left, right] = [valueOf(a), valueOf(b)];
    if (left === undefined || right === undefined) {
      if (left === right) return byTitle;
      return left === undefined ? 1 : -1;
    }
    return sign * compare(left, right) || byTitle;
  });
}

function compare(a: number | string, b: number | string): number {
  return typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
}

/** What a click on a heading asks for. */
export function nextSort<R>(column: Column<R>, now: Sort): Sort {
  const isDescending = now.key === column.key ? !now.isDescending : column.startsDescending === true;
  return { key: column.key, isDescending };
}

export const matchesSearch = ({ title }: TableRow, search: string): boolean =>
  title.toLowerCase().includes(search.trim().toLowerCase());

/**
 * Rows do not jump while one reads: those that were listed keep their places, the others come after them as they are.
 * @param before ids as they were listed.
 */
export function keepOrder<R extends TableRow>(rows: readonly R[], before: readonly string[]): R[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const kept = before.flatMap((id) => byId.get(id) ?? []);
  const known = new Set(before);
  return [...kept, ...rows.filter(({ id }) => !known.has(id))];
}

/** From one row to another, both included, in whichever direction. */
export function rangeOf(ids: readonly string[], from: string, to: string): string[] {
  const [start, end] = [ids.indexOf(from), ids.indexOf(to)];
  if (start === -1 || end === -1) return [to];
  return ids.slice(Math.min(start, end), Math.max(start, end) + 1);
}
