/** What is chosen of a source and how it is called on the target, as it stands in a form; and as the contract wants it. Pure. */
import { nameText, parseName, type CollectionName } from '../../../shared/model/collection-name.ts';
import type { MappingRule, NameMapping } from '../../../shared/model/name-mapping.ts';
import { EVERYTHING, isEverything, type NamePattern, type Selection } from '../../../shared/model/selection.ts';

export interface SelectionForm {
  kind: 'everything' | 'chosen';
  /** Single collections, in the form of `collection-name.ts`. */
  picked: string[];
  /** One pattern a line. */
  include: string;
  exclude: string;
  later: boolean;
}

export interface MappingForm {
  databasePrefix: string;
  databaseSuffix: string;
  collectionPrefix: string;
  collectionSuffix: string;
  /** `database.collection = database.collection`, or `database.* = database.*`, one a line. */
  rules: string;
}

export const AFFIXES = ['databasePrefix', 'databaseSuffix', 'collectionPrefix', 'collectionSuffix'] as const;

export const emptySelection = (): SelectionForm => ({
  kind: 'everything',
  picked: [],
  include: '',
  exclude: '',
  later: true,
});

export const emptyMapping = (): MappingForm => ({
  databasePrefix: '',
  databaseSuffix: '',
  collectionPrefix: '',
  collectionSuffix: '',
  rules: '',
});

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

/** The first line that is no pattern; `undefined`: all are. */
export const wrongPattern = (text: string): string | undefined =>
  lines(text).find((line) => parseName(line) === undefined);

const patternsOf = (texts: readonly string[]): NamePattern[] =>
  texts.map(parseName).filter((name): name is CollectionName => name !== undefined);

/** `undefined`: nothing is chosen yet, or a line is no pattern. */
export function toSelection(form: SelectionForm): Selection | undefined {
  const { kind, picked, include, exclude, later } = form;
  if (wrongPattern(exclude) !== undefined || (kind === 'chosen' && wrongPattern(include) !== undefined))
    return undefined;
  const chosen = kind === 'everything' ? EVERYTHING.include : patternsOf([...picked, ...lines(include)]);
  if (chosen.length === 0) return undefined;
  return { include: chosen, exclude: patternsOf(lines(exclude)), later };
}

export function toSelectionForm(selection: Selection | undefined): SelectionForm {
  if (selection === undefined || isEverything(selection)) return emptySelection();
  const { include, exclude, later } = selection;
  const isWild = ({ database, collection }: NamePattern) => database.includes('*') || collection.includes('*');
  const isAll = include.some(({ database, collection }) => database === '*' && collection === '*');
  return {
    kind: isAll ? 'everything' : 'chosen',
    picked: isAll ? [] : include.filter((pattern) => !isWild(pattern)).map(nameText),
    include: isAll ? '' : include.filter(isWild).map(nameText).join('\n'),
    exclude: exclude.map(nameText).join('\n'),
    later,
  };
}

/** The first line that is no rule; `undefined`: all are. */
export const wrongRule = (text: string): string | undefined => lines(text).find((line) => toRule(line) === undefined);

function toRule(line: string): MappingRule | undefined {
  const at = line.indexOf('=');
  if (at < 0) return undefined;
  const from = parseName(line.slice(0, at));
  const to = parseName(line.slice(at + 1));
  if (from === undefined || to === undefined) return undefined;
  const hasStar = (text: string) => text.includes('*');
  if (hasStar(from.database) || hasStar(to.database)) return undefined;
  // A database's collections keep their names.
  if (from.collection === '*' && to.collection === '*')
    return { from: { database: from.database }, to: { database: to.database } };
  if (hasStar(from.collection) || hasStar(to.collection)) return undefined;
  return { from, to };
}

const AFFIX = /^\w*$/;
export const isAffixWrong = (text: string): boolean => !AFFIX.test(text) || text.length > 100;

/** `undefined`: something in it is wrong. */
export function toMapping({ rules, ...affixes }: MappingForm): NameMapping | undefined {
  if (wrongRule(rules) !== undefined || Object.values(affixes).some(isAffixWrong)) return undefined;
  return { ...affixes, rules: lines(rules).flatMap((line) => toRule(line) ?? []) };
}

export const ruleText = ({ from, to }: MappingRule): string => {
  const name = ({ database, collection }: MappingRule['from'] | MappingRule['to'], other: string): string =>
    nameText({ database: database ?? other, collection: collection ?? '*' });
  return `${name(from, from.database)} = ${name({ database: to.database, collection: to.collection ?? from.collection }, from.database)}`;
};
