import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryTask, settle, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { everyKindOfChange } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const rows = (from: number, to: number, value: string) =>
  Array.from({ length: to - from }, (_unused, index) => ({
    key: BigInt(from + index),
    value: `${value}-${from + index}`,
  }));

describe('the whole engine', () => {
  test('repeats every kind of change that stands in the log before it starts', async () => {
    const source = new MemorySource(3);
    everyKindOfChange(source);
    await using task = new MemoryTask(source, new MemoryTarget());
    const running = task.start();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(running.status()).toMatchObject({ state: 'following', budgetUsedBytes: 0, operationsPending: 0 });
  });

  test('repeats every kind of change that happens while it runs', async () => {
    const source = new MemorySource(3);
    await using task = new MemoryTask(source, new MemoryTarget());
    const running = task.start();
    await running.level();
    everyKindOfChange(source);
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(running.status()).toMatchObject({ state: 'following', budgetUsedBytes: 0, operationsPending: 0 });
  });

  test('goes on where it was after a stop', async () => {
    const source = new MemorySource(2);
    const orders = source.createCollection('orders', { channels: [0, 1] });
    source.insert(orders, rows(0, 10, 'first'));
    source.tickAll();
    await using task = new MemoryTask(source, new MemoryTarget());
    const first = task.start();
    await first.level();
    await first.stop();
    source.upsert(orders, rows(5, 15, 'second'));
    source.tickAll();
    const second = task.start();
    await second.level();
    expect(task.content()).toEqual(source.content());
    await until(() => second.status().budgetUsedBytes === 0, 'the memory to be free');
  });

  test('is level only when what the catalogue alone shows is there too, however slowly the target answers', async () => {
    const source = new MemorySource(1);
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const target = new MemoryTarget();
    await using task = new MemoryTask(source, target);
    const first = task.start();
    await first.level();
    await first.stop();
    source.createPartition(orders, 'made_meanwhile');
    source.tickAll();
    const answered = Promise.withResolvers<void>();
    target.script('describeCollection', { kind: 'hold', until: answered.promise });
    const second = task.start();
    let isLevel = false as boolean;
    const level = second.level().then(() => (isLevel = true));
    await settle(200);
    expect(isLevel).toBe(false);
    answered.resolve();
    await level;
    expect(task.content()).toEqual(source.content());
  });
});
