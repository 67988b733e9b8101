/** What is to happen to a task while a load runs, each at a number of rows written. */
import type { LoadProgress } from '../../electron/core/drill/load/run-load.ts';
import type { ServedTask } from './served-task.ts';

interface LoadStep {
  /** Written by the load when this begins, unless the step before still runs. */
  readonly rows: number;
  readonly run: () => Promise<void>;
}

/** Runs one step after the other, in their order, however fast the load is. */
export class LoadSteps {
  readonly #left: LoadStep[];
  #last: Promise<void> = Promise.resolve();

  constructor(steps: readonly LoadStep[]) {
    this.#left = [...steps];
  }

  readonly onProgress = ({ rowsInserted }: LoadProgress): void => {
    const [next] = this.#left;
    if (next === undefined || rowsInserted < next.rows) return;
    this.#left.shift();
    this.queue(next.run);
  };

  /** Behind what runs already. */
  queue(run: () => Promise<void>): void {
    this.#last = this.#last.then(run);
  }

  /** Once the load has ended. Rejects with the first failure of a step, and when the load was too short for one of them. */
  async ended(): Promise<void> {
    await this.#last;
    if (this.#left.length === 0) return;
    const rows = this.#left.map((step) => step.rows).join(', ');
    throw new Error(`The load ended before the steps at ${rows} rows.`);
  }
}

/** Begun with a third of the rows there; killed at once, so in its copy, and with two thirds, so behind it. */
export function begunLateAndKilledTwice(task: ServedTask, rows: number): LoadSteps {
  const begin = (): Promise<void> => {
    task.start();
    return Promise.resolve();
  };
  const restart = (): Promise<void> => task.kill().then(begin);
  return new LoadSteps([
    { rows: rows / 3, run: begin },
    { rows: rows / 3 + 400, run: restart },
    { rows: (rows / 3) * 2, run: restart },
  ]);
}
