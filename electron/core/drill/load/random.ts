/** Randomness that a seed repeats: the same seed writes the same rows in the same order. */

export interface Random {
  /** A float in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  below(bound: number): number;
  /** 64 random bits. */
  bits64(): bigint;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /** A generator of its own for a named part of the work, so that parts running side by side do not disturb each other. */
  fork(name: string): Random;
}

/** mulberry32: 32 bits of state, far more than enough to make test data. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    below,
    bits64: () => (BigInt(below(2 ** 32)) << 32n) | BigInt(below(2 ** 32)),
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    fork: (name) => {
      // FNV-1a, so that the child depends on the seed and the name and on nothing that was drawn before.
      let hash = 0x811c9dc5;
      for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      return seededRandom(seed ^ hash);
    },
  };
}
