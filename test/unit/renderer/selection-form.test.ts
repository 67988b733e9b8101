import { describe, expect, it } from 'vitest';
import { EVERYTHING } from '../../../shared/model/selection.ts';
import {
  emptyMapping,
  emptySelection,
  isAffixWrong,
  ruleText,
  toMapping,
  toSelection,
  toSelectionForm,
  wrongPattern,
  wrongRule,
} from '../../../renderer/features/protections/selection-form.ts';

const name = (database: string, collection: string) => ({ database, collection });

describe('the form of a selection', () => {
  it('says everything where nothing is chosen', () => {
    expect(toSelection(emptySelection())).toEqual(EVERYTHING);
    expect(toSelectionForm(undefined)).toEqual(emptySelection());
    expect(toSelectionForm(EVERYTHING)).toEqual(emptySelection());
  });

  it('puts ticks and patterns together, and is read back as it was', () => {
    const form = {
      kind: 'chosen' as const,
      picked: ['shop.orders', '"my.db".items'],
      include: ' archive.* \n\n*.audit',
      exclude: 'archive.tmp',
      later: false,
    };
    const selection = toSelection(form);
    expect(selection).toEqual({
      include: [name('shop', 'orders'), name('my.db', 'items'), name('archive', '*'), name('*', 'audit')],
      exclude: [name('archive', 'tmp')],
      later: false,
    });
    expect(toSelectionForm(selection)).toEqual({ ...form, include: 'archive.*\n*.audit' });
  });

  it('keeps everything with something left out', () => {
    const selection = { ...EVERYTHING, exclude: [name('*', 'tmp')] };
    expect(toSelectionForm(selection)).toEqual({ ...emptySelection(), exclude: '*.tmp' });
    expect(toSelection(toSelectionForm(selection))).toEqual(selection);
  });

  it('is open while nothing is chosen or a line is no pattern, and says which', () => {
    expect(toSelection({ ...emptySelection(), kind: 'chosen' })).toBeUndefined();
    expect(toSelection({ ...emptySelection(), exclude: 'a.b\nno pattern' })).toBeUndefined();
    expect(wrongPattern('a.b\nno pattern')).toBe('no pattern');
    expect(wrongPattern('a.b\n*')).toBeUndefined();
  });
});

describe('the form of a mapping', () => {
  it('reads rules for collections and for databases', () => {
    const rules = 'shop.orders = dr.orders_copy\n"my.db".* = my_db.*';
    expect(toMapping({ ...emptyMapping(), rules, collectionPrefix: 'dr_' })).toEqual({
      rules: [
        { from: name('shop', 'orders'), to: name('dr', 'orders_copy') },
        { from: { database: 'my.db' }, to: { database: 'my_db' } },
      ],
      databasePrefix: '',
      databaseSuffix: '',
      collectionPrefix: 'dr_',
      collectionSuffix: '',
    });
    expect(
      toMapping({ ...emptyMapping(), rules })
        ?.rules.map(ruleText)
        .join('\n'),
    ).toBe(rules);
  });

  it.each(['shop.orders', 'shop.* = dr.orders', 'shop.orders = dr.*', '*.orders = dr.orders', 'a = b'])(
    'refuses %s',
    (line) => {
      expect(wrongRule(line)).toBe(line);
      expect(toMapping({ ...emptyMapping(), rules: line })).toBeUndefined();
    },
  );

  it('refuses affixes that are no part of a name', () => {
    expect(['', 'dr_', 'A1'].map(isAffixWrong)).toEqual([false, false, false]);
    expect(['a.b', 'a-b', 'ä'].map(isAffixWrong)).toEqual([true, true, true]);
  });
});
