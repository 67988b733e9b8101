/** Rows of one collection on both sides and in the ledger, compared by (partition, key) and content. Pure. */
import type { ExpectedCollection, Expectation } from '../load/ledger-replay.ts';
import type { CollectionComparison, RowExample } from './comparison-report.ts';
import type { PartitionRows } from './read-rows.ts';

/** By partition; one entry with an empty name where the server spreads the rows itself. */
export type CollectionRows = ReadonlyMap<string, PartitionRows>;

export type RowComparison = Omit<CollectionComparison, 'database' | 'collection' | 'equal' | 'shape'>;

/** Enough to look at by hand; the counts say the rest. */
export const EXAMPLES_MAX = 10;

/** `expected` is undefined when there is no ledger. A partition that one side lacks counts as empty. */
export function compareRows(
  source: CollectionRows,
  target: CollectionRows,
  expected: ExpectedCollection['partitions'] | undefined,
): RowComparison {
  const examples: RowExample[] = [];
  const example = (kind: RowExample['kind'], partition: string, key: string): void => {
    if (examples.length < EXAMPLES_MAX) examples.push({ kind, partition, key });
  };
  let [missing, extra, different] = [0, 0, 0];
  for (const partition of new Set([...source.keys(), ...target.keys()])) {
    const sourceRows = source.get(partition)?.rows ?? new Map<string, string>();
    const targetRows = target.get(partition)?.rows ?? new Map<string, string>();
    for (const [key, hash] of sourceRows) {
      const other = targetRows.get(key);
      if (other === hash) continue;
      if (other === undefined) missing += 1;
      else different += 1;
      example(other === undefined ? 'missing' : 'different', partition, key);
    }
    for (const key of targetRows.keys()) {
      if (sourceRows.has(key)) continue;
      extra += 1;
      example('extra', partition, key);
    }
  }
  return {
    rowsSource: rowsOf(source),
    rowsTarget: rowsOf(target),
    missing,
    extra,
    different,
    doublesSource: doublesOf(source),
    doublesTarget: doublesOf(target),
    ...(expected === undefined ? {} : { ledger: compareWithLedger(source, expected, example) }),
    examples,
  };
}

export function isRowComparisonEqual(rows: RowComparison): boolean {
  const { missing, extra, different, doublesSource, doublesTarget, ledger } = rows;
  const isLedgerEqual =
    ledger === undefined || ledger.sourceMissing + ledger.sourceExtra + ledger.sourceDifferent === 0;
  return missing + extra + different + doublesSource + doublesTarget === 0 && isLedgerEqual;
}

function compareWithLedger(
  source: CollectionRows,
  expected: ExpectedCollection['partitions'],
  example: (kind: RowExample['kind'], partition: string, key: string) => void,
): NonNullable<RowComparison['ledger']> {
  let [rows, sourceMissing, sourceExtra, sourceDifferent] = [0, 0, 0, 0];
  const nothing = new Map<string, Expectation>();
  for (const partition of new Set([...source.keys(), ...expected.keys()])) {
    const sourceRows = source.get(partition)?.rows ?? new Map<string, string>();
    const expectedRows = expected.get(partition) ?? nothing;
    for (const [key, expectation] of expectedRows) {
      const hash = sourceRows.get(key);
      // Where the outcome of an operation is unknown, what the source has is what happened.
      const isRow = expectation.includes(hash) ? hash !== undefined : expectation[0] !== undefined;
      if (isRow) rows += 1;
      if (expectation.includes(hash)) continue;
      if (hash === undefined) sourceMissing += 1;
      else sourceDifferent += 1;
      example(hash === undefined ? 'sourceMissing' : 'sourceDifferent', partition, key);
    }
    for (const key of sourceRows.keys()) {
      if (expectedRows.has(key)) continue;
      sourceExtra += 1;
      example('sourceExtra', partition, key);
    }
  }
  return { rows, sourceMissing, sourceExtra, sourceDifferent };
}

const rowsOf = (rows: CollectionRows): number => sum(rows, (partition) => partition.rows.size);
const doublesOf = (rows: CollectionRows): number => sum(rows, (partition) => partition.count - partition.rows.size);

function sum(rows: CollectionRows, value: (partition: PartitionRows) => number): number {
  let total = 0;
  for (const partition of rows.values()) total += value(partition);
  return total;
}
