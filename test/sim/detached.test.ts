import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { asCollectionId, type CollectionId } from '../../shared/model/ids.ts';
import { MemoryTask, settle, until, type StartOptions } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { MemoryTarget, refused, type CallRecord, type TargetCall } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

const into = (name: string) => (record: CallRecord) => record.address === `default.${name}`;
const idOf = (collection: SourceCollection): CollectionId => asCollectionId(collection.id);

/** Two collections that share both channels, followed: `a` is about to stop, `b` goes on. */
async function sharing(options: StartOptions = {}) {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const a = source.createCollection('a', { channels: [0, 1] });
  const b = source.createCollection('b', { channels: [1, 0] });
  source.insert(a, rowsOf(0, 10, 'first'));
  source.insert(b, rowsOf(0, 10, 'first'));
  source.tickAll();
  const running = task.start(options);
  await running.level();
  const stateOf = (collection: SourceCollection) =>
    running.status().collections.find(({ id }) => id === collection.id.toString())?.state;
  const rowsHeld = (name: string) =>
    [...(target.find({ database: 'default', collection: name })?.partitions.values() ?? [])].flat().length;
  const stopped = (collection: SourceCollection) =>
    until(() => ['failed', 'held'].includes(stateOf(collection) ?? ''), `${collection.name} to stop`);
  const refuse = (call: TargetCall, name: string) =>
    target.script(call, { kind: 'refuse', error: refused('invalidRequest', call) }, into(name));
  return { source, target, task, running, a, b, stateOf, rowsHeld, stopped, refuse };
}

describe('a collection that has stopped', () => {
  test('is taken up again where it stands while the others go on, without a new start', async () => {
    const { source, task, running, a, b, rowsHeld, stopped, refuse } = await sharing();
    refuse('insert', 'a');
    source.insert(a, rowsOf(10, 20, 'second'));
    source.tickAll();
    await stopped(a);
    source.upsert(a, rowsOf(5, 15, 'third'));
    source.delete(a, [0n, 1n, 2n]);
    source.insert(b, rowsOf(10, 20, 'second'));
    source.tickAll();
    await until(() => rowsHeld('b') === 20, 'b to go on');
    await running.retry(idOf(a));
    source.insert(b, rowsOf(20, 25, 'third'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(task.restarts).toBe(0);
  });

  test('lets its buffer go, and is read again for itself alone', async () => {
    const { source, running, task, a, b, stopped, refuse } = await sharing({ budgetBytes: 4_000 });
    refuse('insert', 'a');
    source.insert(a, rowsOf(10, 20, 'second'));
    source.tickAll();
    await stopped(a);
    for (let round = 0; round < 100; round += 1) {
      source.upsert(a, rowsOf(0, 10, `long enough to fill the budget ${round}`));
      source.upsert(b, rowsOf(0, 10, `long enough to fill the budget ${round}`));
      source.tickAll();
    }
    await until(() => running.status().budgetUsedBytes === 0, 'the memory to be free');
    await running.retry(idOf(a));
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('gets the operations that came meanwhile, in their order', async () => {
    const { source, target, running, task, a, b, stopped, refuse } = await sharing();
    // Of the log, and then as the catalogue shows it.
    refuse('createIndex', 'a');
    refuse('createIndex', 'a');
    source.createIndex(a);
    source.tickAll();
    await stopped(a);
    source.load(a);
    source.createIndex(b);
    source.tickAll();
    await until(() => target.find({ database: 'default', collection: 'b' })?.indexes.size === 1, 'the index of b');
    await running.retry(idOf(a));
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(running.status().operationsPending).toBe(0);
  });

  test('is told apart from one that runs', async () => {
    const { running, a } = await sharing();
    await expect(running.retry(idOf(a))).rejects.toThrow(/has not stopped/);
  });

  test('at a barrier, it meets it again', async () => {
    const { source, running, task, a, stopped, refuse } = await sharing();
    source.createPartition(a, 'part');
    source.insert(a, rowsOf(50, 60, 'in part'), 'part');
    source.tickAll();
    await running.level();
    refuse('dropPartition', 'a');
    source.dropPartition(a, 'part');
    source.insert(a, rowsOf(70, 80, 'behind'));
    source.tickAll();
    await stopped(a);
    await running.retry(idOf(a));
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.restarts).toBe(0);
  });

  test('in its drop, it frees the way of the one that bears its name now', async () => {
    const { source, running, task, a, stateOf, stopped, refuse } = await sharing();
    refuse('dropCollection', 'a');
    source.dropCollection(a);
    const later = source.createCollection('a', { channels: [1, 0] });
    source.insert(later, rowsOf(0, 5, 'later'));
    source.tickAll();
    await stopped(a);
    await until(() => stateOf(later) === 'held', 'the later one to wait');
    await running.retry(idOf(a));
    await until(() => stateOf(later) === 'following', 'the later one to go on by itself');
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.restarts).toBe(0);
  });

  test('with a write whose outcome is open, it holds nothing twice', async () => {
    const { source, target, running, task, a, stopped } = await sharing();
    target.script('insert', { kind: 'lose', error: refused('unknown', 'insert') }, into('a'));
    source.insert(a, rowsOf(10, 20, 'second'));
    source.tickAll();
    await stopped(a);
    await running.retry(idOf(a));
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('may stop again, as often as it likes', async () => {
    const { source, running, task, a, stopped, refuse } = await sharing();
    for (let round = 0; round < 5; round += 1) {
      refuse('delete', 'a');
      source.insert(a, rowsOf(100 + round * 10, 110 + round * 10, `round ${round}`));
      source.delete(a, [BigInt(round)]);
      source.tickAll();
      await stopped(a);
      await running.retry(idOf(a));
      await running.level();
    }
    expect(task.content()).toEqual(source.content());
  });
});

/** Collections of one name one after the other, each on other channels, and others that cross them. */
async function manyTimesAgain(rounds: number, calls: readonly TargetCall[]) {
  const source = new MemorySource(4);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const wide = source.createCollection('wide', { channels: [0, 1, 2, 3] });
  const left = source.createCollection('left', { channels: [3, 0] });
  source.tickAll();
  const running = task.start({ budgetBytes: 1 });
  await running.level();
  let again: SourceCollection | undefined;
  for (let round = 0; round < rounds; round += 1) {
    const call = calls[round % calls.length];
    const name = round % 3 === 0 ? 'wide' : 'again';
    if (call !== undefined) target.script(call, { kind: 'refuse', error: refused('invalidRequest', call) }, into(name));
    if (again !== undefined) source.dropCollection(again);
    again = source.createCollection('again', { channels: [round % 4, (round + 1) % 4, (round + 2) % 4] });
    source.insert(again, rowsOf(0, 12, `round ${round}`));
    source.upsert(wide, rowsOf(round, round + 8, `value ${round}`));
    source.upsert(left, rowsOf(round, round + 4, `value ${round}`));
    if (round % 4 === 0) source.tickAll();
    await settle(2);
  }
  source.tickAll();
  return { source, target, task, running };
}

describe('a budget of one message, 4 channels, 50 drops and new beginnings of one name', () => {
  test.each([
    [['insert']],
    [['dropCollection']],
    [['createCollection', 'delete']],
    [['insert', 'dropCollection', 'upsert', 'createCollection']],
  ] as const)(
    'end equal, whatever stops at %j and is taken up again',
    async (calls) => {
      const { source, task, running } = await manyTimesAgain(50, calls);
      const isLevel = () =>
        running.level().then(
          () => true,
          () => false,
        );
      let attempts = 0;
      for (; attempts < 400 && !(await isLevel()); attempts += 1) {
        for (const { id, state, trouble } of running.status().collections) {
          const isCause = state === 'failed' && trouble !== undefined;
          if (isCause) await running.retry(asCollectionId(BigInt(id))).catch(() => undefined);
        }
        await settle(5);
      }
      // Stopped and taken up again at least so often.
      expect(attempts).toBeGreaterThan(5);
      expect(task.content()).toEqual(source.content());
      expect(task.violations).toEqual([]);
    },
    30_000,
  );
});
