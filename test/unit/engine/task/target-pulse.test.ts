import { beforeEach, describe, expect, test } from 'vitest';
import { TargetPulse } from '../../../../electron/engine/task/target-pulse.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

let nowMs: number;
let asked: PromiseWithResolvers<void>[];
let told: string[];
let pulse: TargetPulse;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
async function after(ms: number): Promise<void> {
  nowMs += ms;
  pulse.poll();
  await turn();
}

beforeEach(() => {
  nowMs = 1_000_000;
  asked = [];
  told = [];
  pulse = new TargetPulse({
    clock: { now: () => nowMs },
    ask: () => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      return answer.promise;
    },
    observer: {
      blocked: (error, pauseMs) => told.push(`blocked by ${error.code}, again in ${pauseMs}`),
      unblocked: () => told.push('unblocked'),
    },
  });
});

describe('the pulse of the target', () => {
  test('is not felt while other calls are answered', async () => {
    for (let second = 0; second < 10; second += 1) {
      await after(900);
      pulse.answered();
    }
    expect(asked).toHaveLength(0);
    expect(pulse.silentSinceMs()).toBeUndefined();
  });

  test('is felt once a second where nothing else is asked, one question at a time', async () => {
    await after(1_000);
    await after(500);
    expect(asked).toHaveLength(1);
    asked[0]?.resolve();
    await turn();
    await after(400);
    expect(asked).toHaveLength(1);
    await after(600);
    expect(asked).toHaveLength(2);
  });

  test('is missed from its last answer on, once that is overdue', async () => {
    const since = nowMs;
    await after(1_000);
    await after(1_900);
    expect(pulse.silentSinceMs()).toBeUndefined();
    await after(100);
    expect(pulse.silentSinceMs()).toBe(since);
    await after(60_000);
    expect(pulse.silentSinceMs()).toBe(since);
    asked[0]?.resolve();
    await turn();
    expect(pulse.silentSinceMs()).toBeUndefined();
  });

  test('is asked for again after a refusal, which is shown until something is answered', async () => {
    await after(1_000);
    asked[0]?.reject(new ReplicationError('unreachable', 'target', 'The target is away.'));
    await turn();
    expect(told).toEqual(['blocked by unreachable, again in 2000']);
    await after(1_900);
    expect(asked).toHaveLength(1);
    await after(100);
    expect(asked).toHaveLength(2);
    expect(pulse.silentSinceMs()).toBe(nowMs - 3_000);
    pulse.answered();
    expect(told.at(-1)).toBe('unblocked');
    expect(pulse.silentSinceMs()).toBeUndefined();
  });

  test('does not count the time in which nobody asked', async () => {
    nowMs += 60_000;
    expect(pulse.silentSinceMs()).toBeUndefined();
  });
});
