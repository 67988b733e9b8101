/** Light, dark, or as the system has it. Remembered by this window alone. */
import { defineStore } from 'pinia';
import { computed, ref, watchEffect } from 'vue';
import { readPreference, writePreference } from './preferences.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** Of the browser's own bars: the header of the window goes on in them. `--surface` of the styles. */
const BAR_COLORS = { light: '#ffffff', dark: '#1a1d24' } as const;

function themeColor(): HTMLMetaElement {
  const known = document.querySelector<HTMLMetaElement>('meta[name="theme-color"]');
  if (known !== null) return known;
  const made = document.createElement('meta');
  made.name = 'theme-color';
  document.head.append(made);
  return made;
}

export const useTheme = defineStore('theme', () => {
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isSystemDark = ref(system.matches);
  system.addEventListener('change', ({ matches }) => (isSystemDark.value = matches));

  const theme = ref<Theme>(readPreference('theme', THEMES) ?? 'system');
  const isDark = computed(() => theme.value === 'dark' || (theme.value === 'system' && isSystemDark.value));

  watchEffect(() => {
    // Element Plus looks for this class.
    document.documentElement.classList.toggle('dark', isDark.value);
    themeColor().content = BAR_COLORS[isDark.value ? 'dark' : 'light'];
  });

  function choose(next: Theme): void {
    theme.value = next;
    writePreference('theme', next);
  }

  return { theme, isDark, choose };
});
