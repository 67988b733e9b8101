/** Properties that the source takes off again: a lifetime of rows that stayed on the copy would go on to take rows. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MemoryTask } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { useSimulatedTime } from './live.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useSimulatedTime);

const TTL = 'collection.ttl.seconds';

/** With two properties, brought to the copy; and one there that an operator has set. */
async function following(options: Parameters<MemoryTask['start']>[0] = {}) {
  const source = new MemorySource(1);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const a = source.createCollection('a', { channels: [0] });
  source.createIndex(a);
  source.load(a);
  source.setProperty(a, TTL, '60');
  source.setProperty(a, 'mmap.enabled', 'true');
  source.insert(a, rowsOf(0, 4, 'row'));
  source.tickAll();
  const running = task.start(options);
  await running.level();
  const copy = target.find({ database: 'default', collection: 'a' });
  const properties = (): object =>
    Object.fromEntries([...(copy?.properties ?? [])].filter(([key]) => !key.startsWith('lifeline.')));
  copy?.properties?.set('of.the.operator', 'x');
  return { source, target, task, a, running, properties, copy };
}

describe('a property that the source takes off', () => {
  test("goes from the copy, once, and the operator's stays", async () => {
    const { source, target, task, a, running, properties, copy } = await following();
    expect(properties()).toMatchObject({ [TTL]: '60' });
    source.removeProperty(a, TTL);
    await running.level();
    expect(properties()).toEqual({ 'mmap.enabled': 'true', 'of.the.operator': 'x' });
    expect(task.store.operations()[0]).toMatchObject({ operation: 'alterCollection', object: TTL, outcome: 'applied' });
    source.removeProperty(a, 'mmap.enabled');
    await running.level();
    expect(properties()).toEqual({ 'of.the.operator': 'x' });
    // Released for that.
    expect(copy?.isLoaded).toBe(true);
    await running.stop();
    await task.start().level();
    expect(target.calls.removeProperties).toBe(2);
  });

  test('while nothing runs goes with the next run', async () => {
    const { source, task, a, running, properties } = await following();
    await running.stop();
    source.removeProperty(a, TTL);
    await task.start().level();
    expect(properties()).toEqual({ 'mmap.enabled': 'true', 'of.the.operator': 'x' });
  });

  test("and that the operator sets on the target afterwards is the operator's", async () => {
    const { source, task, a, running, properties, copy } = await following();
    source.removeProperty(a, TTL);
    await running.level();
    copy?.properties?.set(TTL, '7');
    await running.stop();
    source.setProperty(a, 'mmap.enabled', 'false');
    await task.start().level();
    expect(properties()).toMatchObject({ [TTL]: '7', 'mmap.enabled': 'false' });
  });

  test('is switched off where the target cannot take it away, and of the others that is said', async () => {
    const { source, target, a, running, properties, copy } = await following();
    target.cannotRemoveProperties = true;
    source.removeProperty(a, TTL);
    await running.level();
    expect(properties()).toMatchObject({ [TTL]: '0' });
    source.removeProperty(a, 'mmap.enabled');
    source.setAlias(a, 'x');
    await running.level();
    expect(properties()).toMatchObject({ 'mmap.enabled': 'true' });
    expect(copy?.isLoaded).toBe(true);
    expect(running.status().notices.join()).toMatch(/taken properties off default.a, which stay on its copy/);
    expect(running.status().collections).toMatchObject([{ state: 'following' }]);
  });

  test('stays by policy', async () => {
    const { source, target, a, running, properties } = await following();
    running.setOperations({ policies: { alterCollection: 'skip' } });
    source.removeProperty(a, TTL);
    await running.level();
    expect(properties()).toMatchObject({ [TTL]: '60' });
    expect(target.calls.removeProperties).toBeUndefined();
  });

  test('is not taken for one that a catalogue of the past does not show', async () => {
    const { source, target, a, running, properties } = await following();
    const known = source.catalog.collections.get(a.id);
    if (known === undefined) throw new Error('It is there.');
    source.catalog.put({ ...known, properties: [], isBehind: true });
    await running.level();
    expect(properties()).toMatchObject({ [TTL]: '60', 'mmap.enabled': 'true' });
    expect(target.calls.removeProperties).toBeUndefined();
  });

  test('goes whatever step a run is killed at', { timeout: 120_000 }, async () => {
    for (let killAt = 1; ; killAt += 1) {
      const { source, task, a, running, properties } = await following();
      await running.stop();
      source.setProperty(a, 'collection.new', '1');
      source.tickAll();
      const killed = task.start({ killAt });
      await killed.level().catch(() => undefined);
      const isOver = !killed.steps.isDead;
      await killed.stop();
      // Brought, perhaps, just before the kill.
      source.removeProperty(a, 'collection.new');
      source.removeProperty(a, TTL);
      const again = task.start();
      await again.level();
      expect(properties()).toEqual({ 'mmap.enabled': 'true', 'of.the.operator': 'x' });
      await again.stop();
      if (isOver) break;
    }
  });
});
