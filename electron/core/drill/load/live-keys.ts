import type { Random } from './random.ts';

/** Keys whose rows exist for certain, to choose from at random in constant time. */
export class LiveKeys {
  readonly #keys: string[] = [];

  add(keys: readonly string[]): void {
    for (const key of keys) this.#keys.push(key);
  }

  /** Takes out up to `count` different keys; they are the caller's until it adds them again. */
  take(count: number, random: Random): readonly string[] {
    const taken: string[] = [];
    while (taken.length < count && this.#keys.length > 0) {
      const index = random.below(this.#keys.length);
      const last = this.#keys.pop();
      if (last === undefined) break;
      // The last one fills the place of the one that is taken.
      const chosen = index < this.#keys.length ? (this.#keys[index] ?? last) : last;
      if (index < this.#keys.length) this.#keys[index] = last;
      taken.push(chosen);
    }
    return taken;
  }
}
