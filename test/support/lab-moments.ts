/** Things that happen when a load has inserted so many rows: the same seed, the same rows before each. */
export interface Moment {
  readonly atRows: number;
  readonly run: () => Promise<void>;
}

export class Moments {
  readonly #left: Moment[];
  #rows = 0;
  #running = Promise.resolve();

  constructor(moments: readonly Moment[]) {
    this.#left = [...moments].sort((a, b) => a.atRows - b.atRows);
  }

  /** To be called with each batch. One moment follows the other, the load does not wait for them. */
  readonly onRowsInserted = (count: number): void => {
    this.#rows += count;
    for (let [next] = this.#left; next !== undefined && next.atRows <= this.#rows; [next] = this.#left) {
      this.#left.shift();
      const { run } = next;
      this.#running = this.#running.then(run);
      // Thrown by `settle`.
      this.#running.catch(() => undefined);
    }
  };

  /** Resolves when all that has begun is over. Rejects with the first failure, and when a moment never came. */
  async settle(): Promise<void> {
    await this.#running;
    if (this.#left.length > 0) {
      throw new Error(`The load ended at row ${this.#rows}, before the moment at row ${this.#left[0]?.atRows}.`);
    }
  }
}
