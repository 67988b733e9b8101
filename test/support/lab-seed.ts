/**
 * One seed for all that is left to chance in tests on the real lab: which rows are written, and at which of them something is
 * killed. `LIFELINE_LAB_SEED=n` repeats a run; `build/test.mjs` chooses one for all files and prints it.
 */
import { seededRandom, type Random } from '../../electron/core/drill/load/random.ts';

/** True in `npm run test:full`: every case, and as often as it was promised. */
export const IS_FULL = (process.env['LIFELINE_TEST_FULL'] ?? '') !== '';

const SEED_BOUND = 2 ** 31;

/** The seed of this run; without one from outside, a new one for each file. */
export const LAB_SEED = Number(process.env['LIFELINE_LAB_SEED'] ?? Math.floor(Math.random() * SEED_BOUND));

/** Randomness of a named case: independent of which other cases run. */
export const labRandom = (name: string): Random => seededRandom(LAB_SEED).fork(name);

/** `count` different places in [from, below), ascending. There must be so many. */
export function randomPlaces(random: Random, count: number, from: number, below: number): number[] {
  const places = new Set<number>();
  while (places.size < count) places.add(from + random.below(below - from));
  return [...places].sort((a, b) => a - b);
}

/** One place in each of `count` equal parts of [from, below): for what needs time until it can happen again. */
export function spreadPlaces(random: Random, count: number, from: number, below: number): number[] {
  const length = (below - from) / count;
  return Array.from({ length: count }, (_, part) => Math.floor(from + (part + random.next()) * length));
}
