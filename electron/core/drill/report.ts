/** The report of a drill: what a machine reads (`--json`) and what a person reads, from the same data. */
import { z } from 'zod';
import { collectionComparisonSchema, type CollectionComparison } from './compare/comparison-report.ts';
import { OPERATION_KINDS } from './load/ledger.ts';

const phaseSchema = z.strictObject({ name: z.string(), durationMs: z.number() });

export const drillReportSchema = z.strictObject({
  version: z.literal(1),
  equal: z.boolean(),
  /** ISO 8601, UTC. */
  startedAt: z.iso.datetime(),
  durationMs: z.number(),
  /** Kind of the source's log. */
  wal: z.string(),
  /** Writes the same load again. */
  seed: z.int(),
  rows: z.strictObject({
    /** Over all acknowledged inserts and upserts. */
    written: z.int(),
    /** In the end, by key. */
    source: z.int(),
    target: z.int(),
    ledger: z.int(),
  }),
  /** What was there before the replication began; absent when it did not get so far. */
  copy: z
    .strictObject({
      /** Distinct keys that the copy has written. */
      rows: z.int(),
      /** Collections whose copy and log have met. One that is dropped before never joins. */
      collectionsJoined: z.int(),
      /** Rows of the source that shared their key with another one. */
      sourceDoubles: z.int(),
    })
    .optional(),
  operations: z.strictObject({
    total: z.int(),
    /** Acknowledged, by kind. */
    byKind: z.partialRecord(z.enum(OPERATION_KINDS), z.int()),
    /** Their answer was lost; either outcome was allowed. */
    unknown: z.int(),
  }),
  /** From the source's acknowledgement to the target's confirmation; absent when nothing was measured. */
  lagMs: z.strictObject({ p50: z.number(), p99: z.number() }).optional(),
  /** Replicated, over the time from the first write to the last confirmation; absent when nothing was measured. */
  rowsPerSecond: z.number().optional(),
  collections: z.array(collectionComparisonSchema),
  phases: z.array(phaseSchema),
  /** One sentence: why the drill did not end equal. */
  failure: z.string().optional(),
});

export type DrillReport = z.infer<typeof drillReportSchema>;

/** Plain text without colours, ending without a line break. Numbers in the manner of English. */
export function formatReport(report: DrillReport): string {
  const blocks = [verdict(report), overview(report)];
  if (report.collections.length > 0) blocks.push(table(report.collections));
  const problems = report.collections.flatMap(problemLines);
  if (problems.length > 0) blocks.push(problems.join('\n'));
  blocks.push(phases(report));
  return blocks.join('\n\n');
}

function verdict(report: DrillReport): string {
  if (report.equal)
    return `✔ Equal: every row of the source is on the target, by key and full content, and none twice.`;
  return `✘ ${report.failure ?? 'Source, ledger and target are not equal.'}`;
}

function overview({ rows, copy, operations, lagMs, rowsPerSecond, wal, seed, durationMs }: DrillReport): string {
  const kinds = OPERATION_KINDS.flatMap((kind) => {
    const count = operations.byKind[kind] ?? 0;
    return count === 0 ? [] : [`${whole(count)} ${words(kind)}`];
  });
  return labelled([
    [
      'Rows',
      `${whole(rows.written)} written, ${whole(rows.source)} on the source and ${whole(rows.target)} on the target in the end`,
    ],
    [
      'Copied',
      copy === undefined
        ? '–'
        : `${whole(copy.rows)} rows, joined to the log in ${whole(copy.collectionsJoined)} collections`,
    ],
    [
      'Operations',
      `${whole(operations.total)}${operations.unknown === 0 ? '' : `, and ${whole(operations.unknown)} whose answer was lost`}`,
    ],
    ...inLines(kinds, KINDS_PER_LINE).map((line): [string, string] => ['', line]),
    ['Lag', lagMs === undefined ? '–' : `p50 ${duration(lagMs.p50)}, p99 ${duration(lagMs.p99)}`],
    ['Speed', rowsPerSecond === undefined ? '–' : `${whole(rowsPerSecond)} rows/s`],
    ['Log', wal],
    ['Seed', String(seed)],
    ['Time', duration(durationMs)],
  ]);
}

const KINDS_PER_LINE = 5;

function table(collections: readonly CollectionComparison[]): string {
  const header = ['Collection', 'Source', 'Ledger', 'Target', 'Missing', 'Extra', 'Different', 'Doubled', ''];
  const lines = collections.map((collection) => [
    `${collection.database}.${collection.collection}`,
    whole(collection.rowsSource),
    collection.ledger === undefined ? '–' : whole(collection.ledger.rows),
    whole(collection.rowsTarget),
    whole(collection.missing),
    whole(collection.extra),
    whole(collection.different),
    whole(collection.doublesTarget),
    collection.equal ? 'equal' : 'NOT EQUAL',
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const row = (cells: readonly string[]): string =>
    cells
      // Names to the left, numbers to the right.
      .map((cell, column) =>
        column === 0 || column === cells.length - 1
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [header, ...lines].map((cells) => `  ${row(cells)}`).join('\n');
}

function problemLines({ database, collection, shape, examples }: CollectionComparison): string[] {
  const name = `${database}.${collection}`;
  return [
    ...shape.map((sentence) => `  ${name}: ${sentence}`),
    ...examples.map(
      ({ kind, partition, key }) =>
        `  ${name}: key ${JSON.stringify(key)}${partition === '' ? '' : ` in ${partition}`} – ${EXAMPLE_WORDS[kind]}`,
    ),
  ];
}

const EXAMPLE_WORDS = {
  missing: 'missing on the target',
  extra: 'on the target only',
  different: 'other content on the target',
  sourceMissing: 'acknowledged, but not on the source',
  sourceExtra: 'on the source, but not in the ledger',
  sourceDifferent: 'other content on the source than in the ledger',
} as const;

const phases = ({ phases: all }: DrillReport): string =>
  labelled(all.map(({ name, durationMs }): [string, string] => [name, duration(durationMs)]));

/** One line for each pair, the second parts below one another. */
function labelled(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([label]) => label.length));
  return pairs.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`).join('\n');
}

function inLines(parts: readonly string[], perLine: number): string[] {
  const lines: string[] = [];
  for (let start = 0; start < parts.length; start += perLine)
    lines.push(parts.slice(start, start + perLine).join(', '));
  return lines;
}

const numberFormat = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const whole = (value: number): string => numberFormat.format(value);

/** One decimal below ten seconds, then whole units. */
export function duration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${String(seconds)} s`;
  const rest = seconds % 60;
  return `${whole(Math.floor(seconds / 60))} min${rest === 0 ? '' : ` ${String(rest)} s`}`;
}

/** `createPartition` as "create partition". */
const words = (kind: string): string => kind.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
