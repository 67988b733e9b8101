/** A partition that was dropped and made again under its name, with one shard stopped in between. */
import { beforeEach, expect, test } from 'vitest';
import { MemoryTask, until } from '../../support/memory-engine.ts';
import { MemorySource } from '../../support/memory-source.ts';
import { MemoryTarget } from '../../support/memory-target.ts';
import { useQuickTimers } from '../../support/quick-timers.ts';

beforeEach(useQuickTimers);

test('keeps the rows that the shard ahead has written, when the other one meets the drop again', async () => {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  await using task = new MemoryTask(source, target);
  const orders = source.createCollection('orders', { channels: [0, 1] });
  source.createPartition(orders, 'p');
  source.insert(orders, [{ key: 1n, value: 'first life' }], 'p');
  source.tickAll();
  const first = task.start();
  await first.level();

  // One shard's row waits for its answer, behind the drop; the other's is confirmed, and its checkpoint is stored.
  const never = Promise.withResolvers<void>();
  target.script('insert', { kind: 'hold', until: never.promise }, ({ partition }) => partition === 'p');
  source.dropPartition(orders, 'p');
  source.createPartition(orders, 'p');
  source.insert(
    orders,
    [
      { key: 2n, value: 'second life' },
      { key: 3n, value: 'second life' },
    ],
    'p',
  );
  source.tickAll();
  const writtenRows = () =>
    target.find({ database: 'default', collection: 'orders' })?.partitions.get('p')?.length === 1;
  await until(() => target.faultsLeft === 0 && writtenRows(), 'one shard to be ahead of the other');
  await first.stop();

  const second = task.start();
  await second.level();
  expect(task.content()).toEqual(source.content());
  expect(task.violations).toEqual([]);
});
