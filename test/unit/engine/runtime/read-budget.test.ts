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
  function joined(limitBytes: number, ...members: readonly BudgetMember[]): ReadBudget {
    const budget = new ReadBudget(limitBytes);
    for (const one of members) budget.join(one);
    return budget;
  }

  test('sets half of itself aside, in equal parts for the channels that read', async () => {
    const [first, second] = [member(1), member(2)];
    const budget = joined(1_000, first, second);
    expect(await budget.admit(first, never)).toEqual({ bytesMax: 250, outlineOnly: false });
    expect(await budget.admit(second, never)).toEqual({ bytesMax: 250, outlineOnly: false });
  });

  test('gives the rest to whoever has read and asks for more, and nothing of it to those that wait at the broker', async () => {
    const busy = member(1, true);
    const idle = Array.from({ length: 9 }, () => member(1));
    const budget = joined(1_000, busy, ...idle);
    for (const one of idle) expect(await budget.admit(one, never)).toMatchObject({ bytesMax: 50 });
    const first = await budget.admit(busy, never);
    budget.hold(busy, 50);
    budget.finished(busy, first);
    expect(await budget.admit(busy, never)).toEqual({ bytesMax: 500, outlineOnly: false });
  });

  test('lets a channel whose changes are taken read on, whole messages, while those of another one wait', async () => {
    const [stuck, quick] = [member(1, true), member(2)];
    const budget = joined(1_000, stuck, quick);
    budget.hold(stuck, 900);
    expect(await state(budget.admit(stuck, never))).toBe('waits');
    for (let turn = 0; turn < 3; turn += 1) {
      const admission = await budget.admit(quick, never);
      expect(admission).toEqual({ bytesMax: 250, outlineOnly: false });
      budget.hold(quick, 250);
      budget.finished(quick, admission);
      budget.release(quick, 250);
    }
  });

  test('divides anew when a channel ends, and counts what it still holds', async () => {
    const [ended, other] = [member(1, true), member(2)];
    const budget = joined(1_000, ended, other);
    budget.hold(ended, 300);
    budget.leave(ended);
    const whole = await budget.admit(other, never);
    expect(whole).toMatchObject({ bytesMax: 500 });
    budget.hold(other, 500);
    budget.finished(other, whole);
    expect(await budget.admit(other, never)).toMatchObject({ bytesMax: 200 });
    budget.release(ended, 300);
    expect(budget.usedBytes).toBe(500);
  });

  test('is not exceeded by more than a message each, however unevenly the channels read', async () => {
    const slow = member(1);
    const quick = member(1, true);
    const budget = joined(1_000, slow, quick);
    const promised = await budget.admit(slow, never);
    for (let read = 0; read < 100; read += 1) {
      const admission = await state(budget.admit(quick, never));
      if (admission === 'waits') break;
      budget.hold(quick, admission.bytesMax);
      budget.finished(quick, admission);
    }
    budget.hold(slow, promised.bytesMax);
    budget.finished(slow, promised);
    expect(budget.peakBytes).toBe(1_000);
  });

  test('lets a channel with work of its own wait until memory is free', async () => {
    const busy = member(1, true);
    const budget = joined(100, busy);
    budget.hold(busy, 100);
    const admission = budget.admit(busy, never);
    expect(await state(admission)).toBe('waits');
    budget.release(busy, 100);
    expect(await admission).toMatchObject({ outlineOnly: false });
  });

  test('lets the channel furthest behind through, one message at a time and without its bytes', async () => {
    const busy = member(1, true);
    const [ahead, behind] = [member(9), member(3)];
    const budget = joined(100, busy, ahead, behind);
    for (const one of [busy, ahead, behind]) budget.hold(one, 70);
    const waiting = budget.admit(busy, never);
    // Asked while it is alone, a channel without work is let through: it may be the one that the others wait for.
    expect(await state(budget.admit(ahead, never))).toEqual({ bytesMax: 1, outlineOnly: true });
    expect(await state(budget.admit(behind, never))).toEqual({ bytesMax: 1, outlineOnly: true });
    expect(await state(waiting)).toBe('waits');
  });

  test('lets the one furthest behind through first when several have run out of work', async () => {
    const [ahead, behind] = [member(9, true), member(3, true)];
    const budget = joined(100, ahead, behind);
    for (const one of [ahead, behind]) budget.hold(one, 100);
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
    const one = member(1);
    const budget = joined(100, one);
    budget.hold(one, 80);
    budget.release(one, 50);
    budget.hold(one, 10);
    expect(budget).toMatchObject({ usedBytes: 40, peakBytes: 80 });
  });

  test('rejects a waiting channel with the reason of the abort, and forgets it', async () => {
    const busy = member(1, true);
    const budget = joined(100, busy);
    budget.hold(busy, 100);
    const stop = new AbortController();
    const admission = budget.admit(busy, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(admission).rejects.toThrow('stopped');
    await expect(budget.admit(busy, stop.signal)).rejects.toThrow('stopped');
    budget.release(busy, 100);
  });
});
