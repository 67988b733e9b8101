/**
 * The report of a drill as far as the window shows it. The contract carries it as plain JSON, so every field is looked
 * at before it is used; what is missing is not shown.
 */
export interface ReportCollection {
  readonly name: string;
  readonly isEqual: boolean;
  readonly source: number;
  readonly target: number;
  readonly ledger: number | undefined;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly doubled: number;
  /** Differences of schema, partitions, indexes: one sentence each, in English. */
  readonly shape: readonly string[];
}

export interface ShownReport {
  readonly isEqual: boolean;
  /** Why it did not end equal. */
  readonly failure: string | undefined;
  readonly rowsWritten: number;
  /** By the copy that precedes following; `undefined`: it did not get so far, or a report of an earlier version. */
  readonly copied: { readonly rows: number; readonly collections: number } | undefined;
  readonly operations: number;
  readonly lag: { readonly p50: number; readonly p99: number } | undefined;
  readonly rowsPerSecond: number | undefined;
  readonly log: string | undefined;
  readonly durationMs: number;
  readonly collections: readonly ReportCollection[];
  readonly phases: readonly { readonly name: string; readonly durationMs: number }[];
}

type Json = Readonly<Record<string, unknown>>;

const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export function readReport(report: Json): ShownReport {
  const lag = objectOf(report['lagMs']);
  const [p50, p99] = [numberOf(lag['p50']), numberOf(lag['p99'])];
  return {
    isEqual: report['equal'] === true,
    failure: textOf(report['failure']),
    rowsWritten: numberOf(objectOf(report['rows'])['written']) ?? 0,
    copied: readCopy(objectOf(report['copy'])),
    operations: numberOf(objectOf(report['operations'])['total']) ?? 0,
    lag: p50 === undefined || p99 === undefined ? undefined : { p50, p99 },
    rowsPerSecond: numberOf(report['rowsPerSecond']),
    log: textOf(report['wal']),
    durationMs: numberOf(report['durationMs']) ?? 0,
    collections: listOf(report['collections']).map((value) => readCollection(objectOf(value))),
    phases: listOf(report['phases']).map((value) => {
      const phase = objectOf(value);
      return { name: textOf(phase['name']) ?? '', durationMs: numberOf(phase['durationMs']) ?? 0 };
    }),
  };
}

function readCopy(copy: Json): ShownReport['copied'] {
  const [rows, collections] = [numberOf(copy['rows']), numberOf(copy['collectionsJoined'])];
  return rows === undefined || collections === undefined ? undefined : { rows, collections };
}

function readCollection(value: Json): ReportCollection {
  const count = (name: string): number => numberOf(value[name]) ?? 0;
  return {
    name: `${textOf(value['database']) ?? ''}.${textOf(value['collection']) ?? ''}`,
    isEqual: value['equal'] === true,
    source: count('rowsSource'),
    target: count('rowsTarget'),
    ledger: numberOf(objectOf(value['ledger'])['rows']),
    missing: count('missing'),
    extra: count('extra'),
    different: count('different'),
    doubled: count('doublesTarget'),
    shape: listOf(value['shape']).flatMap((sentence) => textOf(sentence) ?? []),
  };
}
