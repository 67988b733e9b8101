import { describe, expect, test } from 'vitest';
import { ReadBudget, type Admission, type BudgetMember } from '../../../../electron/engine/runtime/read-budget.ts';
import type { TimeTick } from '../../../../shared/time/time-tick.ts';

const never = new AbortController().signal;

function member(tick: number, hasWork = false): BudgetMember & { work: boolean } {
  const made = { work: hasWork, readTick: () => BigInt(tick) as TimeTick, hasWork: () => made.work };
  return made;
}

/** Whether it has been admitted so far. */
async function state(admission: Promise<Admission>): Promise<Admission | 'waits'> {
  return Promise.race([admission, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);
}

describe('the read budget', () => {
  test('shares what is free between all channels that read', async () => {
    const budget = new ReadBudget(1_000);
    for (let joined = 0; joined < 4; joined += 1) budget.join();
    expect(await budget.admit(member(1), never)).toEqual({ bytesMax: 250, outlineOnly: false });
  });

  test('is not exceeded by more than a message each, however unevenly the channels read', async () => {
    const budget = new ReadBudget(1_000);
    const slow = member(1);
    const quick = member(1, true);
    budget.join();
    budget.join();
    const promised = await budget.admit(slow, never);
    for (let read = 0; read < 100; read += 1) {
      const admission = await state(budget.admit(quick, never));
      if (admission === 'waits') break;
      budget.hold(admission.bytesMax);
      budget.finished(admission);
    }
    budget.hold(promised.bytesMax);
    budget.finished(promised);
    expect(budget.peakBytes).toBeLessThanOrEqual(1_000);
  });

  test('lets a channel with work of its own wait until memory is free', async () => {
    const budget = new ReadBudget(100);
    budget.join();
    budget.hold(100);
    const admission = budget.admit(member(1, true), never);
    expect(await state(admission)).toBe('waits');
    budget.release(100);
    expect(await admission).toMatchObject({ outlineOnly: false });
  });

  test('lets the channel furthest behind through, one message at a time and without its bytes', async () => {
    const budget = new ReadBudget(100);
    budget.hold(200);
    const busy = member(1, true);
    const [ahead, behind] = [member(9), member(3)];
    const waiting = [budget.admit(busy, never)];
    // Asked while it is alone, a channel without work is let through: it may be the one that the others wait for.
    expect(await state(budget.admit(ahead, never))).toEqual({ bytesMax: 1, outlineOnly: true });
    expect(await state(budget.admit(behind, never))).toEqual({ bytesMax: 1, outlineOnly: true });
    expect(await state(waiting[0] ?? Promise.reject(new Error()))).toBe('waits');
  });

  test('lets the one furthest behind through first when several have run out of work', async () => {
    const budget = new ReadBudget(100);
    budget.hold(200);
    const [ahead, behind] = [member(9, true), member(3, true)];
    const [first, second] = [budget.admit(ahead, never), budget.admit(behind, never)];
    ahead.work = false;
    behind.work = false;
    budget.changed();
    expect(await state(second)).toMatchObject({ outlineOnly: true });
    expect(await state(first)).toBe('waits');
    budget.changed();
    expect(await state(first)).toMatchObject({ outlineOnly: true });
  });

  test('remembers its peak', () => {
    const budget = new ReadBudget(100);
    budget.hold(80);
    budget.release(50);
    budget.hold(10);
    expect(budget).toMatchObject({ usedBytes: 40, peakBytes: 80 });
  });

  test('rejects a waiting channel with the reason of the abort, and forgets it', async () => {
    const budget = new ReadBudget(100);
    budget.hold(100);
    const stop = new AbortController();
    const admission = budget.admit(member(1, true), stop.signal);
    stop.abort(new Error('stopped'));
    await expect(admission).rejects.toThrow('stopped');
    await expect(budget.admit(member(1), stop.signal)).rejects.toThrow('stopped');
    budget.release(100);
  });
});
