/** What the simulation is worth: each of these defects, planted into the real source, makes it fail. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../random-life.ts';
import { DEFECTS } from './defects.ts';
import { hunt } from './hunt.ts';

const SAMPLE = 3;
const SAMPLE_SEED = Number(process.env['LIFELINE_SIM_SAMPLE'] ?? 1);
const HUNT_LIMIT_MS = 600_000;

function sample(): typeof DEFECTS {
  if (process.env['LIFELINE_TEST_FULL']) return DEFECTS;
  const random = new Random(SAMPLE_SEED);
  const left = [...DEFECTS];
  return Array.from({ length: SAMPLE }, () => left.splice(random.below(left.length), 1)).flat();
}

test.each(DEFECTS)('the place of "$name" is there, once', ({ file, from }) => {
  const code = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  expect(code.split(from).length - 1).toBe(1);
});

test('the hunt finds nothing where there is nothing', { timeout: HUNT_LIMIT_MS }, async () => {
  const [defect] = DEFECTS;
  if (defect === undefined) throw new Error('There are defects.');
  expect(await hunt(defect, { isHarmless: true })).toBeUndefined();
});

describe('within 500 lives, or by the scenarios made for it', () => {
  test.each(sample())('"$name" is found', { timeout: HUNT_LIMIT_MS }, async (defect) => {
    expect(await hunt(defect)).toBeDefined();
  });
});
