/** Figures that a case attaches to its result: they stand under `meta` in the report of `npm run test:full`. */
import type { TestContext } from 'vitest';
import { LAB_SEED } from './lab-seed.ts';

export type Figures = Readonly<Record<string, number | string | readonly number[]>>;

declare module 'vitest' {
  interface TaskMeta {
    labSeed?: number;
    figures?: Figures;
  }
}

/** Adds to what the case has attached already. Also when it fails later, the report has them. */
export function attachFigures({ task }: Pick<TestContext, 'task'>, figures: Figures): void {
  task.meta.labSeed = LAB_SEED;
  task.meta.figures = { ...task.meta.figures, ...figures };
}

/** For `beforeEach`: whatever becomes of the case, its seed is said and stands in the report. */
export async function announceSeed(context: Pick<TestContext, 'task' | 'annotate'>): Promise<void> {
  attachFigures(context, {});
  await context.annotate(`LIFELINE_LAB_SEED=${LAB_SEED} repeats it.`);
}
