/** What only the catalogue tells, or what the log has lost: in the place and the order that it must have. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { SAME_NAMES } from '../../shared/model/name-mapping.ts';
import { EVERYTHING } from '../../shared/model/selection.ts';
import { pause } from '../../electron/engine/runtime/waiting.ts';
import { MemoryTask, settle, until, waitingIds } from '../support/memory-engine.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { buildOperation } from '../support/wal-builder.ts';
import { useSimulatedTime } from './live.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useSimulatedTime);

const LONG_MS = 20_000;
const later = (): Promise<void> => pause(LONG_MS, new AbortController().signal);

async function following(options: Parameters<MemoryTask['start']>[0] = {}) {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const a = source.createCollection('a', { channels: [0, 1] });
  const b = source.createCollection('b', { channels: [1] });
  source.insert(a, rowsOf(0, 4, 'a'));
  source.insert(b, rowsOf(0, 4, 'b'));
  source.tickAll();
  const running = task.start(options);
  await running.level();
  return { source, target, task, a, b, running };
}

describe('what the catalogue alone tells', () => {
  test('a rename: rows that come later go to the new name', async () => {
    const { source, target, task, a, running } = await following();
    source.renameCollection(a, 'renamed');
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    source.insert(a, rowsOf(20, 24, 'last'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(target.calls.renameCollection).toBe(1);
    expect(target.calls.dropCollection).toBeUndefined();
  });

  test('two names that are swapped, and swapped back', async () => {
    const { source, task, a, b, running } = await following();
    for (const [first, second] of [
      ['b', 'a'],
      ['a', 'b'],
    ] as const) {
      source.renameCollection(a, 'between');
      source.renameCollection(b, second);
      source.renameCollection(a, first);
      source.insert(a, rowsOf(30, 34, first));
      source.tickAll();
      await running.level();
      expect(task.content()).toEqual(source.content());
    }
  });

  test("a name whose former owner was dropped, and one that is somebody else's at once", async () => {
    const { source, task, a, b, running } = await following();
    source.dropCollection(b);
    source.renameCollection(a, 'b');
    const again = source.createCollection('a', { channels: [0] });
    source.insert(again, rowsOf(0, 3, 'again'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('one that came and went under a name that its former owner has taken back', async () => {
    const { source, task, a, running } = await following();
    source.renameCollection(a, 'away');
    const between = source.createCollection('a', { channels: [1] });
    source.insert(between, rowsOf(0, 3, 'between'));
    const isKnown = () => task.store.load()?.collections.some(({ id }) => id === between.id) === true;
    await until(isKnown, 'the collection to be known');
    await running.stop();
    source.renameCollection(between, 'aside');
    source.renameCollection(a, 'a');
    source.dropCollection(between);
    source.tickAll();
    await task.start().level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
  });

  test('a name that a later collection has by now, whose channel has been read further', async () => {
    const { source, task, running } = await following();
    const [, late] = source.channels;
    if (late === undefined) throw new Error('There are two channels.');
    source.wal.hold(late);
    const first = source.createCollection('c', { channels: [1] });
    source.insert(first, rowsOf(0, 3, 'first'));
    source.renameCollection(first, 'renamed');
    const second = source.createCollection('c', { channels: [0] });
    source.insert(second, rowsOf(0, 2, 'second'));
    source.tickAll();
    await until(() => task.target.find({ database: 'default', collection: 'c' }) !== undefined, 'the later one');
    source.wal.release(late);
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test("aliases: made, moved, dropped, and one whose name becomes a collection's", async () => {
    const { source, task, a, b, running } = await following();
    source.setAlias(a, 'current');
    source.setAlias(a, 'new');
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    source.setAlias(b, 'current');
    source.dropAlias('default', 'new');
    source.insert(source.createCollection('new', { channels: [0] }), rowsOf(0, 2, 'new'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    source.dropCollection(b);
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('properties, and what of index and load the log has lost', async () => {
    const { source, task, a, running } = await following();
    source.operationsToLose = 2;
    source.createIndex(a);
    source.load(a);
    source.setProperty(a, 'mmap.enabled', 'true');
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    source.operationsToLose = 2;
    source.releaseLoaded(a);
    source.dropIndex(a);
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

describe('the order', () => {
  test('an operation that is on its way in the log is not done twice', async () => {
    const { source, target, a, running } = await following();
    source.wal.hold(source.operationChannel);
    source.createIndex(a);
    source.tickAll();
    await later();
    expect(target.calls.createIndex).toBeUndefined();
    source.wal.release(source.operationChannel);
    await running.level();
    expect(target.calls.createIndex).toBe(1);
  });

  test('a step waits for the operation of the log that is under way on its collection', async () => {
    const { source, target, task, a, running } = await following();
    const held = Promise.withResolvers<void>();
    target.script('createIndex', { kind: 'hold', until: held.promise });
    source.createIndex(a);
    source.setProperty(a, 'mmap.enabled', 'true');
    source.tickAll();
    await until(() => target.calls.createIndex === 1, 'the operation');
    await later();
    expect(target.calls.setProperties).toBeUndefined();
    held.resolve();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

describe('nothing ends for being absent', () => {
  test('from a catalogue that shows nothing any more', async () => {
    const { source, target, task, a, running } = await following();
    source.setAlias(a, 'current');
    source.createIndex(a);
    source.load(a);
    source.tickAll();
    await running.level();
    const before = task.content();
    source.catalog.isEmptied = true;
    source.catalog.changed();
    await later();
    await settle();
    expect(task.content()).toEqual(before);
    expect(target.calls.dropCollection).toBeUndefined();
    expect(target.calls.dropAlias).toBeUndefined();
    source.catalog.isEmptied = false;
    source.catalog.changed();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('from the catalogue of another cluster, which is said', async () => {
    const { source, task, running } = await following();
    const before = task.content();
    source.catalog.id = 'another';
    source.catalog.changed();
    await until(() => running.status().trouble !== undefined, 'the task to say so');
    expect(running.status().trouble?.error).toMatchObject({ code: 'sourceChanged' });
    expect(task.content()).toEqual(before);
  });
});

describe('under other names', () => {
  test("a renamed collection's copy, and its alias, have the names that the mapping makes of the new ones", async () => {
    const { source, target, a, running } = await following({ mapping: { ...SAME_NAMES, collectionSuffix: '_dr' } });
    source.setAlias(a, 'current');
    source.renameCollection(a, 'renamed');
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    const copy = target.find({ database: 'default', collection: 'renamed_dr' });
    expect(copy?.partitions.get('_default')).toHaveLength(8);
    expect(target.find({ database: 'default', collection: 'a_dr' })).toBeUndefined();
    expect([...target.aliases]).toEqual([['default.current_dr', copy?.id]]);
  });

  test('a new name whose place is taken holds that collection alone', async () => {
    const rules = [{ from: { database: 'default', collection: 'renamed' }, to: { collection: 'b' } }];
    const { source, target, a, b, running } = await following({ mapping: { ...SAME_NAMES, rules } });
    source.renameCollection(a, 'renamed');
    source.tickAll();
    await until(() => running.status().collections.some(({ state }) => state === 'held'), 'the clash to be shown');
    const held = running.status().collections.filter(({ state }) => state === 'held');
    expect(held).toMatchObject([{ name: 'a', trouble: { error: { code: 'alreadyExists' } } }]);
    source.insert(b, rowsOf(10, 14, 'later'));
    source.tickAll();
    const copy = target.find({ database: 'default', collection: 'b' });
    await until(() => copy?.partitions.get('_default')?.length === 8, 'the rows of the other one');
    expect(target.calls.renameCollection).toBeUndefined();
  });
});

describe.each(['running', 'stopped'] as const)('a drop whose message is lost while the task is %s', (when) => {
  const lose = async (policy: 'apply' | 'skip' | 'ask', what: 'collection' | 'partition') => {
    const operations = { policies: { dropCollection: policy, dropPartition: policy } };
    const { source, target, task, a, b, running } = await following({ operations });
    source.createPartition(b, 'p');
    source.insert(b, rowsOf(20, 24, 'p'), 'p');
    source.tickAll();
    await running.level();
    if (when === 'stopped') await running.stop();
    if (what === 'collection') source.dropCollection(a, { isLost: true });
    else source.dropPartition(b, 'p', { isLost: true });
    source.insert(b, rowsOf(30, 34, 'later'));
    source.tickAll();
    const now = when === 'stopped' ? task.start({ operations }) : running;
    // What waits for a person is not level.
    if (policy !== 'ask') await now.level();
    const copy = (collection: string) => target.find({ database: 'default', collection });
    const isThere = () => (what === 'collection' ? copy('a') : copy('b')?.partitions.get('p')) !== undefined;
    const asked = () => task.store.operations().filter(({ operation }) => operation.startsWith('drop'));
    return { source, task, running: now, isThere, asked };
  };

  test.each(['collection', 'partition'] as const)('is done by the word of the end of a %s', async (what) => {
    const { source, task, isThere, asked } = await lose('apply', what);
    expect(isThere()).toBe(false);
    expect(task.content()).toEqual(source.content());
    expect(asked()).toMatchObject([{ source: 'catalogue', outcome: 'applied' }]);
    expect(task.violations).toEqual([]);
  });

  test.each(['collection', 'partition'] as const)('leaves a %s where the policy leaves it out', async (what) => {
    const { isThere, asked } = await lose('skip', what);
    expect(isThere()).toBe(true);
    expect(asked()).toMatchObject([{ source: 'catalogue', outcome: 'skipped' }]);
  });

  test.each(['collection', 'partition'] as const)('of a %s waits for whom it asks, and is done then', async (what) => {
    const { running, task, source, isThere, asked } = await lose('ask', what);
    await until(() => asked().length === 1, 'the question');
    expect(isThere()).toBe(true);
    running.decide(asked()[0]?.id ?? '', 'apply');
    await until(() => !isThere(), 'the drop');
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });
});

test('an alias that the target refuses is tried once, said once, and made by the next run', async () => {
  const { source, target, task, a, running } = await following();
  target.script('createAlias', { kind: 'refuse', error: refused('invalidRequest', 'createAlias') });
  source.setAlias(a, 'current');
  source.tickAll();
  await running.level();
  source.setProperty(a, 'mmap.enabled', 'true');
  source.tickAll();
  await running.level();
  await later();
  const tries = () => task.store.operations().filter(({ operation }) => operation === 'createAlias');
  expect(tries().map(({ outcome }) => outcome)).toEqual(['failed']);
  expect(running.status().notices.filter((notice) => /could not be made/.test(notice))).toHaveLength(1);
  await running.stop();
  await task.start().level();
  expect(tries().map(({ outcome }) => outcome)).toEqual(['applied', 'failed']);
  expect(task.content()).toEqual(source.content());
});

describe('a collection that was born and dropped while the task was stopped', () => {
  const lived = async (policy: 'apply' | 'skip' | 'ask') => {
    const operations = { policies: { dropCollection: policy } };
    const { source, target, task, running } = await following({ operations });
    await running.stop();
    source.createDatabase('shop');
    const short = source.createCollection('short', { channels: [0, 1], database: 'shop' });
    source.insert(short, rowsOf(0, 6, 'short'));
    source.tickAll();
    source.dropCollection(short);
    source.tickAll();
    const again = task.start({ operations });
    return { source, target, task, again, copy: () => target.find({ database: 'shop', collection: 'short' }) };
  };

  test('is not made where its drop is followed', async () => {
    const { task, source, again, target } = await lived('apply');
    await again.level();
    expect(task.content()).toEqual(source.content());
    expect(target.databases.get('shop')?.size ?? 0).toBe(0);
  });

  test('is made from the log, with its rows, where its drop is left out', async () => {
    const { again, copy } = await lived('skip');
    await again.level();
    expect(copy()?.partitions.get('_default')).toHaveLength(6);
  });

  test('is made from the log where its drop is asked about, and dropped as decided', async () => {
    const { source, task, again, copy } = await lived('ask');
    const asked = () => task.store.operations().filter(({ outcome }) => outcome === 'waiting');
    await until(() => asked().length === 1, 'the question');
    expect(copy()?.partitions.get('_default')).toHaveLength(6);
    again.decide(asked()[0]?.id ?? '', 'apply');
    await until(() => copy() === undefined, 'the drop');
    source.tickAll();
    await again.level();
    expect(task.content()).toEqual(source.content());
  });
});

describe('databases', () => {
  const made = (task: MemoryTask): string[] =>
    task.store
      .operations()
      .filter(({ operation }) => operation.endsWith('Database'))
      .map(({ operation, source, database, outcome }) => `${source} ${operation} ${database} ${outcome}`)
      .toReversed();

  test('whose message was lost is made, is given its properties, and goes when it goes', async () => {
    const { source, target, task, running } = await following();
    source.createDatabase('empty', { isLost: true });
    await running.level();
    expect(target.databases.has('empty')).toBe(true);
    const found = source.catalog.databases.get('empty');
    const properties = [{ key: 'database.max.collections', value: '7' }];
    if (found !== undefined) source.catalog.databases.set('empty', { ...found, properties });
    source.catalog.changed();
    await running.level();
    expect(target.calls.setDatabaseProperties).toBe(1);
    source.dropDatabase('empty', { isLost: true });
    await running.level();
    expect(target.databases.has('empty')).toBe(false);
    expect(made(task)).toEqual([
      'catalogue createDatabase empty applied',
      'catalogue alterDatabase empty applied',
      'catalogue dropDatabase empty applied',
    ]);
    expect(task.violations).toEqual([]);
  });

  test('that are there before the task are made though nothing is in them; one that the target has is used, and stays', async () => {
    const source = new MemorySource(1);
    source.createDatabase('empty');
    source.createDatabase('used');
    source.tickAll();
    const target = new MemoryTarget();
    target.databases.set('used', new Map());
    await using task = new MemoryTask(source, target);
    const running = task.start({ start: { kind: 'copy', mayLoad: false } });
    await running.level();
    expect([...target.databases.keys()].toSorted()).toEqual(['default', 'empty', 'used']);
    source.dropDatabase('empty', { isLost: true });
    source.dropDatabase('used', { isLost: true });
    await running.level();
    expect([...target.databases.keys()].toSorted()).toEqual(['default', 'used']);
  });

  test('go by the word of their end also where it came while the task was stopped', async () => {
    const { source, target, task, running } = await following();
    source.createDatabase('empty');
    source.createDatabase('again');
    source.tickAll();
    await running.level();
    await running.stop();
    source.dropDatabase('empty', { isLost: true });
    source.dropDatabase('again', { isLost: true });
    source.createDatabase('again', { isLost: true });
    source.tickAll();
    const later = task.start();
    await later.level();
    expect([...target.databases.keys()].toSorted()).toEqual(['again', 'default']);
    expect(made(task).slice(2)).toEqual(['catalogue dropDatabase empty applied']);
    await later.stop();
    source.dropDatabase('again', { isLost: true });
    await task.start().level();
    expect([...target.databases.keys()]).toEqual(['default']);
  });

  test('are no longer looked for where the log has brought them', async () => {
    const { source, target, task, running } = await following();
    source.createDatabase('told');
    source.tickAll();
    await running.level();
    source.dropDatabase('told');
    source.tickAll();
    await running.level();
    expect(target.databases.has('told')).toBe(false);
    expect(made(task)).toEqual(['log createDatabase told applied', 'log dropDatabase told applied']);
  });

  test('that a policy leaves out are left out, once', async () => {
    const operations = { policies: { createDatabase: 'skip' } } as const;
    const { source, target, task, running } = await following({ operations });
    source.createDatabase('lost', { isLost: true });
    source.createDatabase('told');
    source.tickAll();
    await running.level();
    source.catalog.changed();
    await running.level();
    expect([...target.databases.keys()]).toEqual(['default']);
    expect(made(task).toSorted()).toEqual(['catalogue createDatabase lost skipped', 'log createDatabase told skipped']);
  });

  test('that somebody is asked about are asked about once', async () => {
    const operations = { policies: { createDatabase: 'ask' } } as const;
    const { source, target, task, running } = await following({ operations });
    source.createDatabase('told');
    source.tickAll();
    await later();
    expect(made(task)).toEqual(['log createDatabase told waiting']);
    const [question] = task.store.operations().filter(({ outcome }) => outcome === 'waiting');
    running.decide(question?.id ?? '', 'apply');
    await running.level();
    expect(target.databases.has('told')).toBe(true);
  });
});

test('databases that become one on the target, and differ, leave its properties as they are, which is said', async () => {
  const rules = [{ from: { database: 'two' }, to: { database: 'one' } }];
  const { source, target, task, running } = await following({ mapping: { ...SAME_NAMES, rules } });
  const properties = (limit: string) => [{ key: 'database.max.collections', value: limit }];
  source.createDatabase('one');
  source.createDatabase('two');
  source.insert(source.createCollection('c', { database: 'one', channels: [0] }), rowsOf(0, 2, 'c'));
  source.tickAll();
  await running.level();
  for (const [name, limit] of [
    ['one', '10'],
    ['two', '20'],
  ] as const) {
    const found = source.catalog.databases.get(name);
    if (found !== undefined) source.catalog.databases.set(name, { ...found, properties: properties(limit) });
  }
  source.catalog.changed();
  await running.level();
  expect(running.status().notices.join()).toMatch(
    /one and two are both one on the target, .*: database.max.collections/,
  );
  expect(target.calls.setDatabaseProperties).toBeUndefined();
  expect(task.violations).toEqual([]);
});

test('so they do by what the log alters, but for what they agree in', async () => {
  const rules = [{ from: { database: 'two' }, to: { database: 'one' } }];
  const { source, target, task, running } = await following({ mapping: { ...SAME_NAMES, rules } });
  const alter = (name: string, ...properties: readonly { readonly key: string; readonly value: string }[]): void => {
    const found = source.catalog.databases.get(name);
    if (found !== undefined) source.catalog.databases.set(name, { ...found, properties });
    const request = buildOperation('alterDatabase', { dbName: name, properties }, source.nextTick());
    source.wal.append(source.operationChannel, request);
  };
  const limit = (value: string) => ({ key: 'database.max.collections', value });
  const replicas = { key: 'database.replica.number', value: '2' };
  source.createDatabase('one');
  source.createDatabase('two');
  source.insert(source.createCollection('c', { database: 'one', channels: [0] }), rowsOf(0, 2, 'c'));
  source.tickAll();
  await running.level();
  alter('one', limit('10'), replicas);
  alter('two', limit('20'));
  source.tickAll();
  await running.level();
  expect(target.databaseProperties.get('one')).toBe(JSON.stringify([replicas]));
  expect(running.status().notices.join()).toMatch(
    /one and two are both one on the target, .*: database.max.collections/,
  );
  const altered = task.store.operations().filter(({ operation }) => operation === 'alterDatabase');
  expect(altered.map(({ source: from, database, outcome }) => [from, database, outcome])).toEqual([
    ['log', 'two', 'skipped'],
    ['log', 'one', 'applied'],
  ]);
  alter('two', limit('10'));
  source.tickAll();
  await running.level();
  expect(target.databaseProperties.get('one')).toContain(JSON.stringify(limit('10')));
});

test('an etcd that was put back changes nothing on the target, and that is said', async () => {
  const { source, target, a, running } = await following();
  source.setAlias(a, 'current');
  source.tickAll();
  await running.level();
  source.catalog.revisionsBack = 1_000n;
  source.dropAlias('default', 'current');
  source.renameCollection(a, 'before');
  source.catalog.changed();
  await until(() => running.status().notices.join().includes('put back'), 'the notice');
  await pause(60_000, new AbortController().signal);
  expect(target.find({ database: 'default', collection: 'a' })).toBeDefined();
  expect([...target.aliases.keys()]).toEqual(['default.current']);
});

describe('a selection', () => {
  const selection = { ...EVERYTHING, exclude: [{ database: '*', collection: 'outside' }] };

  test('keeps a collection that is renamed out of it, by identity', async () => {
    const { source, task, a, running } = await following({ selection });
    source.renameCollection(a, 'outside');
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('loses an alias that is moved to a collection outside, and that is said', async () => {
    const { source, target, a, running } = await following({ selection });
    const outside = source.createCollection('outside', { channels: [0] });
    source.setAlias(a, 'current');
    source.tickAll();
    await running.level();
    expect(target.aliases.size).toBe(1);
    source.setAlias(outside, 'current');
    source.tickAll();
    await running.level();
    expect(target.aliases.size).toBe(0);
    expect(running.status().notices.join()).toMatch(/stands for default.outside now/);
  });
});

describe('a step whose policy', () => {
  test('is to ask waits while rows go on, and is made as decided', async () => {
    const { source, target, task, a, running } = await following({
      operations: { policies: { renameCollection: 'ask' } },
    });
    source.renameCollection(a, 'renamed');
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    await until(() => waitingIds(task).length === 1, 'the question');
    const copy = target.find({ database: 'default', collection: 'a' });
    await until(() => copy?.partitions.get('_default')?.length === 8, 'the rows under the old name');
    expect(running.status().state).toBe('held');
    expect(running.status().collections.find(({ name }) => name === 'a')).toMatchObject({
      state: 'following',
      trouble: { error: { code: 'decisionNeeded' } },
    });
    running.decide(waitingIds(task)[0] ?? 'none', 'apply');
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(waitingIds(task)).toEqual([]);
  });

  test('is to ask is asked about no more when its collection leaves the selection', async () => {
    const { source, task, a, running } = await following({ operations: { policies: { renameCollection: 'ask' } } });
    source.renameCollection(a, 'renamed');
    source.tickAll();
    await until(() => waitingIds(task).length === 1, 'the question');
    await running.select({
      ...EVERYTHING,
      exclude: ['a', 'renamed'].map((collection) => ({ database: '*', collection })),
    });
    expect(waitingIds(task)).toEqual([]);
    source.tickAll();
    await running.level();
    expect(running.status()).toMatchObject({ state: 'following', operationsWaiting: 0 });
    expect(running.status().notices.join()).not.toMatch(/could not be made/);
  });

  test('tells an alias that is made from one that is moved, and each by its own policy', async () => {
    const policies = { createAlias: 'apply', alterAlias: 'skip' } as const;
    const { source, target, task, a, b, running } = await following({ operations: { policies } });
    source.setAlias(a, 'current');
    source.tickAll();
    await running.level();
    source.setAlias(b, 'current');
    source.tickAll();
    await running.level();
    const standsFor = target.aliases.get('default.current');
    expect(standsFor).toBe(target.find({ database: 'default', collection: 'a' })?.id);
    await running.stop();
    await task.start({ operations: { policies } }).level();
    const told = task.store.operations().filter(({ object }) => object === 'current');
    expect(told.map(({ operation, outcome }) => `${operation} ${outcome}`).toReversed()).toEqual([
      'createAlias applied',
      'alterAlias skipped',
    ]);
  });

  test('is to skip leaves the copy under its name, and is recorded once', async () => {
    const { source, target, task, a, running } = await following({
      operations: { policies: { renameCollection: 'skip' } },
    });
    source.renameCollection(a, 'renamed');
    source.tickAll();
    await running.level();
    source.setProperty(a, 'mmap.enabled', 'true');
    source.tickAll();
    await running.level();
    expect(target.find({ database: 'default', collection: 'a' })?.properties?.get('mmap.enabled')).toBe('true');
    const renames = task.store.operations().filter(({ operation }) => operation === 'renameCollection');
    expect(renames.map(({ outcome }) => outcome)).toEqual(['skipped']);
    expect(running.status().notices.join()).toMatch(/default.a is called default.renamed at the source by now/);
  });
});

test('a kill between any two steps leaves nothing half renamed', { timeout: 120_000 }, async () => {
  const live = async (killAt: number): Promise<string[]> => {
    const source = new MemorySource(2);
    await using task = new MemoryTask(source, new MemoryTarget());
    const a = source.createCollection('a', { channels: [0, 1] });
    const b = source.createCollection('b', { channels: [1] });
    source.insert(a, rowsOf(0, 4, 'a'));
    source.setAlias(a, 'current');
    source.tickAll();
    const first = task.start();
    await first.level();
    await first.stop();
    source.renameCollection(a, 'between');
    source.renameCollection(b, 'a');
    source.renameCollection(a, 'b');
    source.setAlias(b, 'current');
    source.operationsToLose = 1;
    source.createIndex(b);
    source.setProperty(a, 'collection.ttl.seconds', '60');
    source.insert(a, rowsOf(10, 14, 'later'));
    source.tickAll();
    const second = task.start({ killAt });
    await Promise.race([second.ended, second.level().catch(() => undefined)]);
    await second.stop();
    const third = task.start();
    await third.level();
    expect(task.content(), `killed at ${killAt}, ${second.steps.names.at(-1)}`).toEqual(source.content());
    expect(task.violations).toEqual([]);
    return second.steps.names;
  };
  const steps = await live(Number.POSITIVE_INFINITY);
  expect(steps).toContain('after renameCollection default.a');
  for (let killAt = 1; killAt <= steps.length; killAt += 1) await live(killAt);
});
