/** Which rows are marked: one, a range with Shift, or all that are listed. Rows that are gone are not marked any more. */
import { computed, ref, shallowRef, type ComputedRef } from 'vue';
import { rangeOf, type TableRow } from './table-rows.ts';

export interface Selection<R> {
  readonly rows: ComputedRef<readonly R[]>;
  readonly isSelected: (row: R) => boolean;
  readonly isAllSelected: ComputedRef<boolean>;
  /** @param isRange from the row that was marked last up to this one. */
  readonly toggle: (row: R, isRange: boolean) => void;
  readonly toggleAll: () => void;
  readonly clear: () => void;
}

export function useSelection<R extends TableRow>(listed: () => readonly R[]): Selection<R> {
  const ids = shallowRef<ReadonlySet<string>>(new Set());
  const anchor = ref<string>();
  const rows = computed(() => listed().filter(({ id }) => ids.value.has(id)));
  const isAllSelected = computed(() => rows.value.length > 0 && rows.value.length === listed().length);

  return {
    rows,
    isAllSelected,
    isSelected: ({ id }) => ids.value.has(id),
    toggle({ id }, isRange) {
      const next = new Set(ids.value);
      const from = anchor.value;
      if (isRange && from !== undefined) {
        const all = listed().map((row) => row.id);
        for (const one of rangeOf(all, from, id)) next.add(one);
      } else if (!next.delete(id)) {
        next.add(id);
      }
      anchor.value = id;
      ids.value = next;
    },
    toggleAll() {
      ids.value = new Set(isAllSelected.value ? [] : listed().map(({ id }) => id));
    },
    clear() {
      ids.value = new Set();
    },
  };
}
