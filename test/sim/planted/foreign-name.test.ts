/** A collection that somebody else made on the target under a name that was ours. */
import { beforeEach, expect, test } from 'vitest';
import { MemoryTask } from '../../support/memory-engine.ts';
import { MemorySource } from '../../support/memory-source.ts';
import { MemoryTarget } from '../../support/memory-target.ts';
import { useQuickTimers } from '../../support/quick-timers.ts';

beforeEach(useQuickTimers);

test('survives a drop that is taken up again after a crash', async () => {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  await using task = new MemoryTask(source, target);
  const orders = source.createCollection('orders', { channels: [0] });
  source.insert(orders, [{ key: 1n, value: 'ours' }]);
  source.tickAll();
  const first = task.start();
  await first.level();
  await first.stop();
  source.dropCollection(orders);
  source.tickAll();

  // Killed after its drop, before the drop is noted; then the name is taken.
  const probe = task.start({ killAt: await stepOfDrop() });
  await probe.ended;
  await probe.stop();
  const ours = target.find({ database: 'default', collection: 'orders' });
  expect(ours).toBeUndefined();
  target.databases.get('default')?.set('orders', {
    id: 1n,
    origin: '',
    hasPartitionKey: false,
    shardCount: 1,
    partitions: new Map([['_default', [{ key: 7n, value: 'theirs' }]]]),
    indexes: new Set(),
    isLoaded: false,
    loadedPartitions: new Set(),
  });
  const last = task.start();
  await last.level();
  expect(target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default')).toEqual([
    { key: 7n, value: 'theirs' },
  ]);
});

/** The step at which the drop has happened, counted in a task that lives the same life. */
async function stepOfDrop(): Promise<number> {
  const source = new MemorySource(1);
  await using task = new MemoryTask(source, new MemoryTarget());
  const orders = source.createCollection('orders', { channels: [0] });
  source.insert(orders, [{ key: 1n, value: 'ours' }]);
  source.tickAll();
  const first = task.start();
  await first.level();
  await first.stop();
  source.dropCollection(orders);
  source.tickAll();
  const second = task.start();
  await second.level();
  await second.stop();
  const step = second.steps.names.indexOf('after dropCollection default.orders') + 1;
  if (step === 0) throw new Error('No drop was made.');
  return step;
}
