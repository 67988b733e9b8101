import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTask, settle, until } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

/** Ten collections of one name one after the other, each on other channels, and others that cross them. */
function tenTimesAgain(source: MemorySource): void {
  const steady = [
    source.createCollection('wide', { channels: [0, 1, 2, 3] }),
    source.createCollection('left', { channels: [3, 0] }),
    source.createCollection('right', { channels: [1, 2, 0] }),
  ];
  let again: SourceCollection | undefined;
  for (let round = 0; round < 10; round += 1) {
    if (again !== undefined) source.dropCollection(again);
    again = source.createCollection('again', { channels: [round % 4, (round + 1) % 4, (round + 2) % 4] });
    source.insert(again, rowsOf(0, 30, `round-${round}`));
    for (const collection of steady) source.upsert(collection, rowsOf(round, round + 10, `value-${round}`));
    if (round % 3 === 0) source.tickAll();
  }
  source.tickAll();
}

const largestMessage = (source: MemorySource): number =>
  Math.max(...source.channels.flatMap((channel) => source.wal.messagesOf(channel).map((message) => message.length)));

describe('a budget of one message', () => {
  test('is enough for 4 channels and 10 drops and new beginnings of one name', async () => {
    const source = new MemorySource(4);
    await using task = new MemoryTask(source, new MemoryTarget());
    tenTimesAgain(source);
    const running = task.start({ budgetBytes: 1 });
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(running.status().budgetPeakBytes).toBeLessThanOrEqual(1 + 4 * largestMessage(source));
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
  });

  test.each([0, 1, 2, 3])('is enough when channel %i lags behind all others', async (late) => {
    const source = new MemorySource(4);
    await using task = new MemoryTask(source, new MemoryTarget());
    const channel = source.channels[late];
    if (channel === undefined) throw new Error('no such channel');
    source.wal.hold(channel);
    tenTimesAgain(source);
    const running = task.start({ budgetBytes: 1 });
    await settle(300);
    source.wal.release(channel);
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(running.status().budgetPeakBytes).toBeLessThanOrEqual(1 + 4 * largestMessage(source));
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
  });

  test('holds the reader of a channel back while the target does not answer', async () => {
    const source = new MemorySource(1);
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const orders = source.createCollection('orders', { channels: [0] });
    for (let round = 0; round < 50; round += 1) {
      source.insert(orders, rowsOf(round * 10, round * 10 + 10, 'value'));
      source.tickAll();
    }
    const held = Promise.withResolvers<void>();
    target.script('insert', { kind: 'hold', until: held.promise });
    const running = task.start({ budgetBytes: 1 });
    await until(() => running.status().budgetUsedBytes > 0 && target.calls.insert === 1, 'the first write');
    await settle(50);
    expect(running.status().messagesRead).toBeLessThan(10);
    held.resolve();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});
