/**
 * Which rows are listed, in which order. Sorted and filtered when a person asks for it; between that, rows keep their
 * places and are updated in them, new ones are added at the end, and what has come into trouble is counted for a notice
 * at the top, never moved under the pointer.
 */
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref } from 'vue';
import {
  ALL,
  keepOrder,
  matchesSearch,
  sortRows,
  type Column,
  type Filter,
  type Sort,
  type TableRow,
} from './table-rows.ts';

export interface RowOrder<R> {
  readonly sort: Ref<Sort>;
  readonly filter: Ref<string>;
  readonly search: Ref<string>;
  readonly listed: ComputedRef<readonly R[]>;
  /** Rows that came into trouble since they were sorted. */
  readonly troubledCount: ComputedRef<number>;
  /** Rows that are still listed and no longer fit the filter. */
  readonly misfitCount: ComputedRef<number>;
  /** Sorts and filters anew. */
  readonly settle: () => void;
}

export interface RowOrderInput<R> {
  readonly rows: () => readonly R[];
  readonly columns: () => readonly Column<R>[];
  readonly filters: () => readonly Filter<R>[];
  readonly initialSort: Sort;
  readonly isInTrouble: (row: R) => boolean;
}

export function useRowOrder<R extends TableRow>(input: RowOrderInput<R>): RowOrder<R> {
  const sort = ref<Sort>(input.initialSort);
  const filter = ref(ALL);
  const search = ref('');
  const order = shallowRef<readonly string[]>([]);
  const knownTrouble = shallowRef<ReadonlySet<string>>(new Set());

  const fits = computed(() => {
    const chosen = input.filters().find(({ value }) => value === filter.value);
    return (row: R): boolean => chosen?.fits(row) ?? true;
  });
  const sorted = (rows: readonly R[]): R[] => sortRows(rows, input.columns(), sort.value);
  const matching = (): R[] => input.rows().filter((row) => fits.value(row) && matchesSearch(row, search.value));
  const idsOf = (rows: readonly R[]): string[] => rows.map(({ id }) => id);

  function settle(): void {
    order.value = idsOf(sorted(matching()));
    knownTrouble.value = new Set(idsOf(input.rows().filter(input.isInTrouble)));
  }

  /** New ones that fit; sorted among themselves. */
  const added = computed(() => {
    const known = new Set(order.value);
    const fresh = matching().filter(({ id }) => !known.has(id));
    return fresh.length === 0 ? fresh : sorted(fresh);
  });
  const listed = computed<readonly R[]>(() => {
    const known = new Set(order.value);
    const kept = input.rows().filter(({ id }) => known.has(id));
    return keepOrder([...kept, ...added.value], order.value);
  });

  watch([sort, filter, search], settle);
  watch(
    added,
    (fresh) => {
      if (fresh.length === 0) return;
      if (order.value.length === 0) settle();
      else order.value = idsOf(listed.value);
    },
    { immediate: true },
  );

  return {
    sort,
    filter,
    search,
    listed,
    settle,
    troubledCount: computed(
      () => input.rows().filter((row) => input.isInTrouble(row) && !knownTrouble.value.has(row.id)).length,
    ),
    misfitCount: computed(() => listed.value.filter((row) => !fits.value(row)).length),
  };
}
