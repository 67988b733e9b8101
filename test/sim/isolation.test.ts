import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { asPChannel } from '../../shared/model/ids.ts';
import { MemoryTask, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused, type CallRecord } from '../support/memory-target.ts';
import { rowsOf } from './scenarios.ts';
import { useQuickTimers } from '../support/quick-timers.ts';

beforeEach(useQuickTimers);

const into = (name: string) => (record: CallRecord) => record.address === `default.${name}`;
const indexesOf = (target: MemoryTarget, collection: string): string[] => [
  ...(target.find({ database: 'default', collection })?.indexes ?? []),
];

/** Two collections on two channels, followed; `a` is about to get into trouble, `b` must not notice. */
async function twoCollections(options: { budgetBytes?: number } = {}) {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const a = source.createCollection('a', { channels: [0] });
  const b = source.createCollection('b', { channels: [1] });
  source.tickAll();
  const running = task.start(options);
  await running.level();
  const stateOf = (id: bigint) => running.status().collections.find((status) => status.id === id.toString())?.state;
  return { source, target, task, running, a, b, stateOf };
}

describe("one collection's trouble", () => {
  test('does not keep the budget: what waits for a failed one of its name fails too, and lets its memory go', async () => {
    const { source, target, running, a, b, stateOf } = await twoCollections({ budgetBytes: 4_000 });
    target.script('insert', { kind: 'refuse', error: refused('invalidRequest', 'insert') });
    source.insert(a, rowsOf(0, 3, 'x'));
    source.tickAll();
    await until(() => stateOf(a.id) === 'failed', 'the failure');
    source.dropCollection(a);
    const later = source.createCollection('a', { channels: [0] });
    for (let index = 0; index < 100; index += 1) {
      source.insert(later, rowsOf(index * 10, index * 10 + 9, 'long enough to fill the budget'));
      source.tickAll();
    }
    await until(() => stateOf(later.id) === 'held', 'the later one to be held');
    source.insert(b, rowsOf(0, 5, 'y'));
    source.tickAll();
    await until(
      () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default')?.length === 5,
      'b',
    );
    expect(running.status().budgetUsedBytes).toBe(0);
  });

  test('that has a type which cannot be carried over holds it alone, by a sentence, and makes nothing of it', async () => {
    const { source, target, running, b, stateOf } = await twoCollections();
    const place = { fieldID: 102, name: 'place', dataType: 24 };
    const places = source.createCollection('places', { channels: [0, 1], moreFields: [place] });
    source.insert(places, rowsOf(0, 3, 'x'));
    source.insert(b, rowsOf(0, 5, 'y'));
    source.tickAll();
    await until(() => stateOf(places.id) === 'held', 'the collection to be held');
    await until(
      () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default')?.length === 5,
      'b',
    );
    const held = running.status().collections.find(({ id }) => id === places.id.toString());
    expect(held?.trouble?.error).toMatchObject({ code: 'unsupported', side: 'source' });
    expect(held?.trouble?.error.message).toContain('default.places');
    expect(held?.trouble?.error.message).toContain('its field place is of the type Geometry');
    expect(target.find({ database: 'default', collection: 'places' })).toBeUndefined();
    source.dropCollection(places);
    source.insert(b, rowsOf(5, 9, 'y'));
    source.tickAll();
    await until(
      () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default')?.length === 9,
      'b, later',
    );
  });

  test('does not end the operations of the others, however many there are', async () => {
    const { source, target, a, b, stateOf } = await twoCollections();
    target.script('flush', { kind: 'refuse', error: refused('invalidRequest', 'flush') });
    source.flush(a);
    source.tickAll();
    await until(() => stateOf(a.id) === 'failed', 'the failure');
    for (let index = 0; index < 1_001; index += 1) source.flush(b);
    source.createIndex(b);
    source.tickAll();
    await until(() => indexesOf(target, 'b').length === 1, 'the index');
  });

  test('does not keep the catalogue from the others', async () => {
    const { source, target, a, b } = await twoCollections();
    for (let index = 0; index < 50; index += 1) {
      target.script('createPartition', { kind: 'refuse', error: refused('rateLimited', 'createPartition') }, into('a'));
    }
    source.createPartition(a, 'blocked');
    source.createPartition(b, 'made');
    source.tickAll();
    const made = () => target.find({ database: 'default', collection: 'b' })?.partitions.has('made') === true;
    await until(made, 'the partition');
  });
});

describe('a channel', () => {
  test('that cannot be read on does not end the operations of the others', async () => {
    const { source, target, a, b, stateOf } = await twoCollections();
    source.wal.append(source.channels[0] ?? asPChannel('none'), new Uint8Array([1, 2, 3]));
    await until(() => stateOf(a.id) === 'failed', 'the failure');
    source.createIndex(b);
    source.tickAll();
    await until(() => indexesOf(target, 'b').length === 1, 'the index');
  });

  test('that is new and empty holds up neither operations nor the level', async () => {
    const { source, target, running, b } = await twoCollections();
    source.wal.addChannel(asPChannel('sim-rootcoord-dml_2'));
    source.catalog.changed();
    source.createIndex(b);
    source.tickAll();
    await running.level();
    expect(indexesOf(target, 'b')).toHaveLength(1);
  });
});

describe('a row that comes after a tick which promised that it would not', () => {
  test('leaves with the next tick, as in Milvus itself', async () => {
    const { source, running, task, b } = await twoCollections();
    const [, channel] = source.channels;
    source.tick(channel ?? asPChannel('none'), (source.now + (100n << 18n)) as typeof source.now);
    source.insert(b, rowsOf(0, 3, 'late'));
    for (let index = 0; index < 200; index += 1) source.nextTick();
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});
