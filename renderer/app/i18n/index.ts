/** Languages of the window. English is written first and gives the others their shape: a missing text does not compile. */
import { createI18n } from 'vue-i18n';
import { readPreference, writePreference } from '../preferences.ts';
import { en } from './en.ts';
import { zhHans } from './zh-hans.ts';
import { zhHant } from './zh-hant.ts';

export const LANGUAGES = ['en', 'zh-Hans', 'zh-Hant'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Each in its own words: whoever cannot read the current language finds theirs. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: 'English',
  'zh-Hans': '简体中文',
  'zh-Hant': '繁體中文',
};

export const catalogues = { en, 'zh-Hans': zhHans, 'zh-Hant': zhHant };

/** The first of the person's languages that the window speaks. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const lower = tag.toLowerCase();
    if (lower.startsWith('en')) return 'en';
    if (lower.startsWith('zh')) return /hant|-tw|-hk|-mo/.test(lower) ? 'zh-Hant' : 'zh-Hans';
  }
  return 'en';
}

export function createTexts(
  language: Language = readPreference('language', LANGUAGES) ?? languageOf(navigator.languages),
) {
  const texts = createI18n({ legacy: false, locale: language, fallbackLocale: 'en', messages: catalogues });
  document.documentElement.lang = language;
  return texts;
}

export function rememberLanguage(language: Language): void {
  document.documentElement.lang = language;
  writePreference('language', language);
}
