/**
 * A collection's name with its database as text, and back: `database.collection`. A part that holds anything but letters,
 * digits, `_`, `-`, `$` and `*` is put into double quotes, a quote in it doubled: `"my.db".orders`. So names that hold dots are
 * told apart: `a."b.c"` is another collection than `"a.b".c`.
 */
export interface CollectionName {
  readonly database: string;
  readonly collection: string;
}

/** Milvus calls it so where no database is named. */
export const DEFAULT_DATABASE = 'default';

const BARE_PART = /^[\p{L}\p{N}_$*-]+$/u;
const PARTS = /^("(?:[^"]|"")+"|[\p{L}\p{N}_$*-]+)(?:\.("(?:[^"]|"")+"|[\p{L}\p{N}_$*-]+))?$/u;

const partText = (part: string): string => (BARE_PART.test(part) ? part : `"${part.replaceAll('"', '""')}"`);
const partOf = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);

export const nameText = ({ database, collection }: CollectionName): string =>
  `${partText(database)}.${partText(collection)}`;

/** `*` alone is `*.*`. `undefined`: it is not of that form; a name without a database is none, since it could be either. */
export function parseName(text: string): CollectionName | undefined {
  const trimmed = text.trim();
  if (trimmed === '*') return { database: '*', collection: '*' };
  const [, database, collection] = PARTS.exec(trimmed) ?? [];
  if (database === undefined || collection === undefined) return undefined;
  return { database: partOf(database), collection: partOf(collection) };
}

export const isSameName = (a: CollectionName, b: CollectionName): boolean =>
  a.database === b.database && a.collection === b.collection;

/** A key for maps: the parts cannot run into each other. */
export const nameKey = ({ database, collection }: CollectionName): string => JSON.stringify([database, collection]);
