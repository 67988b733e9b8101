/** Light, dark, or as the system has it. Remembered by this window alone. */
import { defineStore } from 'pinia';
import { computed, ref, watchEffect } from 'vue';
import { readPreference, writePreference } from './preferences.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export const useTheme = defineStore('theme', () => {
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isSystemDark = ref(system.matches);
  system.addEventListener('change', ({ matches }) => (isSystemDark.value = matches));

  const theme = ref<Theme>(readPreference('theme', THEMES) ?? 'system');
  const isDark = computed(() => theme.value === 'dark' || (theme.value === 'system' && isSystemDark.value));

  watchEffect(() => {
    // Element Plus looks for this class.
    document.documentElement.classList.toggle('dark', isDark.value);
  });

  function choose(next: Theme): void {
    theme.value = next;
    writePreference('theme', next);
  }

  return { theme, isDark, choose };
});
