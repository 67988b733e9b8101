/** Rows that come as files, which no log tells: the collection is copied again, once, as its policy has it. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { pause } from '../../electron/engine/runtime/waiting.ts';
import { EVERYTHING } from '../../shared/model/selection.ts';
import type { OperationEvent } from '../../shared/model/operation-event.ts';
import { MemoryTask, settle, until } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget } from '../support/memory-target.ts';
import { useSimulatedTime } from './live.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useSimulatedTime);

const LONG_MS = 20_000;
const COPY = { kind: 'copy', mayLoad: false } as const;

function unowned() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  const a = source.createCollection('a', { channels: [0, 1] });
  const b = source.createCollection('b', { channels: [1] });
  source.insert(a, rowsOf(0, 4, 'a'));
  source.insert(b, rowsOf(0, 4, 'b'));
  source.tickAll();
  return { source, target, task, a, b };
}

function pair() {
  const made = unowned();
  onTestFinished(() => made.task[Symbol.asyncDispose]());
  return made;
}

async function following(options: Parameters<MemoryTask['start']>[0] = {}) {
  const made = pair();
  const running = made.task.start(options);
  await running.level();
  return { ...made, running };
}

const imports = (task: MemoryTask): readonly OperationEvent[] =>
  task.store.operations().filter(({ operation }) => operation === 'import');
const copies = (task: MemoryTask): string[] =>
  task.store
    .joins()
    .map(({ collection }) => collection)
    .toSorted();

describe('an import', () => {
  test('into a collection that is followed has it copied again, while rows of the stream go on', async () => {
    const { source, task, a, b, running } = await following();
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.insert(a, rowsOf(10, 14, 'later'));
    source.insert(b, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(copies(task)).toEqual(['a']);
    expect(imports(task)).toMatchObject([
      {
        outcome: 'applied',
        source: 'catalogue',
        collection: { name: 'a' },
        object: '_default',
        reason: '6 rows of 1 file: the collection is copied again.',
      },
    ]);
  });

  test('into a partition, and changes of its rows meanwhile', async () => {
    const { source, task, a, running } = await following();
    source.createPartition(a, 'p');
    source.importRows(a, rowsOf(100, 106, 'file'), 'p');
    source.delete(a, [100n], 'p');
    source.upsert(a, rowsOf(101, 103, 'changed'), 'p');
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('is done once, also across a restart', async () => {
    const { source, task, a, running } = await following();
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.tickAll();
    await running.level();
    const [join] = task.store.joins();
    await running.stop();
    const next = task.start();
    await next.level();
    source.catalog.changed();
    await next.level();
    expect(task.store.joins()).toEqual([join]);
    expect(imports(task)).toHaveLength(1);
  });

  test('one copy is enough for several that are completed close together', async () => {
    const { source, target, task, a, running } = await following();
    for (const from of [100, 200, 300]) source.importRows(a, rowsOf(from, from + 3, 'file'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task).map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied']);
    // Pages are written by key: one for each of theirs.
    expect(target.calls.upsert).toBe(Math.ceil(13 / task.rows.pageRows));
  });

  test('that is completed while its collection is being copied has it copied once more', async () => {
    const { source, task, a, running } = await following();
    const seen: string[] = [];
    task.rows.onPage = (instant) => {
      if (instant === 'before' && seen.push('page') === 2) source.importRows(a, rowsOf(200, 203, 'second'));
    };
    source.importRows(a, rowsOf(100, 106, 'first'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toHaveLength(2);
  });

  test('that was under way when the task began, is failed, or is forgotten by the server', async () => {
    const { source, task, a } = pair();
    const underWay = source.beginImport(a, 6);
    source.beginImport(a, 6);
    const running = task.start({ start: COPY });
    await running.level();
    expect(imports(task)).toEqual([]);
    source.completeImport(underWay, a, rowsOf(100, 106, 'file'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.store.load()?.imports.map(({ id }) => id)).toEqual([underWay]);
    source.catalog.importsHeld.clear();
    // One reading alone may be older than what is known.
    for (let reading = 0; reading < 2; reading += 1) await running.level();
    expect(task.store.load()?.imports).toEqual([]);
  });

  test('is not forgotten by a catalogue that shows nothing', async () => {
    const { source, task, a, running } = await following();
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.tickAll();
    await running.level();
    source.catalog.isEmptyOnce = true;
    source.catalog.changed();
    await running.level();
    expect(task.store.load()?.imports).toHaveLength(1);
    expect(imports(task)).toHaveLength(1);
  });

  test('of a collection that is gone is nothing to be done about', async () => {
    const { source, task, a, running } = await following();
    source.wal.hold(source.operationChannel);
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.dropCollection(a);
    source.wal.release(source.operationChannel);
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toEqual([]);
  });
});

describe('at the beginning', () => {
  test('a copy reads what was imported just before it, and does not begin before that is shown', async () => {
    const { source, task, a } = pair();
    source.importRows(a, rowsOf(100, 106, 'file'));
    const running = task.start({ start: COPY });
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toEqual([]);
    expect(task.store.joins().find(({ collection }) => collection === 'a')).toMatchObject({ rowsCopied: '10' });
  });

  test('a start at now does not owe what was imported before', async () => {
    const { source, target, task, a } = pair();
    source.importRows(a, rowsOf(100, 106, 'file'));
    const running = task.start({ start: { kind: 'now' } });
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    expect(imports(task)).toEqual([]);
    const copy = target.find({ database: 'default', collection: 'a' });
    expect(copy?.partitions.get('_default') ?? []).not.toContainEqual({ key: 100n, value: 'file100' });
  });

  test('a start with the creation of the collections owes it', async () => {
    const { source, task, a } = pair();
    source.importRows(a, rowsOf(100, 106, 'file'));
    const running = task.start({ start: { kind: 'creation' } });
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toHaveLength(1);
  });

  test('a collection that joins the selection has them in its own first copy; later ones are new', async () => {
    const selection = { ...EVERYTHING, exclude: [{ database: '*', collection: 'a' }] };
    const { source, task, a, running } = await following({ selection, start: COPY });
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.tickAll();
    await running.level();
    expect(task.store.load()?.imports).toEqual([]);
    await running.select(EVERYTHING);
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toEqual([]);
    source.importRows(a, rowsOf(200, 203, 'file'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task)).toHaveLength(1);
  });
});

describe('an import whose policy', () => {
  const asked = (task: MemoryTask): string[] =>
    imports(task).flatMap(({ id, outcome }) => (outcome === 'waiting' && id !== undefined ? [id] : []));

  test('is to skip leaves its rows out, which every run says until the collection is copied again', async () => {
    const { source, target, task, a, running } = await following({ operations: { policies: { import: 'skip' } } });
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    expect(target.find({ database: 'default', collection: 'a' })?.partitions.get('_default')).toHaveLength(8);
    expect(imports(task).map(({ outcome }) => outcome)).toEqual(['skipped']);
    expect(running.status().notices.join()).toMatch(/default\.a lacks rows that an import/);
    await running.stop();
    // A day later, the server knows nothing of it any more.
    await pause(LONG_MS, new AbortController().signal);
    source.catalog.importsHeld.clear();
    const next = task.start();
    await next.level();
    expect(next.status().notices.join()).toMatch(/default\.a lacks rows that an import/);
    await next.recopy(task.store.load()?.collections.find(({ name }) => name === 'a')?.id as never);
    await next.level();
    expect(task.content()).toEqual(source.content());
    expect(next.status().notices.join()).not.toMatch(/lacks rows/);
  });

  test('is to ask waits for the decision while rows go on', async () => {
    const { source, target, task, a, running } = await following({ operations: { policies: { import: 'ask' } } });
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await until(() => asked(task).length === 1, 'the question');
    const copy = target.find({ database: 'default', collection: 'a' });
    await until(() => copy?.partitions.get('_default')?.length === 8, 'the rows of the stream');
    running.decide(asked(task)[0] ?? 'none', 'apply');
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(imports(task).map(({ outcome }) => outcome)).toEqual(['applied']);
  });

  test('is to ask is asked about no more once a copy has read its rows', async () => {
    const { source, task, a, running } = await following({ operations: { policies: { import: 'ask' } } });
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.tickAll();
    await until(() => asked(task).length === 1, 'the question');
    await running.recopy(task.store.load()?.collections.find(({ name }) => name === 'a')?.id as never);
    await running.level();
    expect(asked(task)).toEqual([]);
    expect(running.status()).toMatchObject({ operationsWaiting: 0 });
    expect(task.content()).toEqual(source.content());
  });
});

test("holds its collection alone where the source's rows cannot be read, with the next step", async () => {
  const { source, target, task, a, b } = pair();
  const running = task.start({ withoutRows: true });
  await running.level();
  source.importRows(a, rowsOf(100, 106, 'file'));
  source.insert(b, rowsOf(10, 14, 'later'));
  source.tickAll();
  const state = () => running.status().collections.find(({ name }) => name === 'a');
  await until(() => state()?.state === 'held', 'the collection to be held');
  expect(state()?.trouble?.error.message).toMatch(/no Milvus address to read them from. Add it to the source/);
  const copy = target.find({ database: 'default', collection: 'b' });
  await until(() => copy?.partitions.get('_default')?.length === 8, 'the rows of the other one');
  await running.stop();
  const next = task.start();
  await next.level();
  expect(task.content()).toEqual(source.content());
});

test('a kill between any two steps leaves no import out', { timeout: 120_000 }, async () => {
  const live = async (killAt: number): Promise<string[]> => {
    const made = unowned();
    await using task = made.task;
    const { source, a } = made;
    const first = task.start();
    await first.level();
    await first.stop();
    source.importRows(a, rowsOf(100, 106, 'file'));
    source.importRows(a, rowsOf(200, 202, 'file'));
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    const second = task.start({ killAt });
    await Promise.race([second.ended, second.level().catch(() => undefined)]);
    await second.stop();
    const third = task.start();
    await third.level();
    await settle();
    expect(task.content(), `killed at ${killAt}, ${second.steps.names.at(-1)}`).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(imports(task).map(({ outcome }) => outcome)).toEqual(['applied', 'applied']);
    return second.steps.names;
  };
  const steps = await live(Number.POSITIVE_INFINITY);
  expect(steps).toContain('after beginRecopy');
  for (let killAt = 1; killAt <= steps.length; killAt += 1) await live(killAt);
});
