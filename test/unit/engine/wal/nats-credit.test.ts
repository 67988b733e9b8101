import { describe, expect, it } from 'vitest';
import { NatsCredit } from '../../../../electron/engine/source/wal/nats-credit.ts';

const never = new AbortController().signal;

describe('the credit of one NATS connection', () => {
  it('stays within 16 MiB for up to a thousand readers, and gives none more than 1 MiB', () => {
    const credit = new NatsCredit();
    for (let readers = 1; readers <= 1_000; readers += 1) {
      credit.addReader();
      expect(credit.share * readers).toBeLessThanOrEqual(16 * 1024 * 1024);
      expect(credit.share).toBeLessThanOrEqual(1024 * 1024);
    }
    for (let readers = 0; readers < 1_000; readers += 1) credit.removeReader();
    expect(credit.share).toBe(1024 * 1024);
  });

  it('lets one large message through at a time, in the order asked', async () => {
    const credit = new NatsCredit();
    const order: number[] = [];
    const first = await credit.takeTurn(never);
    const second = credit.takeTurn(never).then((giveBack) => (order.push(2), giveBack));
    const third = credit.takeTurn(never).then((giveBack) => (order.push(3), giveBack));
    expect(order).toEqual([]);
    first();
    first();
    (await second)();
    (await third)();
    expect(order).toEqual([2, 3]);
  });

  it('passes over one that was aborted while it waited', async () => {
    const credit = new NatsCredit();
    const abort = new AbortController();
    const first = await credit.takeTurn(never);
    const aborted = credit.takeTurn(abort.signal);
    const third = credit.takeTurn(never);
    abort.abort(new Error('Paused.'));
    await expect(aborted).rejects.toThrow('Paused.');
    first();
    (await third)();
    (await credit.takeTurn(never))();
  });
});
