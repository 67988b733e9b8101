import { describe, expect, it } from 'vitest';
import { planBench } from '../../../../electron/core/bench/bench-plan.ts';

describe('the plan of a bench', () => {
  it('takes the sizes that published figures are measured with', () => {
    expect(planBench({})).toMatchObject({ isQuick: false, rows: 200_000, rounds: 3, batchRows: 2_000 });
    expect(planBench({}).collectionCounts).toEqual([1, 10, 100]);
    expect(planBench({}).phases.size).toBe(6);
  });

  it('takes what is asked for, in a quick run too', () => {
    expect(planBench({ quick: true, rows: 10 })).toMatchObject({ isQuick: true, rows: 10, rounds: 1 });
  });

  it('goes up to the number of collections that is asked for', () => {
    expect(planBench({ collections: 500 }).collectionCounts).toEqual([1, 10, 100, 500]);
    expect(planBench({ collections: 20 }).collectionCounts).toEqual([1, 10, 20]);
    expect(planBench({ collections: 10 }).collectionCounts).toEqual([1, 10]);
  });

  it('runs some phases, and knows their names', () => {
    expect([...planBench({ phases: 'lag, copy' }).phases]).toEqual(['copy', 'lag']);
    expect(() => planBench({ phases: 'lag,speed' })).toThrow('There is no phase named "speed".');
  });
});
