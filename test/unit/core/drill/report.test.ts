import { describe, expect, it } from 'vitest';
import { drillReportSchema, duration, formatReport, type DrillReport } from '../../../../electron/core/drill/report.ts';

const report: DrillReport = {
  version: 1,
  equal: true,
  startedAt: '2026-01-02T03:04:05.678Z',
  durationMs: 48_200,
  wal: 'nats',
  seed: 7,
  rows: { written: 20_649, source: 17_633, target: 17_633, ledger: 17_633 },
  copy: { rows: 4_201, collectionsJoined: 6, sourceDoubles: 0 },
  operations: { total: 265, byKind: { insert: 183, upsert: 40, delete: 40, dropCollection: 2 }, unknown: 0 },
  lagMs: { p50: 412, p99: 1_730 },
  rowsPerSecond: 1_032.4,
  collections: [
    {
      database: 'shop',
      collection: 'orders',
      equal: true,
      rowsSource: 6_218,
      rowsTarget: 6_218,
      missing: 0,
      extra: 0,
      different: 0,
      doublesSource: 0,
      doublesTarget: 0,
      ledger: { rows: 6_218, sourceMissing: 0, sourceExtra: 0, sourceDifferent: 0 },
      shape: [],
      examples: [],
    },
  ],
  phases: [
    { name: 'Start', durationMs: 9_400 },
    { name: 'Load', durationMs: 20_000 },
  ],
};

describe('the report', () => {
  it('goes through its own schema as JSON', () => {
    expect(drillReportSchema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  it('reads well when all is equal', () => {
    expect(formatReport(report)).toMatchInlineSnapshot(`
      "✔ Equal: every row of the source is on the target, by key and full content, and none twice.

        Rows        20,649 written, 17,633 on the source and 17,633 on the target in the end
        Copied      4,201 rows, joined to the log in 6 collections
        Operations  265
                    183 insert, 40 upsert, 40 delete, 2 drop collection
        Lag         p50 0.4 s, p99 1.7 s
        Speed       1,032 rows/s
        Log         nats
        Seed        7
        Time        48 s

        Collection   Source  Ledger  Target  Missing  Extra  Different  Doubled
        shop.orders   6,218   6,218   6,218        0      0          0        0  equal

        Start  9.4 s
        Load   20 s"
    `);
  });

  it('says first what is wrong, and shows the rows at the end', () => {
    const [collection] = report.collections;
    if (collection === undefined) throw new Error('unreachable');
    const text = formatReport({
      ...report,
      equal: false,
      failure: 'shop.orders: 1 row is missing on the target.',
      collections: [
        {
          ...collection,
          equal: false,
          rowsTarget: 6_217,
          missing: 1,
          shape: ['The target lacks the partition p.'],
          examples: [{ kind: 'missing', partition: 'p', key: 'a"b' }],
        },
      ],
    });
    expect(text.split('\n')[0]).toBe('✘ shop.orders: 1 row is missing on the target.');
    expect(text).toContain('NOT EQUAL');
    expect(text).toContain('shop.orders: The target lacks the partition p.');
    expect(text).toContain('shop.orders: key "a\\"b" in p – missing on the target');
  });

  it('shows a dash for what was not measured, never a zero', () => {
    expect(formatReport({ ...report, lagMs: undefined, rowsPerSecond: undefined })).toMatch(/Lag +–\n +Speed +–/);
  });
});

describe('duration', () => {
  it.each([
    [40, '0.0 s'],
    [412, '0.4 s'],
    [9_949, '9.9 s'],
    [9_951, '10 s'],
    [59_400, '59 s'],
    [60_000, '1 min'],
    [125_000, '2 min 5 s'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
