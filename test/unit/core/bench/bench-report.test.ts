import { describe, expect, it } from 'vitest';
import { planBench } from '../../../../electron/core/bench/bench-plan.ts';
import { emptyReport, formatReport } from '../../../../electron/core/bench/bench-report.ts';

describe("the bench's table", () => {
  const empty = () => emptyReport('nats', planBench({}), 2);

  it('says nothing of phases that were not run', () => {
    expect(formatReport(empty()).split('\n')).toHaveLength(2);
  });

  it('shows each figure with its unit, and the ratio beside it', () => {
    const report = empty();
    report.raw = {
      insertRowsPerSecond: 100_000,
      machineCpuSecondsPerMillionRows: 16.3,
      concurrency: 2,
      byConcurrency: {},
      rounds: [],
    };
    report.catchUp = {
      rowsPerSecond: 91_234,
      ratioToRaw: 0.912,
      steadyRowsPerSecond: 95_000,
      steadyRatioToRaw: 0.95,
      firstRowsMs: 812,
      untilLevelMs: 3_210,
      cpuSecondsPerMillionRows: 12.5,
      machineCpuSecondsPerMillionRows: 24.75,
      calls: {},
      rounds: [],
    };
    const text = formatReport(report);
    expect(text).toContain('Catch-up');
    expect(text).toContain('91,234 rows/s, 91 % of that');
    expect(text).toContain('12.5 s per million rows');
    expect(text).toContain('24.75 CPU s per million rows');
  });

  it('says when memory was watched too shortly, and when all was quick', () => {
    const short = Object.assign(empty(), { rssSlopeMiBPerMin: 3, slopeMinutes: 1 });
    expect(formatReport(short)).toContain('3 MiB/min, over 1 min, which is too short');
    const long = Object.assign(empty(), { rssSlopeMiBPerMin: 0.1, slopeMinutes: 15 });
    expect(formatReport(long)).not.toContain('too short');
    expect(formatReport(emptyReport('kafka', planBench({ quick: true }), 2))).toContain('these figures mean nothing');
  });
});
