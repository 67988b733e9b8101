import { describe, expect, test } from 'vitest';
import { nameText, parseName } from '../../../shared/model/collection-name.ts';
import {
  compileSelection,
  EVERYTHING,
  isEverything,
  selectionSchema,
  type Selection,
} from '../../../shared/model/selection.ts';

/** What the source holds in every case. */
const HELD = [
  'default.orders',
  'default.orders_2025',
  'default.customers',
  'default._tmp',
  'shop.orders',
  'shop.items',
  'shop_test.orders',
  '"shop.eu".orders',
  'shop."eu.orders"',
  'archive.orders_2024',
  'archive.orders_2025',
  'leer.ä',
];

interface Case {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly expected: readonly string[];
}

const all = (but: (name: string) => boolean) => HELD.filter((name) => !but(name));

const CASES: readonly Case[] = [
  { expected: HELD },
  { include: ['*'], expected: HELD },
  { include: ['*.*'], expected: HELD },
  { include: ['default.*'], expected: ['default.orders', 'default.orders_2025', 'default.customers', 'default._tmp'] },
  { include: ['shop.*'], expected: ['shop.orders', 'shop.items', 'shop."eu.orders"'] },
  {
    include: ['shop*.*'],
    expected: ['shop.orders', 'shop.items', 'shop_test.orders', '"shop.eu".orders', 'shop."eu.orders"'],
  },
  { include: ['*.orders'], expected: ['default.orders', 'shop.orders', 'shop_test.orders', '"shop.eu".orders'] },
  {
    include: ['*.orders*'],
    expected: [
      'default.orders',
      'default.orders_2025',
      'shop.orders',
      'shop_test.orders',
      '"shop.eu".orders',
      'archive.orders_2024',
      'archive.orders_2025',
    ],
  },
  {
    include: ['*.*orders'],
    expected: ['default.orders', 'shop.orders', 'shop_test.orders', '"shop.eu".orders', 'shop."eu.orders"'],
  },
  { include: ['*.*2025'], expected: ['default.orders_2025', 'archive.orders_2025'] },
  { include: ['*.o*_*4'], expected: ['archive.orders_2024'] },
  {
    include: ['*.*r*r*'],
    expected: [
      'default.orders',
      'default.orders_2025',
      'shop.orders',
      'shop_test.orders',
      '"shop.eu".orders',
      'shop."eu.orders"',
      'archive.orders_2024',
      'archive.orders_2025',
    ],
  },
  { include: ['shop.orders'], expected: ['shop.orders'] },
  { include: ['"shop.eu".orders'], expected: ['"shop.eu".orders'] },
  { include: ['shop."eu.orders"'], expected: ['shop."eu.orders"'] },
  { include: ['"shop.*".*'], expected: ['"shop.eu".orders'] },
  { include: ['shop."*.*"'], expected: ['shop."eu.orders"'] },
  { include: ['Shop.orders'], expected: [] },
  { include: ['shop.order'], expected: [] },
  { include: ['nowhere.*'], expected: [] },
  { include: ['leer.*'], expected: ['leer.ä'] },
  { include: ['leer.ä'], expected: ['leer.ä'] },
  { include: ['default.orders', 'shop.orders'], expected: ['default.orders', 'shop.orders'] },
  { include: ['default.orders', 'default.*s'], expected: ['default.orders', 'default.customers'] },
  { exclude: ['*'], expected: [] },
  { exclude: ['archive.*'], expected: all((name) => name.startsWith('archive.')) },
  { exclude: ['*._*'], expected: all((name) => name === 'default._tmp') },
  { exclude: ['default.orders', 'leer.*'], expected: all((name) => name === 'default.orders' || name === 'leer.ä') },
  { include: ['shop.*'], exclude: ['shop.items'], expected: ['shop.orders', 'shop."eu.orders"'] },
  {
    include: ['*.orders*'],
    exclude: ['*.*_20*', 'shop_test.*'],
    expected: ['default.orders', 'shop.orders', '"shop.eu".orders'],
  },
  { include: ['shop.orders'], exclude: ['shop.orders'], expected: [] },
  {
    include: ['*.***'],
    exclude: ['**.***s'],
    expected: ['default.orders_2025', 'default._tmp', 'archive.orders_2024', 'archive.orders_2025', 'leer.ä'],
  },
];

const named = (text: string) => {
  const name = parseName(text);
  if (name === undefined) throw new Error(`No name: ${text}`);
  return name;
};

function selectionOf({ include, exclude = [] }: Case): Selection {
  return {
    include: include?.map(named) ?? EVERYTHING.include,
    exclude: exclude.map(named),
    later: true,
  };
}

describe('a selection', () => {
  test(`matches what its patterns say, in ${CASES.length} cases`, async ({ annotate }) => {
    const rows = CASES.map((one) => {
      const { matches } = compileSelection(selectionOf(one));
      const found = HELD.filter((name) => matches(named(name)));
      return { one, found };
    });
    await annotate(
      [
        'include | exclude | matches',
        ...rows.map(
          ({ one, found }) =>
            `${one.include?.join(' ') ?? '*'} | ${one.exclude?.join(' ') ?? ''} | ${found.join(' ') || '(nothing)'}`,
        ),
      ].join('\n'),
    );
    for (const { one, found } of rows) expect(found, JSON.stringify(one)).toEqual(one.expected);
    expect(CASES.length).toBeGreaterThanOrEqual(30);
  });

  test('matches a pattern as a plain search for every split would, whatever is put together from few letters', () => {
    const parts = ['', 'a', 'b', 'ab', '*', '**', 'a*', '*b', 'a*b', '*a*', 'a*a', '*ab*', 'a*b*a'];
    const texts = ['', 'a', 'b', 'ab', 'ba', 'aa', 'aba', 'abba', 'abab', 'bab'];
    for (const database of parts.filter((part) => part !== '')) {
      const slow = new RegExp(`^${database.replaceAll('*', '.*')}$`);
      const { matches } = compileSelection({ include: [{ database, collection: '*' }], exclude: [], later: true });
      for (const text of texts)
        expect(matches({ database: text, collection: 'x' }), `${database} ${text}`).toBe(slow.test(text));
    }
  });

  test('with many stars does not take ages', () => {
    const { matches } = compileSelection({
      include: [{ database: '*a'.repeat(100), collection: '*' }],
      exclude: [],
      later: true,
    });
    expect(matches({ database: `${'a'.repeat(255)}b`, collection: 'x' })).toBe(false);
  });

  test('holds a database itself only where a pattern is for all of it', () => {
    const { matchesDatabase } = compileSelection({
      include: [named('shop*.*'), named('one.single'), named('most.*')],
      exclude: [named('shop_test.*'), named('most.single')],
      later: true,
    });
    expect(['shop', 'shop_test', 'one', 'most', 'default'].filter(matchesDatabase)).toEqual(['shop', 'most']);
  });

  test('that says nothing is everything, later collections included', () => {
    expect(selectionSchema.parse({})).toEqual(EVERYTHING);
    expect(isEverything(EVERYTHING)).toBe(true);
    expect(isEverything({ ...EVERYTHING, later: false })).toBe(false);
    expect(isEverything({ ...EVERYTHING, exclude: [named('a.b')] })).toBe(false);
    expect(isEverything({ ...EVERYTHING, include: [named('a.*')] })).toBe(false);
  });

  test('without any pattern is refused, and so is an empty part', () => {
    expect(selectionSchema.safeParse({ include: [] }).success).toBe(false);
    expect(selectionSchema.safeParse({ include: [{ database: '', collection: '*' }] }).success).toBe(false);
  });
});

describe("a name's text", () => {
  test.each([
    [{ database: 'a', collection: 'b' }, 'a.b'],
    [{ database: 'a', collection: 'b.c' }, 'a."b.c"'],
    [{ database: 'a.b', collection: 'c' }, '"a.b".c'],
    [{ database: 'a"b', collection: ' ' }, '"a""b"." "'],
    [{ database: '*', collection: 'x*' }, '*.x*'],
    [{ database: 'ä', collection: '中文-1$' }, 'ä.中文-1$'],
  ])('says which it is, and is read back: %o', (name, text) => {
    expect(nameText(name)).toBe(text);
    expect(parseName(text)).toEqual(name);
  });

  test.each(['', 'a', 'a.', '.b', 'a.b.c', 'a..b', '"a.b', '"".b', 'a b.c', 'a."b"c'])('is refused: %s', (text) => {
    expect(parseName(text)).toBeUndefined();
  });
});
