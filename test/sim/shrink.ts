/** Fewer acts of a failing life that still fail. */
import { actsOf, live } from './live.ts';

/** Of real time; a life that hangs takes ten of it. */
const LIMIT_MS = 30_000;

interface FailedLife {
  readonly without: ReadonlySet<number>;
  readonly trace: readonly string[];
  readonly message: string;
}

export interface ShrunkLife extends FailedLife {
  readonly actsLeft: number;
}

async function failureOf(seed: number, without: ReadonlySet<number>): Promise<FailedLife | undefined> {
  const trace: string[] = [];
  try {
    await live(seed, { without, trace });
    return undefined;
  } catch (error) {
    return { without, trace, message: error instanceof Error ? error.message : String(error) };
  }
}

/** Leaves out halves, quarters, ... single acts. `undefined`: the life does not fail when it is lived again. */
export async function shrink(seed: number): Promise<ShrunkLife | undefined> {
  const end = performance.now() + LIMIT_MS;
  const acts = actsOf(seed);
  const whole = await failureOf(seed, new Set());
  if (whole === undefined) return undefined;
  let best: FailedLife = whole;
  for (
    let size = Math.ceil(acts / 2);
    size >= 1 && performance.now() < end;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < acts && performance.now() < end; from += size) {
      const without = new Set<number>(best.without);
      for (let act = from; act < Math.min(acts, from + size); act += 1) without.add(act);
      if (without.size === best.without.size) continue;
      best = (await failureOf(seed, without)) ?? best;
    }
  }
  return { ...best, actsLeft: acts - best.without.size };
}
