/** How close the rows of tables stand. One choice for all of them, remembered by this window. */
import { defineStore } from 'pinia';
import { computed, ref, watchEffect } from 'vue';
import { readPreference, writePreference } from './preferences.ts';

export const DENSITIES = ['comfortable', 'compact'] as const;
export type Density = (typeof DENSITIES)[number];

/** Of a row with one line of text, as the styles make it: padding, line, border. */
const ROW_HEIGHTS_PX: Readonly<Record<Density, number>> = { comfortable: 37, compact: 29 };

export const useDensity = defineStore('density', () => {
  const density = ref<Density>(readPreference('density', DENSITIES) ?? 'comfortable');
  const rowHeightPx = computed(() => ROW_HEIGHTS_PX[density.value]);

  watchEffect(() => {
    document.documentElement.classList.toggle('compact', density.value === 'compact');
  });

  function choose(next: Density): void {
    density.value = next;
    writePreference('density', next);
  }

  return { density, rowHeightPx, choose };
});
