/** Which collections of the source a task replicates. Pure; what it matches by name is decided when a collection is found. */
import { z } from 'zod';
import type { CollectionName } from './collection-name.ts';

/** More patterns than a person writes, and as many names as a person ticks in a list. */
const PATTERNS_MAX = 10_000;
const PATTERN_CHARS_MAX = 255;

const partSchema = z
  .string()
  .min(1, 'A name or a pattern is needed; "*" stands for every name.')
  .max(PATTERN_CHARS_MAX);

/** `*` stands for any run of characters, an empty one too. There is nothing else to be escaped: no name of Milvus holds a `*`. */
const namePatternSchema = z.strictObject({ database: partSchema, collection: partSchema });

const everything = () => [{ database: '*', collection: '*' }];

export const selectionSchema = z.strictObject({
  /** A collection that none of them matches is left out. */
  include: z.array(namePatternSchema).min(1, 'Choose at least one collection.').max(PATTERNS_MAX).default(everything),
  /** A collection that one of them matches is left out, whatever includes it. */
  exclude: z.array(namePatternSchema).max(PATTERNS_MAX).default([]),
  /** Collections that are created later belong to it too, where they match. */
  later: z.boolean().default(true),
});

type Parsed = z.output<typeof selectionSchema>;
export type NamePattern = Readonly<z.output<typeof namePatternSchema>>;
export interface Selection {
  readonly include: readonly NamePattern[];
  readonly exclude: readonly NamePattern[];
  readonly later: Parsed['later'];
}
/** As it is given from outside: what is left out has its default. */
export type SelectionInput = z.input<typeof selectionSchema>;

export const EVERYTHING: Selection = { include: everything(), exclude: [], later: true };

export const isEverything = ({ include, exclude, later }: Selection): boolean =>
  later && exclude.length === 0 && include.some(({ database, collection }) => isAll(database) && isAll(collection));

const isAll = (pattern: string): boolean => /^\*+$/.test(pattern);

type NameTest = (name: CollectionName) => boolean;

export interface CompiledSelection {
  readonly later: boolean;
  /** By name alone. */
  readonly matches: NameTest;
  /** Every collection that the database may ever hold, but for single ones: then the database itself belongs to it. */
  readonly matchesDatabase: (database: string) => boolean;
}

/** For many questions: exact names are looked up, patterns are tried one after the other. */
export function compileSelection({ include, exclude, later }: Selection): CompiledSelection {
  const isIncluded = compilePatterns(include);
  const isExcluded = compilePatterns(exclude);
  const wholes = (patterns: readonly NamePattern[]) =>
    patterns.filter(({ collection }) => isAll(collection)).map(({ database }) => compilePart(database));
  const included = wholes(include);
  const excluded = wholes(exclude);
  return {
    later,
    matches: (name) => isIncluded(name) && !isExcluded(name),
    matchesDatabase: (database) =>
      included.some((matches) => matches(database)) && !excluded.some((matches) => matches(database)),
  };
}

function compilePatterns(patterns: readonly NamePattern[]): NameTest {
  const isExact = ({ database, collection }: NamePattern) => !database.includes('*') && !collection.includes('*');
  const exact = new Set(
    patterns.filter(isExact).map(({ database, collection }) => JSON.stringify([database, collection])),
  );
  const wild = patterns
    .filter((pattern) => !isExact(pattern))
    .map(({ database, collection }) => ({ database: compilePart(database), collection: compilePart(collection) }));
  return ({ database, collection }) =>
    exact.has(JSON.stringify([database, collection])) ||
    wild.some((pattern) => pattern.database(database) && pattern.collection(collection));
}

/**
 * Greedy, piece by piece between the stars: linear in practice and never more than the product of the lengths, which a regular
 * expression with many stars is not.
 */
function compilePart(pattern: string): (text: string) => boolean {
  const pieces = pattern.split('*');
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return (text) => text === pattern;
  const middle = rest.filter((piece) => piece !== '');
  return (text) => {
    if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const piece of middle) {
      const found = text.indexOf(piece, at);
      if (found < 0 || found + piece.length > end) return false;
      at = found + piece.length;
    }
    return true;
  };
}
