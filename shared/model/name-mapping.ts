/**
 * Under which name a collection of the source stands on the target. The most exact rule wins: one for the collection, else one
 * for its database, else prefix and suffix. A rule's names are final: neither prefix nor suffix is put to a name that a rule has given.
 */
import { z } from 'zod';
import { DEFAULT_DATABASE, nameKey, nameText, type CollectionName } from './collection-name.ts';

const RULES_MAX = 10_000;
/** Milvus' `proxy.maxNameLength`. */
const NAME_CHARS_MAX = 255;

const sourceNameSchema = z.string().min(1, 'A name is needed.').max(NAME_CHARS_MAX);
/** `validateCollectionName`, `ValidateDatabaseName` (internal/proxy/util.go, 2.3.5). */
const TARGET_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const targetNameSchema = z
  .string()
  .min(1, 'A name is needed.')
  .max(NAME_CHARS_MAX)
  .regex(TARGET_NAME, 'Milvus takes names of letters, digits and "_" that begin with a letter or "_".');
const affixSchema = z
  .string()
  .max(100, 'At most 100 characters.')
  .regex(/^[A-Za-z0-9_]*$/, 'Milvus takes names of letters, digits and "_".');

const mappingRuleSchema = z
  .strictObject({
    /** Without a collection: every collection of the database that has no rule of its own. */
    from: z.strictObject({ database: sourceNameSchema, collection: sourceNameSchema.optional() }),
    /** Without a database: the one that it would have without the rule. Without a collection: its own name. */
    to: z.strictObject({ database: targetNameSchema.optional(), collection: targetNameSchema.optional() }),
  })
  .refine(({ from, to }) => from.collection !== undefined || to.collection === undefined, {
    message: 'A rule for a whole database cannot give all its collections one name.',
    path: ['to', 'collection'],
  })
  .refine(({ to }) => to.database !== undefined || to.collection !== undefined, {
    message: 'A rule says a new database, a new collection, or both.',
    path: ['to'],
  });

export const nameMappingSchema = z.strictObject({
  rules: z.array(mappingRuleSchema).max(RULES_MAX).default([]),
  /** Of the database `default` too, which then is another database. */
  databasePrefix: affixSchema.default(''),
  databaseSuffix: affixSchema.default(''),
  collectionPrefix: affixSchema.default(''),
  collectionSuffix: affixSchema.default(''),
});

export interface MappingRule {
  readonly from: { readonly database: string; readonly collection?: string | undefined };
  readonly to: { readonly database?: string | undefined; readonly collection?: string | undefined };
}
export interface NameMapping {
  readonly rules: readonly MappingRule[];
  readonly databasePrefix: string;
  readonly databaseSuffix: string;
  readonly collectionPrefix: string;
  readonly collectionSuffix: string;
}
export type NameMappingInput = z.input<typeof nameMappingSchema>;

export const SAME_NAMES: NameMapping = {
  rules: [],
  databasePrefix: '',
  databaseSuffix: '',
  collectionPrefix: '',
  collectionSuffix: '',
};

/** Nothing bears another name on the target. */
export const isSameNames = ({ rules, ...affixes }: NameMapping): boolean =>
  rules.length === 0 && Object.values(affixes).every((affix) => affix === '');

/** Equal in effect and form, in whatever order it was written. */
export const isSameMapping = (a: NameMapping, b: NameMapping): boolean => mappingText(a) === mappingText(b);

function mappingText({
  rules,
  databasePrefix,
  databaseSuffix,
  collectionPrefix,
  collectionSuffix,
}: NameMapping): string {
  const ruleTexts = rules
    .map(({ from, to }) => JSON.stringify([from.database, from.collection, to.database, to.collection]))
    .toSorted();
  return JSON.stringify([ruleTexts, databasePrefix, databaseSuffix, collectionPrefix, collectionSuffix]);
}

export interface CompiledMapping {
  readonly isSameNames: boolean;
  readonly address: (source: CollectionName) => CollectionName;
  /** Of the database itself: where those of its collections go that have no rule of their own. */
  readonly database: (source: string) => string;
}

/** Of two rules for the same names the first one holds; `duplicateRules` names such. */
export function compileMapping(mapping: NameMapping): CompiledMapping {
  const { rules, databasePrefix, databaseSuffix, collectionPrefix, collectionSuffix } = mapping;
  const collections = new Map<string, MappingRule['to']>();
  const databases = new Map<string, string>();
  for (const { from, to } of rules) {
    if (from.collection === undefined) {
      if (!databases.has(from.database) && to.database !== undefined) databases.set(from.database, to.database);
      continue;
    }
    const key = nameKey({ database: from.database, collection: from.collection });
    if (!collections.has(key)) collections.set(key, to);
  }
  const database = (source: string): string => databases.get(source) ?? `${databasePrefix}${source}${databaseSuffix}`;
  return {
    isSameNames: isSameNames(mapping),
    database,
    address: (source) => {
      const rule = collections.get(nameKey(source));
      if (rule !== undefined) {
        return {
          database: rule.database ?? database(source.database),
          collection: rule.collection ?? source.collection,
        };
      }
      const collection = databases.has(source.database)
        ? source.collection
        : `${collectionPrefix}${source.collection}${collectionSuffix}`;
      return { database: database(source.database), collection };
    },
  };
}

/** What rules say twice, as text. */
export function duplicateRules({ rules }: NameMapping): string[] {
  const texts = rules.map(({ from }) => nameText({ database: from.database, collection: from.collection ?? '*' }));
  return [...new Set(texts.filter((text, index) => texts.indexOf(text) < index))];
}

/** Two or more collections of the source that would be written into one of the target. */
export interface NameClash {
  readonly target: CollectionName;
  readonly sources: readonly CollectionName[];
}

export function findClashes(names: readonly CollectionName[], mapping: CompiledMapping): NameClash[] {
  const byTarget = new Map<string, CollectionName[]>();
  for (const name of names) {
    const key = nameKey(mapping.address(name));
    const same = byTarget.get(key);
    if (same === undefined) byTarget.set(key, [name]);
    else same.push(name);
  }
  return [...byTarget.values()].flatMap((sources) => {
    const [first] = sources;
    return first === undefined || sources.length < 2 ? [] : [{ target: mapping.address(first), sources }];
  });
}

/**
 * A name that is not the source's own has to be one that Milvus takes; one that is, the source has taken already. `undefined`:
 * nothing is wrong with it; else which part.
 */
export function refusedName(source: CollectionName, target: CollectionName): string | undefined {
  for (const [own, name] of [
    [source.database, target.database],
    [source.collection, target.collection],
  ] as const) {
    if (name === own || name === DEFAULT_DATABASE) continue;
    // Letters that the source takes stand in a name with prefix or suffix as they did in its own.
    if (
      name.length > NAME_CHARS_MAX ||
      (!TARGET_NAME.test(name) && !(own !== '' && name.includes(own) && /^[A-Za-z_]/.test(name)))
    ) {
      return name;
    }
  }
  return undefined;
}
