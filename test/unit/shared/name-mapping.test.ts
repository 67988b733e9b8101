import { describe, expect, test } from 'vitest';
import { nameText, parseName, type CollectionName } from '../../../shared/model/collection-name.ts';
import {
  compileMapping,
  duplicateRules,
  findClashes,
  isSameMapping,
  isSameNames,
  nameMappingSchema,
  refusedName,
  SAME_NAMES,
  type MappingRule,
  type NameMapping,
} from '../../../shared/model/name-mapping.ts';

const named = (text: string): CollectionName => parseName(text) ?? { database: 'default', collection: text };
const rule = (from: string, to: MappingRule['to']): MappingRule => {
  const { database, collection } = named(from);
  return { from: collection === '*' ? { database } : { database, collection }, to };
};
const with_ = (change: Partial<NameMapping>): NameMapping => ({ ...SAME_NAMES, ...change });

describe('a mapping of names', () => {
  test.each<[string, NameMapping, Readonly<Record<string, string>>]>([
    ['that says nothing changes nothing', SAME_NAMES, { 'a.b': 'a.b', '"a.b".c': '"a.b".c', 'default.x': 'default.x' }],
    [
      'puts prefix and suffix to every name',
      with_({ databasePrefix: 'p_', collectionSuffix: '_s' }),
      { 'a.b': 'p_a.b_s', 'default.x': 'p_default.x_s' },
    ],
    [
      'for a database moves its collections, under their own names',
      with_({ rules: [rule('a.*', { database: 'z' })], collectionPrefix: 'p_' }),
      { 'a.b': 'z.b', 'c.b': 'c.p_b' },
    ],
    [
      'for a collection wins over the one for its database',
      with_({ rules: [rule('a.*', { database: 'z' }), rule('a.b', { database: 'y', collection: 'x' })] }),
      { 'a.b': 'y.x', 'a.c': 'z.c' },
    ],
    [
      'for a collection without a database leaves it where its database goes',
      with_({ rules: [rule('a.*', { database: 'z' }), rule('a.b', { collection: 'x' })] }),
      { 'a.b': 'z.x' },
    ],
    [
      'for a collection without a new name keeps its own',
      with_({ rules: [rule('a.b', { database: 'y' })], collectionPrefix: 'p_' }),
      { 'a.b': 'y.b', 'a.c': 'a.p_c' },
    ],
    [
      'tells names with dots apart',
      with_({ rules: [rule('"a.b".c', { collection: 'x' }), rule('a."b.c"', { collection: 'y' })] }),
      { '"a.b".c': '"a.b".x', 'a."b.c"': 'a.y' },
    ],
    [
      'takes the first of two rules for one name',
      with_({ rules: [rule('a.b', { collection: 'x' }), rule('a.b', { collection: 'y' })] }),
      { 'a.b': 'a.x' },
    ],
  ])('%s', (_what, mapping, expected) => {
    const { address } = compileMapping(mapping);
    expect(Object.fromEntries(Object.keys(expected).map((text) => [text, nameText(address(named(text)))]))).toEqual(
      expected,
    );
  });

  test('says where a database goes: by its rule, else with prefix and suffix', () => {
    const { database } = compileMapping(
      with_({ rules: [rule('a.*', { database: 'z' }), rule('b.c', { database: 'y' })], databaseSuffix: '_s' }),
    );
    expect(['a', 'b', 'default'].map(database)).toEqual(['z', 'b_s', 'default_s']);
  });

  test('of which two collections would become one is a clash, named with both', () => {
    const mapping = compileMapping(with_({ rules: [rule('a.*', { database: 'z' }), rule('b.*', { database: 'z' })] }));
    expect(findClashes(['a.x', 'a.y', 'b.x', 'z.y'].map(named), mapping)).toEqual([
      { target: named('z.x'), sources: [named('a.x'), named('b.x')] },
      { target: named('z.y'), sources: [named('a.y'), named('z.y')] },
    ]);
    expect(findClashes(['a.x', 'b.y'].map(named), mapping)).toEqual([]);
  });

  test('that has two rules for one name says which', () => {
    const rules = [
      rule('a.b', { collection: 'x' }),
      rule('a.b', { collection: 'y' }),
      rule('c.*', { database: 'd' }),
      rule('c.*', { database: 'e' }),
    ];
    expect(duplicateRules(with_({ rules }))).toEqual(['a.b', 'c.*']);
    expect(duplicateRules(with_({ rules: rules.slice(1, 3) }))).toEqual([]);
  });

  test('is the same one in whatever order its rules stand', () => {
    const rules = [rule('a.b', { collection: 'x' }), rule('c.*', { database: 'd' })];
    expect(isSameMapping(with_({ rules }), with_({ rules: rules.toReversed() }))).toBe(true);
    expect(isSameMapping(with_({ rules }), with_({ rules, databasePrefix: 'p' }))).toBe(false);
    expect(isSameNames(nameMappingSchema.parse({}))).toBe(true);
    expect(isSameNames(with_({ collectionSuffix: '_s' }))).toBe(false);
  });

  test.each<[string, object]>([
    ['a name that Milvus does not take', { rules: [{ from: { database: 'a' }, to: { database: 'a-b' } }] }],
    ['one name for all collections of a database', { rules: [{ from: { database: 'a' }, to: { collection: 'b' } }] }],
    ['a rule that says nothing', { rules: [{ from: { database: 'a', collection: 'b' }, to: {} }] }],
    ['an affix that is no part of a name', { databasePrefix: 'a.' }],
  ])('refuses %s', (_what, input) => {
    expect(nameMappingSchema.safeParse(input).success).toBe(false);
  });

  test('asks only of names that the source has not taken already whether Milvus takes them', () => {
    expect(refusedName(named('"a.b".c'), named('"a.b".c'))).toBeUndefined();
    expect(refusedName(named('a.b'), { database: 'a', collection: `p_${'b'.repeat(254)}` })).toBe(
      `p_${'b'.repeat(254)}`,
    );
    expect(refusedName(named('a.b'), named('a.1b'))).toBe('1b');
    expect(refusedName(named('a."b.c"'), named('a."p_b.c"'))).toBeUndefined();
  });
});
