/** Which columns a table shows: chosen by the person, remembered by this window under the table's name. */
import { computed, ref, type ComputedRef } from 'vue';
import { readChoices, writeChoices } from '../../app/preferences.ts';
import type { Column } from './table-rows.ts';

export interface ColumnChoice<R> {
  readonly shown: ComputedRef<readonly Column<R>[]>;
  readonly isShown: (column: Column<R>) => boolean;
  readonly toggle: (column: Column<R>) => void;
}

export function useColumns<R>(table: string, columns: () => readonly Column<R>[]): ColumnChoice<R> {
  const preference = `hiddenColumns.${table}`;
  // The hidden ones are kept, so that a column of a later version is shown at first.
  const hidden = ref<readonly string[]>(
    readChoices(preference) ??
      columns()
        .filter(({ isHiddenAtFirst }) => isHiddenAtFirst === true)
        .map(({ key }) => key),
  );
  const isShown = ({ key, isFixed }: Column<R>): boolean => isFixed === true || !hidden.value.includes(key);
  return {
    shown: computed(() => columns().filter(isShown)),
    isShown,
    toggle(column) {
      hidden.value = isShown(column) ? [...hidden.value, column.key] : hidden.value.filter((key) => key !== column.key);
      writeChoices(preference, hidden.value);
    },
  };
}
