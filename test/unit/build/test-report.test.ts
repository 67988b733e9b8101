import { describe, expect, it } from 'vitest';
import { toReport } from '../../../build/test-report.mjs';

const RUN = { root: '/project', seed: 7, code: 0 };

const passed = {
  fullName: 'the program is killed',
  status: 'passed',
  duration: 1234.6,
  failureMessages: [],
  meta: { labSeed: 7, figures: { coreKills: 20 } },
};
const skipped = { fullName: 'with Kafka', status: 'pending', failureMessages: [], meta: {} };
const failed = { fullName: 'the target is killed', status: 'failed', duration: 10, failureMessages: ['1 row doubled'] };

const resultOf = (...files: object[]): object => ({ startTime: 1_000, testResults: files });
const file = (name: string, ...assertionResults: object[]): object => ({
  name: `/project/test/${name}`,
  status: assertionResults.includes(failed) ? 'failed' : 'passed',
  message: '',
  endTime: 5_000,
  assertionResults,
});

describe('the report of a test run', () => {
  it('lists each case with its file, duration, seed and figures', () => {
    expect(toReport(resultOf(file('a.test.ts', passed)), RUN)).toEqual({
      version: 1,
      startedAt: '1970-01-01T00:00:01.000Z',
      durationMs: 4_000,
      isGreen: true,
      labSeed: 7,
      counts: { passed: 1, failed: 0, skipped: 0 },
      tests: [
        {
          file: 'test/a.test.ts',
          name: 'the program is killed',
          status: 'passed',
          durationMs: 1_235,
          seed: 7,
          figures: { coreKills: 20 },
        },
      ],
    });
  });

  it('counts what was skipped, and says why a case failed', () => {
    const report = toReport(resultOf(file('a.test.ts', skipped, failed)), { ...RUN, code: 1 });
    expect(report.counts).toEqual({ passed: 0, failed: 1, skipped: 1 });
    expect(report.tests[1]).toMatchObject({ status: 'failed', failures: ['1 row doubled'] });
  });

  it('counts a file that fails before its first case as a failure', () => {
    const broken = { ...file('b.test.ts'), status: 'failed', message: 'It has no lab.' };
    const report = toReport(resultOf(broken), { ...RUN, code: 1 });
    expect(report.counts.failed).toBe(1);
    expect(report.filesFailed).toEqual([{ file: 'test/b.test.ts', message: 'It has no lab.' }]);
  });

  it('is not green when the runner failed for a reason that no case shows', () => {
    expect(toReport(resultOf(file('a.test.ts', passed)), { ...RUN, code: 1 })).toMatchObject({
      isGreen: false,
      counts: { passed: 1, failed: 1 },
    });
  });
});
