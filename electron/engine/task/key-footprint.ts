/** The keys that a write touches, for one question: is it known that another write touches none of them? */
import type { KeyDigest } from '../codec/key-digest.ts';

export class KeyFootprint {
  readonly #hashes: number[];
  #range: KeyDigest['range'];
  /** Made when a range says too little. */
  #set: Set<number> | undefined;

  /** The digest is the footprint's own from now on. */
  constructor({ hashes, range }: KeyDigest) {
    this.#hashes = hashes;
    this.#range = range;
  }

  /** Ranges first: keys that count upwards, as generated ones do, need nothing else. */
  isApartFrom(other: KeyFootprint): boolean {
    if (this.#range !== undefined && other.#range !== undefined) {
      if (this.#range.max < other.#range.min || other.#range.max < this.#range.min) return true;
    }
    const [few, many] = this.#hashes.length <= other.#hashes.length ? [this, other] : [other, this];
    const set = many.#asSet();
    return few.#hashes.every((hash) => !set.has(hash));
  }

  /** From now on the other one's keys are its own as well. */
  include(other: KeyFootprint): void {
    for (const hash of other.#hashes) {
      this.#hashes.push(hash);
      this.#set?.add(hash);
    }
    if (this.#range === undefined || other.#range === undefined) {
      this.#range = undefined;
      return;
    }
    const { min, max } = other.#range;
    this.#range = {
      min: min < this.#range.min ? min : this.#range.min,
      max: max > this.#range.max ? max : this.#range.max,
    };
  }

  #asSet(): Set<number> {
    return (this.#set ??= new Set(this.#hashes));
  }
}
