/**
 * The report of a test run, from what vitest's own JSON reporter wrote: every case with its duration and the figures that it attached
 * (`test/support/lab-figures.ts`), and why it failed.
 */
import { relative, sep } from 'node:path';

/**
 * @param result of vitest's JSON reporter
 * @param run `root`: files are named from there; `seed` of what is left to chance on the lab; `code`: vitest's exit code
 */
export function toReport(result, { root, seed, code }) {
  const tests = result.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status, duration, failureMessages, meta }) => ({
      file: relative(root, name).split(sep).join('/'),
      name: fullName,
      status: status === 'passed' || status === 'failed' ? status : 'skipped',
      durationMs: Math.round(duration ?? 0),
      ...(meta?.labSeed === undefined ? {} : { seed: meta.labSeed }),
      ...(meta?.figures === undefined ? {} : { figures: meta.figures }),
      ...(failureMessages.length === 0 ? {} : { failures: failureMessages }),
    })),
  );
  // A file that fails before its first case has none to show it.
  const filesFailed = result.testResults
    .filter(({ status, assertionResults }) => status === 'failed' && !assertionResults.some(isFailed))
    .map(({ name, message }) => ({ file: relative(root, name).split(sep).join('/'), message }));
  const count = (status) => tests.filter((test) => test.status === status).length;
  const failed = count('failed') + filesFailed.length;
  return {
    version: 1,
    startedAt: new Date(result.startTime).toISOString(),
    durationMs: Math.max(0, ...result.testResults.map(({ endTime }) => Math.round(endTime - result.startTime))),
    isGreen: code === 0,
    labSeed: seed,
    counts: { passed: count('passed'), failed: code !== 0 && failed === 0 ? 1 : failed, skipped: count('skipped') },
    tests,
    ...(filesFailed.length === 0 ? {} : { filesFailed }),
  };
}

const isFailed = ({ status }) => status === 'failed';
