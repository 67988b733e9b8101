/** Runs the simulation with one defect planted, in a process of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Defect } from './defects.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs');
const SEEDS_MAX = 500;
/** Where nothing is to be found. */
const SEEDS_HARMLESS = 50;
/** 500 lives take some 20 s, on a busy machine several times that. */
const LIMIT_MS = 180_000;

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly failureMessages: readonly string[] }[];
  }[];
}

/** How the defect showed; `undefined`: it did not. `isHarmless`: all is done as ever, and nothing changed. */
export async function hunt(defect: Defect, { isHarmless = false } = {}): Promise<string | undefined> {
  for (const suite of ['random.test.ts', ...(defect.suites ?? [])]) {
    const found = await failureIn(`test/sim/${suite}`, defect, isHarmless);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function failureIn(suite: string, { name }: Defect, isHarmless: boolean): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-hunt-'));
  try {
    const file = join(folder, 'report.json');
    const args = [
      VITEST,
      'run',
      '--config',
      'test/sim/vitest.config.ts',
      '--reporter',
      'json',
      '--outputFile',
      file,
      suite,
    ];
    const env = {
      ...process.env,
      LIFELINE_PLANTED: name,
      LIFELINE_SIM_SEEDS: String(isHarmless ? SEEDS_HARMLESS : SEEDS_MAX),
      LIFELINE_SIM_FIRST: '1',
      LIFELINE_PLANTED_HARMLESS: isHarmless ? '1' : '',
    };
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, { cwd: ROOT, env, timeout: LIMIT_MS }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      throw new Error(`The hunt in ${suite} did not run: ${output}`, { cause });
    }
    // A suite that could not even be loaded has no results, and has found nothing.
    const results = (JSON.parse(text) as Report).testResults.flatMap(({ assertionResults }) => assertionResults);
    if (results.length === 0) throw new Error(`The hunt in ${suite} ran no test: ${text}`);
    return results.find(({ status }) => status === 'failed')?.failureMessages.join('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
