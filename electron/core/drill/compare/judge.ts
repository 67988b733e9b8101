/** The verdict over two snapshots and the ledger. Pure. */
import type { ExpectedCollection, ExpectedState } from '../load/ledger-replay.ts';
import type { CollectionName } from '../../../../shared/model/collection-name.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';
import { compareRows, isRowComparisonEqual, type CollectionRows, type RowComparison } from './compare-rows.ts';
import { compareShapes } from './compare-shapes.ts';
import type { CollectionComparison, ComparisonReport } from './comparison-report.ts';

const NO_ROWS: CollectionRows = new Map();

export function judge(
  source: ClusterSnapshot,
  target: ClusterSnapshot,
  expected: ExpectedState | undefined,
): Omit<ComparisonReport, 'durationMs'> {
  const differences: string[] = [];
  if (expected?.isComplete === false) {
    differences.push('The ledger has no last line: the load was cut off, and what it wrote cannot be proved.');
  }
  differences.push(...compareDatabases(source, target));

  const collections = [...namesOf(source, target, expected).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, name]) => compareCollection(key, name, source, target, expected));
  for (const collection of collections) differences.push(...sentencesOf(collection));

  const total = (rows: (collection: CollectionComparison) => number): number =>
    collections.reduce((sum, collection) => sum + rows(collection), 0);
  const totals = {
    rowsSource: total((collection) => collection.rowsSource),
    rowsTarget: total((collection) => collection.rowsTarget),
    ...(expected === undefined ? {} : { rowsLedger: total((collection) => collection.ledger?.rows ?? 0) }),
  };
  const [first] = differences;
  return {
    equal: first === undefined,
    summary:
      first === undefined
        ? `Source${expected === undefined ? '' : ', ledger'} and target are equal: ` +
          `${counted(totals.rowsSource, 'row')} in ${counted(collections.length, 'collection')}, by key and full content.`
        : `Source and target are not equal: ${first}${differences.length === 1 ? '' : ` (And ${counted(differences.length - 1, 'more difference')}.)`}`,
    differences,
    collections,
    ...totals,
  };
}

function compareDatabases(source: ClusterSnapshot, target: ClusterSnapshot): string[] {
  return [
    ...source.databases
      .filter((name) => !target.databases.includes(name))
      .map((name) => `The target lacks the database ${name}.`),
    ...target.databases
      .filter((name) => !source.databases.includes(name))
      .map((name) => `Only the target has the database ${name}.`),
  ];
}

function namesOf(source: ClusterSnapshot, target: ClusterSnapshot, expected: ExpectedState | undefined) {
  const names = new Map<string, CollectionName>();
  for (const [key, { database, collection }] of expected?.collections ?? []) names.set(key, { database, collection });
  for (const { collections, unreadable } of [source, target]) {
    for (const [key, { shape }] of collections)
      names.set(key, { database: shape.database, collection: shape.collection });
    for (const [key, { database, collection }] of unreadable) names.set(key, { database, collection });
  }
  return names;
}

function compareCollection(
  key: string,
  name: CollectionName,
  source: ClusterSnapshot,
  target: ClusterSnapshot,
  expected: ExpectedState | undefined,
): CollectionComparison {
  const ofSource = source.collections.get(key);
  const ofTarget = target.collections.get(key);
  const ofLedger = expected?.collections.get(key);
  const shape: string[] = [];
  for (const snapshot of [source, target]) {
    const problem = snapshot.unreadable.get(key)?.problem;
    if (problem !== undefined) shape.push(`It cannot be compared. ${problem.message}`);
  }
  if (shape.length === 0) {
    if (ofSource === undefined && ofTarget !== undefined) shape.push('Only the target has it.');
    if (ofSource !== undefined && ofTarget === undefined) shape.push('The target lacks it.');
    if (ofSource === undefined && ofLedger !== undefined) shape.push('The source lacks it, though the ledger has it.');
    if (ofSource !== undefined && ofLedger === undefined && expected !== undefined) {
      shape.push('The source has it, though the ledger does not.');
    }
    if (ofSource !== undefined && ofTarget !== undefined) shape.push(...compareShapes(ofSource.shape, ofTarget.shape));
  }
  const expectedRows: ExpectedCollection['partitions'] | undefined =
    expected === undefined ? undefined : (ofLedger?.partitions ?? new Map<string, never>());
  const rows = compareRows(ofSource?.rows ?? NO_ROWS, ofTarget?.rows ?? NO_ROWS, expectedRows);
  return { ...name, equal: shape.length === 0 && isRowComparisonEqual(rows), ...rows, shape };
}

function sentencesOf(comparison: CollectionComparison): string[] {
  const name = `${comparison.database}.${comparison.collection}`;
  const rows = rowSentence(comparison);
  return [...comparison.shape, ...(rows === undefined ? [] : [rows])].map((sentence) => `${name}: ${sentence}`);
}

function rowSentence(rows: RowComparison): string | undefined {
  const parts = [
    part(rows.missing, 'is', 'are', 'missing on the target'),
    part(rows.extra, 'is', 'are', 'on the target only'),
    part(rows.different, 'has', 'have', 'other content on the target'),
    part(rows.doublesTarget, 'is', 'are', 'doubled on the target'),
    part(rows.doublesSource, 'is', 'are', 'doubled on the source'),
    part(rows.ledger?.sourceMissing ?? 0, 'was', 'were', 'acknowledged by the source and is not there'),
    part(rows.ledger?.sourceExtra ?? 0, 'is', 'are', 'on the source and not in the ledger'),
    part(rows.ledger?.sourceDifferent ?? 0, 'has', 'have', 'other content on the source than in the ledger'),
  ].filter((sentence) => sentence !== undefined);
  return parts.length === 0 ? undefined : `${parts.join('; ')}.`;
}

const part = (count: number, one: string, many: string, what: string): string | undefined =>
  count === 0 ? undefined : `${counted(count, 'row')} ${count === 1 ? one : many} ${what}`;

const counted = (count: number, what: string): string =>
  `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
