/**
 * The engine is killed between every two of its steps: before and after each call on the target and each writing call on
 * the store. Whatever the instant, the next engine ends with a target that equals the source.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTask } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { everyKindOfChange, rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

interface Scenario {
  readonly channelCount: number;
  readonly before: (source: MemorySource) => void;
  readonly budgetBytes?: number;
}

/** @returns the steps that the first engine took. */
async function runWithKill(
  { channelCount, before, budgetBytes = 1 << 20 }: Scenario,
  killAt: number,
): Promise<string[]> {
  const source = new MemorySource(channelCount);
  await using task = new MemoryTask(source, new MemoryTarget());
  before(source);
  const first = task.start({ killAt, budgetBytes });
  await Promise.race([first.ended, first.level().catch(() => undefined)]);
  await first.stop();
  const killedAt = first.steps.isDead ? first.steps.names.at(-1) : 'its end';
  const second = task.start({ budgetBytes });
  await second.level();
  expect(task.content(), `killed ${killedAt}`).toEqual(source.content());
  expect(task.violations, `killed ${killedAt}`).toEqual([]);
  expect(second.status(), `killed ${killedAt}`).toMatchObject({ state: 'following', budgetUsedBytes: 0 });
  await second.stop();
  expect(source.wal.openReaders, `killed ${killedAt}`).toBe(0);
  return first.steps.names;
}

async function killEverywhere(scenario: Scenario): Promise<void> {
  const steps = await runWithKill(scenario, Number.POSITIVE_INFINITY);
  expect(steps.length).toBeGreaterThan(30);
  const failures: string[] = [];
  for (let killAt = 1; killAt <= steps.length; killAt += 1) {
    try {
      await runWithKill(scenario, killAt);
    } catch (error) {
      failures.push(`step ${killAt} (${steps.slice(killAt - 2, killAt).join(', ')}): ${String(error)}`);
      if (failures.length > 5) break;
    }
  }
  expect(failures).toEqual([]);
}

describe('a kill between any two steps loses and doubles nothing', () => {
  test('with every kind of change in the log', { timeout: 60_000 }, () =>
    killEverywhere({ channelCount: 3, before: everyKindOfChange }),
  );

  test('with messages that were read before a tick and belong behind it', { timeout: 60_000 }, () =>
    killEverywhere({
      channelCount: 2,
      before: (source) => {
        const orders = source.createCollection('orders', { channels: [0, 1] });
        for (let round = 0; round < 8; round += 1) {
          source.insert(orders, rowsOf(round * 10, round * 10 + 4, 'before'));
          const tick = source.nextTick();
          source.upsert(orders, rowsOf(round * 10 + 2, round * 10 + 6, 'behind'));
          source.delete(orders, [BigInt(round * 10)]);
          for (const channel of source.channels) source.tick(channel, tick);
        }
        source.tickAll();
      },
    }),
  );
});
