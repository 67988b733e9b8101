import { describe, expect, test } from 'vitest';
import { Conditions, orAborted, SerialLane } from '../../../../electron/engine/runtime/waiting.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('waiting', () => {
  test('for a promise ends with the reason of the abort, whatever becomes of the promise', async () => {
    const stop = new AbortController();
    const slow = Promise.withResolvers<number>();
    const waiting = orAborted(slow.promise, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
    slow.reject(new Error('nobody hears'));
    await turn();
  });

  test('for a promise after the abort leaves no rejection behind that nobody handles', async () => {
    const heard: unknown[] = [];
    const listen = (reason: unknown): number => heard.push(reason);
    process.on('unhandledRejection', listen);
    const waiting = orAborted(Promise.reject(new Error('nobody hears')), AbortSignal.abort(new Error('stopped')));
    await expect(waiting).rejects.toThrow('stopped');
    await turn();
    process.off('unhandledRejection', listen);
    expect(heard).toEqual([]);
  });

  test('for a condition ends when a change has met it', async () => {
    const conditions = new Conditions();
    let value = 0;
    let isDone = false;
    const waiting = conditions.until(() => value >= 2, new AbortController().signal).then(() => (isDone = true));
    value = 1;
    conditions.changed();
    await turn();
    expect(isDone).toBe(false);
    value = 2;
    conditions.changed();
    await waiting;
  });

  test('for a condition that is met already does not wait', async () => {
    await new Conditions().until(() => true, new AbortController().signal);
  });
});

describe('a serial lane', () => {
  test('runs one thing after the other, also after a failure', async () => {
    const lane = new SerialLane();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const first = lane.run(async () => {
      await gate.promise;
      done.push('first');
      throw new Error('refused');
    });
    const second = lane.run(() => Promise.resolve(void done.push('second')));
    await turn();
    expect(done).toEqual([]);
    gate.resolve();
    await expect(first).rejects.toThrow('refused');
    await second;
    expect(done).toEqual(['first', 'second']);
  });
});
