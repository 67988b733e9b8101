/**
 * `npm test` and `npm run test:full`: sets up what is missing, runs the suites, and ends with one line of totals.
 * Arguments go to vitest (a file name runs only that file), except for `--report FILE` of a full run: where its report goes.
 */
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ensureBuilt, ensureInstalled, nodeProgram, packageProgram, root, run } from './setup.mjs';
import { toReport } from './test-report.mjs';

const args = process.argv.slice(2);
const isFull = args[0] === '--full';
if (isFull) args.shift();

const folder = mkdtempSync(join(tmpdir(), 'lifeline-test-'));
const resultFile = join(folder, 'result.json');
let code = 1;
try {
  const reportFile = takeReportFile();
  await ensureInstalled();
  await ensureBuilt();
  // One for all files, so that one number repeats the run.
  const seed = process.env.LIFELINE_LAB_SEED ?? String(randomInt(2 ** 31));
  process.stderr.write(`LIFELINE_LAB_SEED=${seed} repeats what is left to chance on the lab.\n`);
  const reporters = [
    '--reporter',
    isFull ? 'verbose' : 'default',
    '--reporter',
    'json',
    '--outputFile.json',
    resultFile,
  ];
  code = await run(nodeProgram(), [packageProgram('vitest', 'vitest'), 'run', ...reporters, ...args], {
    env: { ...process.env, LIFELINE_TEST_FULL: isFull ? '1' : '', LIFELINE_LAB_SEED: seed },
  });
  if (existsSync(resultFile)) {
    const report = toReport(JSON.parse(readFileSync(resultFile, 'utf8')), { root, seed: Number(seed), code });
    const { passed, failed, skipped } = report.counts;
    if (reportFile !== undefined) {
      mkdirSync(dirname(reportFile), { recursive: true });
      writeFileSync(reportFile, `${JSON.stringify(report, undefined, 2)}\n`);
      process.stdout.write(`Report: ${reportFile}\n`);
    }
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);

/** Takes the option out of what goes to vitest. A full run without it writes its report beside the build. */
function takeReportFile() {
  const index = args.findIndex((arg) => arg === '--report' || arg.startsWith('--report='));
  if (index === -1) return isFull ? join(root, 'out', 'test-report.json') : undefined;
  const [option, next] = args.splice(index, args[index] === '--report' ? 2 : 1);
  const file = option === '--report' ? next : option.slice('--report='.length);
  if (!isFull || !file) throw new Error('--report takes the name of a file, and needs "npm run test:full".');
  return resolve(file);
}
