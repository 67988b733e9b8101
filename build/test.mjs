/**
 * `npm test` and `npm run test:full`: sets up what is missing, runs the suites, and ends with one line of totals.
 * Arguments go to vitest (a file name runs only that file).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, nodeProgram, packageProgram, run } from './setup.mjs';

const args = process.argv.slice(2);
const isFull = args[0] === '--full';
if (isFull) args.shift();

const folder = mkdtempSync(join(tmpdir(), 'lifeline-test-'));
const resultFile = join(folder, 'result.json');
let code = 1;
try {
  await ensureInstalled();
  await ensureBuilt();
  const reporters = [
    '--reporter',
    isFull ? 'verbose' : 'default',
    '--reporter',
    'json',
    '--outputFile.json',
    resultFile,
  ];
  code = await run(nodeProgram(), [packageProgram('vitest', 'vitest'), 'run', ...reporters, ...args], {
    env: { ...process.env, LIFELINE_TEST_FULL: isFull ? '1' : '' },
  });
  if (existsSync(resultFile)) {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(resultFile, 'utf8'),
    );
    const failed = code !== 0 && numFailedTests === 0 ? 1 : numFailedTests;
    process.stdout.write(`${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped\n`);
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
