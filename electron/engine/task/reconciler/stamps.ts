/**
 * When a difference between catalogue and target may be closed. A reading of the catalogue runs ahead of the log: what it shows
 * may stand in the log, on its way. So each thing that is seen differently gets a stamp: the ends of the log after the reading;
 * and is due when the log has been applied past the stamp _and_ a later reading shows the same.
 */
export class Stamps {
  readonly #pending = new Map<string, { readonly state: string; isPassed: boolean }>();

  /**
   * A reading shows `state` of the object. @returns `due`: to be closed now; `new`: its stamp is to be taken; `waiting`: it has
   * been, and has not been passed.
   */
  seen(object: string, state: string): 'due' | 'new' | 'waiting' {
    const pending = this.#pending.get(object);
    if (pending?.state === state) return pending.isPassed ? 'due' : 'waiting';
    this.#pending.set(object, { state, isPassed: false });
    return 'new';
  }

  /** The log has been applied past the stamp that was taken when `state` was seen. @returns whether that still counts. */
  passed(object: string, state: string): boolean {
    const pending = this.#pending.get(object);
    if (pending?.state !== state) return false;
    pending.isPassed = true;
    return true;
  }

  /** Closed, or no difference any more. */
  forget(object: string): void {
    this.#pending.delete(object);
  }

  /** Nothing is shown any more of the others. */
  keep(objects: ReadonlySet<string>): void {
    for (const object of [...this.#pending.keys()]) if (!objects.has(object)) this.#pending.delete(object);
  }

  toString(): string {
    return [...this.#pending].map(([object, { isPassed }]) => `${object}${isPassed ? ' passed' : ''}`).join();
  }

  get size(): number {
    return this.#pending.size;
  }
}
