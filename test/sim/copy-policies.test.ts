/** Indexes and loads that a copy brings along go by the policies of their operations, and stand in the history. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import { MemoryTask, until, waitingIds } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { useSimulatedTime } from './live.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useSimulatedTime);

const COPY = { kind: 'copy', mayLoad: false } as const;

function pair() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0, 1] });
  // So that the copy alone brings them.
  source.operationsToLose = 2;
  source.createIndex(orders);
  source.load(orders);
  source.insert(orders, rowsOf(0, 8, 'row'));
  source.tickAll();
  for (const channel of source.channels) source.wal.expire(channel, source.wal.latest(channel));
  source.tickAll();
  return { source, target, task, orders };
}

const told = (task: MemoryTask): string[] =>
  task.store
    .operations()
    .toReversed()
    .filter(({ operation }) => operation !== 'createCollection')
    .map(({ operation, source, outcome }) => `${operation} ${source} ${outcome}`);
const begun = (task: MemoryTask, operations: OperationSettings = {}) => task.start({ start: COPY, operations });
const copyOf = (target: MemoryTarget) => target.find({ database: 'default', collection: 'orders' });

describe('what a copy brings along', () => {
  test('is told once, also where the copy is taken up again', async () => {
    const { source, task } = pair();
    const first = begun(task);
    await first.level();
    await first.stop();
    await begun(task).level();
    expect(task.content()).toEqual(source.content());
    expect(told(task)).toEqual(['createIndex catalogue applied', 'loadCollection catalogue applied']);
  });

  test('is left out as its policy has it, and told; its rows are copied', async () => {
    const { target, task } = pair();
    const operations = { policies: { createIndex: 'skip', loadCollection: 'skip' } } as const;
    await begun(task, operations).level();
    expect(copyOf(target)?.partitions.get('_default')).toHaveLength(8);
    expect(target.calls.createIndex).toBeUndefined();
    expect(target.calls.loadCollection).toBeUndefined();
    expect(told(task)).toContain('createIndex catalogue skipped');
  });

  test('is asked about once the rows are joined, and made as decided', async () => {
    const { source, target, task } = pair();
    const running = begun(task, { policies: { createIndex: 'ask' } });
    await until(() => waitingIds(task).length === 1, 'the question');
    expect(copyOf(target)?.partitions.get('_default')).toHaveLength(8);
    expect(target.calls.createIndex).toBeUndefined();
    running.decide(waitingIds(task)[0] ?? 'none', 'apply');
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

describe('a collection that is copied again', () => {
  test('keeps an index that is to stay, and no other one is made on its field', async () => {
    const { source, target, task, orders } = pair();
    const operations = { policies: { dropIndex: 'skip' } } as const;
    const running = begun(task, operations);
    await running.level();
    const made = target.calls.createIndex;
    source.operationsToLose = 2;
    source.dropIndex(orders);
    source.createIndex(orders, 'another');
    source.tickAll();
    await running.level();
    await running.recopy(asCollectionId(orders.id));
    await running.level();
    expect(target.calls.createIndex).toBe(made);
    expect(target.calls.dropIndex).toBeUndefined();
    expect(told(task)).toContain('dropIndex catalogue skipped');
  });

  test('is not loaded for good where loading is to be left out', async () => {
    const { source, target, task, orders } = pair();
    const operations = { policies: { loadCollection: 'skip' } } as const;
    const running = begun(task, operations);
    await running.level();
    await running.recopy(asCollectionId(orders.id));
    source.insert(orders, rowsOf(20, 24, 'later'));
    source.tickAll();
    await running.level();
    expect(copyOf(target)?.loadedPartitions.size ?? 0).toBe(0);
  });
});
