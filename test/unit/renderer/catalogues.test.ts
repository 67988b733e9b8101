import { describe, expect, it } from 'vitest';
import { catalogues, languageOf } from '../../../renderer/app/i18n/index.ts';

type Tree = { readonly [name: string]: string | Tree };

function flatten(tree: Tree, path = ''): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(tree)) {
    if (typeof value === 'string') texts.set(path + name, value);
    else for (const [inner, text] of flatten(value, `${path}${name}.`)) texts.set(inner, text);
  }
  return texts;
}

const placeholders = (text: string): string[] => [...new Set(text.match(/\{[^}]*\}/g) ?? [])].sort();

const english = flatten(catalogues.en);

describe.each(['zh-Hans', 'zh-Hant'] as const)('the catalogue %s', (language) => {
  const texts = flatten(catalogues[language]);

  it('has the keys of the English one', () => {
    expect([...texts.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('has the placeholders of the English one', () => {
    for (const [key, text] of texts)
      expect({ key, found: placeholders(text) }).toEqual({ key, found: placeholders(english.get(key) ?? '') });
  });

  it('leaves no sentence in English', () => {
    const untranslated = [...texts].filter(([key, text]) => text === english.get(key) && / .* /.test(text));
    expect(untranslated.map(([key]) => key).filter((key) => !key.startsWith('units.'))).toEqual([]);
  });
});

it('keeps the two Chinese scripts apart', () => {
  const hans = [...flatten(catalogues['zh-Hans']).values()].join('');
  const hant = [...flatten(catalogues['zh-Hant']).values()].join('');
  expect(hans).not.toMatch(/[這個資與實們時間條處連從]/);
  expect(hant).not.toMatch(/[这个资与实们时间条处连从]/);
});

it('uses no characters that the messages’ syntax takes for its own', () => {
  for (const catalogue of Object.values(catalogues)) {
    for (const text of flatten(catalogue).values()) expect(text).not.toMatch(/[@]|\{[^a-zA-Z]/);
  }
});

it('chooses the first language of the person that the window speaks', () => {
  expect(languageOf(['fr-FR', 'zh-TW', 'en'])).toBe('zh-Hant');
  expect(languageOf(['zh-Hant-HK'])).toBe('zh-Hant');
  expect(languageOf(['zh-CN'])).toBe('zh-Hans');
  expect(languageOf(['de'])).toBe('en');
});
