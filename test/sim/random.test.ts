/**
 * Lives of a source made up from seeds (`live.ts`). A failing seed says how to run it alone, and what is left of it when
 * all that is not needed is left out. `npm run test:sim -- --seeds N --first S` runs any others.
 */
import { beforeEach, expect, test } from 'vitest';
import { Coverage } from './coverage.ts';
import { live, useSimulatedTime } from './live.ts';
import { shrink } from './shrink.ts';

beforeEach(useSimulatedTime);

const FIRST = Number(process.env['LIFELINE_SIM_FIRST'] ?? 1);
const SEEDS = Number(process.env['LIFELINE_SIM_SEEDS'] ?? 2_000);
/** A planted defect is to be found, not explained. */
const IS_HUNT = process.env['LIFELINE_PLANTED'] !== undefined;
/** So many lives meet every fault in every state. */
const SEEDS_FOR_ALL_PAIRS = 2_000;
const FAILURES_MAX = 3;

async function explain(seed: number, error: unknown): Promise<string> {
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`seed ${seed}: ${message}`, `  again: npm run test:sim -- --seeds 1 --first ${seed}`];
  const shrunk = IS_HUNT ? undefined : await shrink(seed);
  if (shrunk !== undefined) {
    lines.push(`  ${shrunk.actsLeft} acts are enough: ${shrunk.message}`, ...shrunk.trace.map((line) => `    ${line}`));
  } else if (!IS_HUNT) {
    lines.push('  It does not fail when it is lived again.');
  }
  return lines.join('\n');
}

test(
  'whatever happens to the source, and however often the engine dies, the target ends like the source',
  { timeout: 3_600_000 },
  async () => {
    const coverage = new Coverage();
    const failed: string[] = [];
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      try {
        await live(seed, { coverage });
      } catch (error) {
        failed.push(await explain(seed, error));
        if (IS_HUNT || failed.length >= FAILURES_MAX) break;
      }
    }
    expect(failed.join('\n')).toBe('');
    expect(coverage.surprising()).toEqual([]);
    if (SEEDS < SEEDS_FOR_ALL_PAIRS) return;
    console.log(coverage.table());
    expect(coverage.missing()).toEqual([]);
  },
);
