/** Fields that the source adds to a collection: the copy has them before the first row that needs one. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { pause } from '../../electron/engine/runtime/waiting.ts';
import { MemoryTask, until, waitingIds } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { useSimulatedTime } from './live.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useSimulatedTime);

const LONG_MS = 20_000;
const later = (): Promise<void> => pause(LONG_MS, new AbortController().signal);

function parts() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const a = source.createCollection('a', { channels: [0, 1] });
  source.insert(a, rowsOf(0, 4, 'before'));
  source.tickAll();
  return { source, target, task, a };
}

async function following(options: Parameters<MemoryTask['start']>[0] = {}) {
  const made = parts();
  const running = made.task.start(options);
  await running.level();
  return { ...made, running };
}

describe('a field that is added', () => {
  test('to a collection that nobody writes into is there, once, and in the history', async () => {
    const { source, target, task, a, running } = await following();
    source.addField(a, 'colour');
    await running.level();
    expect(target.find({ database: 'default', collection: 'a' })?.fields?.has('colour')).toBe(true);
    expect(target.calls.addField).toBe(1);
    const [event] = task.store.operations();
    expect(event).toMatchObject({ operation: 'addField', object: 'colour', outcome: 'applied', source: 'catalogue' });
    await running.stop();
    const again = task.start();
    await again.level();
    source.insert(a, rowsOf(10, 14, 'after'));
    source.tickAll();
    await again.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.addField).toBe(1);
  });

  test('under load: rows of both kinds, replaced and deleted, side by side on all shards', async () => {
    const { source, task, a, running } = await following();
    for (const [turn, name] of ['colour', 'size'].entries()) {
      source.insert(a, rowsOf(turn * 100 + 10, turn * 100 + 20, 'plain'));
      source.addField(a, name);
      source.insert(a, rowsOf(turn * 100 + 20, turn * 100 + 40, 'more'));
      source.upsert(a, rowsOf(0, 12, `replaced ${turn}`), '_default', turn === 1);
      source.delete(a, [1n, 21n]);
    }
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(running.status().collections).toMatchObject([{ state: 'following' }]);
  });

  test('while nothing runs, with rows that need it', async () => {
    const { source, task, a, running } = await following();
    await running.stop();
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    await task.start().level();
    expect(task.content()).toEqual(source.content());
  });

  test('in front of an operation, which waits for the rows that wait for the field', async () => {
    const { source, target, task, a, running } = await following();
    source.catalog.isEmptied = true;
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.createIndex(a);
    source.renameCollection(a, 'renamed');
    source.tickAll();
    await until(() => target.calls.createIndex === 1, 'the operation behind the rows');
    source.catalog.isEmptied = false;
    source.catalog.changed();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('of a collection that is dropped behind its rows', async () => {
    const { source, task, a, running } = await following();
    await running.stop();
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.catalog.remembers = false;
    source.dropCollection(a);
    source.tickAll();
    const again = task.start();
    await again.level();
    expect(task.content()).toEqual(source.content());
    expect(again.status().notices.join()).toMatch(/default.a was dropped at the source after .* the field colour/);
  });
});

describe('while a copy runs', () => {
  test.each(['before', 'after'] as const)('the field comes %s a page is taken', async (instant) => {
    const { source, task, a } = parts();
    task.rows.pageRows = 2;
    let pages = 0;
    task.rows.onPage = (at) => {
      if (at !== instant) return;
      pages += 1;
      if (pages !== 2) return;
      source.addField(a, 'colour');
      source.insert(a, rowsOf(20, 24, 'more'));
      source.upsert(a, rowsOf(0, 2, 'replaced'));
      source.tickAll();
    };
    const running = task.start({ start: { kind: 'copy', mayLoad: false } });
    await running.level();
    expect(pages).toBeGreaterThan(1);
    expect(task.content()).toEqual(source.content());
  });

  test('a copy that is made again has the field that came meanwhile', async () => {
    const { source, target, task, a, running } = await following();
    source.createIndex(a);
    source.load(a);
    source.tickAll();
    await running.level();
    await running.stop();
    source.addField(a, 'colour');
    source.importRows(a, [{ key: 90n, value: 'imported', more: { colour: 'blue' } }]);
    const again = task.start();
    await again.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.addField).toBe(1);
  });
});

describe('rows that come before the catalogue shows their field', () => {
  test('wait for it', async () => {
    const { source, target, task, a, running } = await following();
    source.addField(a, 'colour', false);
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    const inserts = target.calls.insert;
    await pause(3_000, new AbortController().signal);
    expect(target.calls.insert).toBe(inserts);
    source.showFields(a);
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('stop their collection, alone and unwritten, where it never does; and go on when it does', async () => {
    const { source, target, task, a, running } = await following();
    const b = source.createCollection('b', { channels: [1] });
    source.addField(a, 'colour', false);
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    await later();
    const shown = () => running.status().collections.find(({ name }) => name === 'a');
    await until(() => shown()?.state === 'failed', 'the collection to stop');
    expect(shown()?.trouble?.error).toMatchObject({ code: 'invalidRequest', side: 'source' });
    expect(shown()?.trouble?.error.message).toMatch(/^Rows of default.a .* have a field colour that neither/);
    source.insert(b, rowsOf(0, 4, 'b'));
    source.tickAll();
    await until(
      () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default')?.length === 4,
      'b',
    );
    source.showFields(a);
    const { id } = task.store.load()?.collections.find(({ name }) => name === 'a') ?? {};
    if (id === undefined) throw new Error('It is stored.');
    await running.retry(id);
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
  });
});

describe('by policy', () => {
  test('to skip, rows are written without it, also in later runs, which is said; a copy made anew may have it', async () => {
    const { source, target, task, a, running } = await following({ operations: { policies: { addField: 'skip' } } });
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    await running.level();
    expect(running.status().notices.join()).toMatch(
      /a field colour to default.a. The copy does not get it, as decided/,
    );
    const rows = () => target.find({ database: 'default', collection: 'a' })?.partitions.get('_default') ?? [];
    expect(rows()).toHaveLength(14);
    await running.stop();
    const again = task.start();
    source.insert(a, rowsOf(20, 24, 'last'));
    source.tickAll();
    await again.level();
    expect(rows()).toHaveLength(18);
    expect(rows().every(({ more }) => more === undefined)).toBe(true);
    expect(target.calls.addField).toBeUndefined();
    expect(task.store.operations().filter(({ operation }) => operation === 'addField')).toHaveLength(1);
    expect(again.status().notices.join()).toMatch(/The copy does not get it, as decided/);
    const { id } = task.store.load()?.collections[0] ?? {};
    if (id === undefined) throw new Error('It is stored.');
    source.createIndex(a);
    source.load(a);
    source.tickAll();
    await again.level();
    await again.recopy(id);
    await again.level();
    expect(task.content()).toEqual(source.content());
  });

  test('to ask, the others of its channel are read on, however long nobody answers', async () => {
    const operations = { policies: { addField: 'ask' } } as const;
    const { source, target, task, a, running } = await following({ operations });
    await running.stop();
    const b = source.createCollection('b', { channels: [0, 1] });
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    const again = task.start({ operations, budgetBytes: 1 });
    await until(() => waitingIds(task).length === 1, 'the question');
    for (let from = 0; from < 40; from += 4) source.insert(b, rowsOf(from, from + 4, 'b'));
    source.tickAll();
    const rowsOfB = () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default') ?? [];
    await until(() => rowsOfB().length === 40, "the other one's rows");
    again.decide(waitingIds(task)[0] ?? 'none', 'apply');
    await again.level();
    expect(task.content()).toEqual(source.content());
  });

  test('to ask, the rows that need it wait for the answer, and are made as decided', async () => {
    const { source, target, task, a, running } = await following({ operations: { policies: { addField: 'ask' } } });
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.tickAll();
    await until(() => waitingIds(task).length === 1, 'the question');
    await later();
    expect(target.find({ database: 'default', collection: 'a' })?.partitions.get('_default')).toHaveLength(4);
    expect(running.status().collections).toMatchObject([{ state: 'held' }]);
    running.decide(waitingIds(task)[0] ?? 'none', 'apply');
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(waitingIds(task)).toEqual([]);
  });

  test('a target that cannot have it holds the collection, alone', async () => {
    const { source, target, task, a, running } = await following();
    const b = source.createCollection('b', { channels: [1] });
    target.script('addField', { kind: 'refuse', error: refused('unsupported', 'too old') });
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 20, 'more'));
    source.insert(b, rowsOf(0, 4, 'b'));
    source.tickAll();
    await until(() => running.status().collections.some(({ state }) => state === 'held'), 'the collection to be held');
    const copy = () => target.find({ database: 'default', collection: 'b' })?.partitions.get('_default');
    await until(() => copy()?.length === 4, 'the other one');
    expect(running.status().collections.find(({ name }) => name === 'a')).toMatchObject({
      trouble: { error: { code: 'unsupported' } },
    });
    const { id } = task.store.load()?.collections.find(({ name }) => name === 'a') ?? {};
    if (id === undefined) throw new Error('It is stored.');
    await running.retry(id);
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

test('a kill between any two steps leaves no row without its field', { timeout: 120_000 }, async () => {
  const live = async (killAt: number): Promise<readonly string[]> => {
    const { source, target, task, a } = parts();
    const first = task.start();
    await first.level();
    await first.stop();
    source.addField(a, 'colour');
    source.insert(a, rowsOf(10, 14, 'more'));
    source.tickAll();
    const running = task.start({ killAt });
    const { names } = running.steps;
    await running.level().catch(() => undefined);
    await running.stop();
    await task.start().level();
    expect(task.content(), `killed at ${names.at(-1)}`).toEqual(source.content());
    expect(task.violations).toEqual([]);
    expect(task.store.operations().filter(({ operation }) => operation === 'addField')).toHaveLength(1);
    expect(target.calls.addField).toBeLessThanOrEqual(2);
    return names;
  };
  const steps = await live(Number.POSITIVE_INFINITY);
  expect(steps).toContain('after addField default.a');
  expect(steps).toContain('after setSchema');
  for (let killAt = 1; killAt <= steps.length; killAt += 1) await live(killAt);
});

describe('settings of a field that are altered', () => {
  async function limited(options: Parameters<MemoryTask['start']>[0] = {}) {
    const source = new MemorySource(2);
    const target = new MemoryTarget();
    const task = new MemoryTask(source, target);
    onTestFinished(() => task[Symbol.asyncDispose]());
    const a = source.createCollection('a', { channels: [0, 1], maxLength: 8 });
    source.createIndex(a);
    source.load(a);
    source.insert(a, rowsOf(0, 4, 'short'));
    source.tickAll();
    const running = task.start(options);
    await running.level();
    return { source, target, task, a, running };
  }
  const LONG = 'longer than eight';

  test('arrive, each in the history, the copy released for what a server alters of such a one alone', async () => {
    const { source, target, task, a, running } = await limited();
    source.alterField(a, 'mmap.enabled', 'true');
    await running.level();
    source.alterField(a, 'max_length', '7');
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(target.find({ database: 'default', collection: 'a' })?.isLoaded).toBe(true);
    const events = task.store.operations().filter(({ operation }) => operation === 'alterCollectionField');
    expect(events).toMatchObject([
      { object: 'value', outcome: 'applied' },
      { object: 'value', outcome: 'applied' },
    ]);
    await running.stop();
    await task.start().level();
    expect(target.calls.alterField).toBe(2);
  });

  test('and are limits that were raised let the rows through that need them, though no stamp is passed before', async () => {
    const { source, task, a, running } = await limited();
    source.alterField(a, 'max_length', '64');
    source.insert(a, rowsOf(10, 14, LONG));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(running.status().collections).toMatchObject([{ state: 'following' }]);
  });

  test('are looked for in the catalogue when rows are refused, which need not have told of them', async () => {
    const { source, target, task, a, running } = await limited();
    source.alterField(a, 'max_length', '64', false);
    const silent = source.catalog.changed.bind(source.catalog);
    source.catalog.changed = () => undefined;
    source.showFields(a);
    source.catalog.changed = silent;
    source.insert(a, rowsOf(10, 14, LONG));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.alterField).toBe(1);
  });

  test('stay where the target cannot alter them, which is said once, and nothing else stays with them', async () => {
    const { source, target, task, a, running } = await limited();
    target.cannotAlterFields = true;
    source.alterField(a, 'mmap.enabled', 'true');
    source.setProperty(a, 'collection.ttl.seconds', '60');
    await running.level();
    source.setAlias(a, 'x');
    source.setProperty(a, 'collection.ttl.seconds', '90');
    await running.level();
    const found = target.find({ database: 'default', collection: 'a' });
    expect(found?.properties?.get('collection.ttl.seconds')).toBe('90');
    expect(found?.isLoaded).toBe(true);
    expect(target.calls.alterField).toBe(1);
    expect(running.status().notices.join()).toMatch(/setting of the field value of default.a stays as it is/);
    expect(task.store.operations().some(({ outcome }) => outcome === 'failed')).toBe(true);
    expect(running.status().collections).toMatchObject([{ state: 'following' }]);
  });

  test('are left out by policy, and a row that is too long for the old limit stops its collection', async () => {
    const { source, target, a, running } = await limited({
      operations: { policies: { alterCollectionField: 'skip' } },
    });
    source.alterField(a, 'max_length', '64');
    await running.level();
    expect(target.calls.alterField).toBeUndefined();
    source.insert(a, rowsOf(10, 14, LONG));
    source.tickAll();
    await until(() => running.quarantine().length > 0, 'the rows to be refused');
    expect(running.status().collections).toMatchObject([{ trouble: { error: { code: 'invalidRequest' } } }]);
  });

  test('and a kill between any two steps loses none', { timeout: 120_000 }, async () => {
    for (let killAt = 1; ; killAt += 1) {
      const { source, task, a, running } = await limited();
      await running.stop();
      source.alterField(a, 'max_length', '64');
      source.alterField(a, 'mmap.enabled', 'true');
      source.insert(a, rowsOf(10, 14, LONG));
      source.tickAll();
      const killed = task.start({ killAt });
      await killed.level().catch(() => undefined);
      const isOver = !killed.steps.isDead;
      await killed.stop();
      const again = task.start();
      await again.level();
      expect(task.content()).toEqual(source.content());
      await again.stop();
      if (isOver) break;
    }
  });
});
