import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { asCollectionId } from '../../shared/model/ids.ts';
import { parseName } from '../../shared/model/collection-name.ts';
import { SAME_NAMES, type NameMapping } from '../../shared/model/name-mapping.ts';
import { EVERYTHING, type Selection } from '../../shared/model/selection.ts';
import { MemoryTask, settle, until, type StartOptions } from '../support/memory-engine.ts';
import { MemorySource, type Content } from '../support/memory-source.ts';
import { MemoryTarget, refused } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { everyKindOfChange, rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

const pattern = (text: string) => {
  const name = parseName(text);
  if (name === undefined) throw new Error(`no pattern: ${text}`);
  return name;
};
const only = (...include: string[]): Selection => ({ ...EVERYTHING, include: include.map(pattern) });
const copy: StartOptions['start'] = { kind: 'copy', mayLoad: true };

function begin(channels = 2) {
  const source = new MemorySource(channels);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  return { source, target, task };
}

/** The source's content, as far as `keep` wants it. */
function part(content: Content, keep: (database: string, name: string) => boolean, keepsDatabase = true): Content {
  const kept = Object.entries(content).map(([database, collections]) => [
    database,
    Object.fromEntries(Object.entries(collections).filter(([name]) => keep(database, name))),
  ]);
  return Object.fromEntries(
    kept.filter(
      ([database, collections]) =>
        keepsDatabase || database === 'default' || Object.keys(collections as object).length > 0,
    ),
  ) as Content;
}

describe('a selection', () => {
  test('brings what belongs to it and nothing else, of a life with everything in it', async () => {
    const { source, target, task } = begin(3);
    everyKindOfChange(source);
    const running = task.start({ selection: only('default.orders', 'default.keyed') });
    await running.level();
    expect(task.content()).toEqual(
      part(source.content(), (database, name) => database === 'default' && ['orders', 'keyed'].includes(name), false),
    );
    expect(target.calls.createDatabase).toBeUndefined();
    expect(running.status().skippedOperations).toEqual({});
  });

  test('that excludes brings the rest', async () => {
    const { source, task } = begin(3);
    everyKindOfChange(source);
    const running = task.start({ selection: { ...EVERYTHING, exclude: [pattern('*.orders')] } });
    await running.level();
    expect(task.content()).toEqual(part(source.content(), (_database, name) => name !== 'orders'));
  });

  test('takes up what is created later and matches, in the log and in operations, and passes over the rest in silence', async () => {
    const { source, task } = begin();
    const running = task.start({ selection: only('shop.*') });
    await running.level();
    source.createDatabase('shop');
    source.createDatabase('other');
    const orders = source.createCollection('orders', { database: 'shop', channels: [0, 1] });
    const others = source.createCollection('orders', { database: 'other', channels: [1, 0] });
    for (const collection of [orders, others]) {
      source.insert(collection, rowsOf(0, 6, 'value'));
      source.createIndex(collection);
      source.load(collection);
    }
    source.tickAll();
    await running.level();
    expect(Object.keys(task.content())).toEqual(['default', 'shop']);
    expect(task.content()['shop']).toEqual(source.content()['shop']);
    expect(running.status()).toMatchObject({ skippedOperations: {}, leftOut: { count: 1, names: ['other.orders'] } });
    source.dropCollection(orders);
    source.dropCollection(others);
    source.dropDatabase('shop');
    source.dropDatabase('other');
    source.tickAll();
    await running.level();
    expect(Object.keys(task.content())).toEqual(['default']);
    expect(running.status().skippedOperations).toEqual({});
    await until(() => running.status().leftOut === undefined, 'nothing left out');
  });

  test('without later ones stays with those of its beginning, across a restart, and says what it leaves out', async () => {
    const { source, task } = begin();
    const first = source.createCollection('first', { channels: [0] });
    source.tickAll();
    const selection = { ...EVERYTHING, later: false };
    const running = task.start({ selection });
    await running.level();
    const second = source.createCollection('second', { channels: [0] });
    for (const collection of [first, second]) source.insert(collection, rowsOf(0, 3, 'value'));
    source.createIndex(second);
    source.tickAll();
    await running.level();
    await running.stop();
    const again = task.start({ selection });
    source.insert(first, rowsOf(3, 6, 'value'));
    source.tickAll();
    await again.level();
    expect(task.content()).toEqual(part(source.content(), (_database, name) => name === 'first'));
    await until(() => again.status().leftOut?.count === 1, 'the warning');
    expect(again.status()).toMatchObject({ leftOut: { names: ['default.second'] }, skippedOperations: {} });
  });

  test('holds no memory for rows that do not belong to it', async () => {
    const { source, task } = begin();
    const wanted = source.createCollection('wanted', { channels: [0] });
    const other = source.createCollection('other', { channels: [0] });
    source.tickAll();
    const running = task.start({ selection: only('default.wanted'), budgetBytes: 4_000 });
    await running.level();
    for (let index = 0; index < 200; index += 1)
      source.insert(other, rowsOf(index * 10, index * 10 + 9, 'long enough to fill a budget'));
    source.insert(wanted, rowsOf(0, 3, 'value'));
    source.tickAll();
    await running.level();
    expect(running.status().budgetPeakBytes).toBeLessThan(1_000);
    expect(task.content()).toEqual(part(source.content(), (_database, name) => name === 'wanted'));
  });
});

describe('a selection that is changed while the task runs', () => {
  test('copies what is added while the others stream on, and goes on with it', async () => {
    const { source, task } = begin();
    const orders = source.createCollection('orders', { channels: [0, 1] });
    const added = source.createCollection('added', { channels: [1, 0] });
    for (const collection of [orders, added]) {
      source.createIndex(collection);
      source.load(collection);
      source.insert(collection, rowsOf(0, 9, 'before'));
    }
    source.tickAll();
    const running = task.start({ selection: only('default.orders'), start: copy });
    await running.level();
    expect(Object.keys(task.content()['default'] ?? {})).toEqual(['orders']);
    source.upsert(added, rowsOf(3, 5, 'meanwhile'));
    await running.select(only('default.orders', 'default.added'));
    for (const collection of [orders, added]) source.upsert(collection, rowsOf(5, 12, 'after'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
    expect(task.violations).toEqual([]);
    await running.stop();
    const again = task.start({ selection: only('default.orders', 'default.added'), start: copy });
    source.delete(added, [1n, 2n]);
    source.tickAll();
    await again.level();
    expect(task.content()).toEqual(source.content());
  });

  test('stops following what is taken out; its copy stays, and its drop no longer concerns it', async () => {
    const { source, target, task } = begin();
    const orders = source.createCollection('orders', { channels: [0, 1] });
    const leaving = source.createCollection('leaving', { channels: [1, 0] });
    for (const collection of [orders, leaving]) source.insert(collection, rowsOf(0, 4, 'before'));
    source.tickAll();
    const running = task.start();
    await running.level();
    await running.select({ ...EVERYTHING, exclude: [pattern('default.leaving')] });
    expect(task.store.load()?.collections.map(({ name }) => name)).toEqual(['orders']);
    expect(task.store.load()?.shards.map(({ collectionId }) => collectionId)).toEqual([orders.id, orders.id]);
    for (const collection of [orders, leaving]) source.insert(collection, rowsOf(5, 9, 'after'));
    source.createIndex(leaving);
    source.tickAll();
    await running.level();
    const rows = (name: string) =>
      target.find({ database: 'default', collection: name })?.partitions.get('_default')?.length;
    expect([rows('orders'), rows('leaving')]).toEqual([
      source.content()['default']?.['orders']?.partitions['_default']?.length,
      4,
    ]);
    source.dropCollection(leaving);
    source.tickAll();
    await running.level();
    expect(rows('leaving')).toBe(4);
    expect(running.status().notices.join()).toMatch(/default\.leaving is no longer replicated/);
    expect(running.status().collections.map(({ name }) => name)).toEqual(['orders']);
    expect(running.status().skippedOperations).toEqual({});
  });

  test('takes up again what was taken out: its copy is brought level with the source', async () => {
    const { source, task } = begin();
    const orders = source.createCollection('orders', { channels: [0, 1] });
    source.createIndex(orders);
    source.load(orders);
    source.insert(orders, rowsOf(0, 9, 'before'));
    source.tickAll();
    const running = task.start({ start: copy });
    await running.level();
    await running.select(only('default.nothing'));
    source.delete(orders, [1n, 2n, 3n]);
    source.upsert(orders, rowsOf(4, 6, 'missed'));
    source.tickAll();
    await running.level();
    expect(task.content()).not.toEqual(source.content());
    await running.select(EVERYTHING);
    source.insert(orders, rowsOf(20, 22, 'after'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(source.content());
  });

  test('is applied at the next start where the task did not run', async () => {
    const { source, task } = begin();
    const [a, b] = ['a', 'b'].map((name) => source.createCollection(name, { channels: [0] }));
    if (a === undefined || b === undefined) throw new Error('no collections');
    for (const collection of [a, b]) {
      source.createIndex(collection);
      source.load(collection);
      source.insert(collection, rowsOf(0, 4, 'value'));
    }
    source.tickAll();
    const running = task.start({ selection: only('default.a'), start: copy });
    await running.level();
    await running.stop();
    const again = task.start({ selection: only('default.b'), start: copy });
    await again.level();
    expect(again.status().collections.map(({ name }) => name)).toEqual(['b']);
    expect(task.content()).toEqual(source.content());
    expect(again.status().notices.join()).toMatch(/default\.a is no longer replicated/);
  });

  test('while a write of what is taken out is under way waits for it, and for nothing else', async () => {
    const { source, target, task } = begin();
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const running = task.start();
    await running.level();
    const held = Promise.withResolvers<void>();
    target.script('insert', { kind: 'hold', until: held.promise });
    source.insert(orders, rowsOf(0, 4, 'value'));
    source.tickAll();
    await until(() => target.calls.insert === 1, 'the write');
    const selecting = running.select(only('default.nothing'));
    await settle(50);
    expect(task.store.load()?.collections).toHaveLength(1);
    held.resolve();
    await selecting;
    expect(task.store.load()?.collections).toEqual([]);
  });

  test('survives a crash at any step: the old selection holds, or the new one', async () => {
    let steps = Number.POSITIVE_INFINITY;
    for (let killAt = 1; killAt <= steps; killAt += 3) {
      const source = new MemorySource(2);
      const target = new MemoryTarget();
      await using task = new MemoryTask(source, target);
      const [stays, leaves, comes] = ['stays', 'leaves', 'comes'].map((name) =>
        source.createCollection(name, { channels: [0, 1] }),
      );
      if (stays === undefined || leaves === undefined || comes === undefined) throw new Error('no collections');
      for (const collection of [stays, leaves, comes]) {
        source.createIndex(collection);
        source.load(collection);
        source.insert(collection, rowsOf(0, 5, 'before'));
      }
      source.tickAll();
      const before = only('default.stays', 'default.leaves');
      const after = only('default.stays', 'default.comes');
      const first = task.start({ selection: before, start: copy });
      await first.level();
      await first.stop();
      for (const collection of [stays, leaves, comes]) source.upsert(collection, rowsOf(3, 8, 'meanwhile'));
      source.tickAll();
      const second = task.start({ selection: before, start: copy, killAt });
      const done = (async () => {
        await second.level();
        await second.select(after);
        await second.level();
      })().catch(() => undefined);
      await Promise.race([done, second.ended]);
      if (!second.steps.isDead) steps = killAt;
      await second.stop();
      const third = task.start({ selection: after, start: copy });
      await third.level();
      const left = task.content()['default'] ?? {};
      expect({ stays: left['stays'], comes: left['comes'] }, `killed at ${killAt}`).toEqual({
        stays: source.content()['default']?.['stays'],
        comes: source.content()['default']?.['comes'],
      });
      expect(
        task.store
          .load()
          ?.collections.map(({ name }) => name)
          .toSorted(),
      ).toEqual(['comes', 'stays']);
      expect(task.violations).toEqual([]);
    }
  }, 60_000);
});

describe('a mapping of names', () => {
  const mapping: NameMapping = {
    ...SAME_NAMES,
    rules: [
      { from: { database: 'default', collection: 'orders' }, to: { database: 'moved', collection: 'orders_copy' } },
      { from: { database: 'gone' }, to: { database: 'still_gone' } },
    ],
    collectionPrefix: 'dr_',
  };

  const mapped = (content: Content): Content => {
    const renamed: Content = { default: {} };
    for (const [database, collections] of Object.entries(content)) {
      const to = database === 'gone' ? 'still_gone' : database;
      renamed[to] ??= {};
      for (const [name, held] of Object.entries(collections)) {
        if (database === 'default' && name === 'orders') (renamed['moved'] ??= {})['orders_copy'] = held;
        else renamed[to][database === 'gone' ? name : `dr_${name}`] = held;
      }
    }
    return renamed;
  };

  test('holds for all that is done to a collection, and nothing is done under its own name', async () => {
    const { source, target, task } = begin(3);
    everyKindOfChange(source);
    const running = task.start({ mapping });
    await running.level();
    expect(task.content()).toEqual(mapped(source.content()));
    const touched = new Set(target.log.map(({ address }) => address));
    expect([...touched].filter((address) => address === 'default.orders' || address.startsWith('gone'))).toEqual([]);
    const status = running
      .status()
      .collections.find(({ database, name }) => `${database}.${name}` === 'default.orders');
    expect(status).toMatchObject({ database: 'default', target: { database: 'moved', name: 'orders_copy' } });
  });

  test('holds for copies, re-copies and what follows', async () => {
    const { source, task } = begin();
    const orders = source.createCollection('orders', { channels: [0, 1] });
    source.createIndex(orders);
    source.load(orders);
    source.insert(orders, rowsOf(0, 9, 'before'));
    source.tickAll();
    const running = task.start({ mapping, start: copy });
    await running.level();
    source.delete(orders, [2n]);
    source.tickAll();
    await running.level();
    await running.recopy(asCollectionId(orders.id));
    source.upsert(orders, rowsOf(5, 11, 'after'));
    source.tickAll();
    await running.level();
    expect(task.content()).toEqual(mapped(source.content()));
  });

  test('is for good: another one is refused at the next start, and nothing is written', async () => {
    const { source, target, task } = begin();
    source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const running = task.start({ mapping });
    await running.level();
    await running.stop();
    const calls = target.log.length;
    const again = task.start();
    expect(await again.ended).toMatchObject({ code: 'invalidConfig', context: { field: 'mapping' } });
    expect(target.log.slice(calls).every(({ call }) => call === 'probe')).toBe(true);
  });

  test('of two databases into one drops that one only when nothing is in it', async () => {
    const { source, task } = begin();
    const both: NameMapping = {
      ...SAME_NAMES,
      rules: ['a', 'b'].map((database) => ({ from: { database }, to: { database: 'one' } })),
    };
    const running = task.start({ mapping: both });
    const collections = ['a', 'b'].map((database) => {
      source.createDatabase(database);
      return source.createCollection(`of_${database}`, { database, channels: [0] });
    });
    for (const collection of collections) source.insert(collection, rowsOf(0, 3, 'value'));
    source.tickAll();
    await running.level();
    expect(Object.keys(task.content()['one'] ?? {})).toEqual(['of_a', 'of_b']);
    for (const [index, collection] of collections.entries()) {
      source.dropCollection(collection);
      source.dropDatabase(collection.database);
      source.tickAll();
      await running.level();
      expect(Object.keys(task.content())).toEqual(index === 0 ? ['default', 'one'] : ['default']);
    }
    expect(running.status().skippedOperations).toEqual({ dropDatabase: 1 });
  });
});

describe('several tasks on one pair', () => {
  test('go their own ways: one in trouble keeps none of the others', async () => {
    const { source, target, task: first } = begin();
    const second = new MemoryTask(source, target);
    onTestFinished(() => second[Symbol.asyncDispose]());
    const [a, b] = ['a', 'b'].map((name) => source.createCollection(name, { channels: [0, 1] }));
    if (a === undefined || b === undefined) throw new Error('no collections');
    source.tickAll();
    const one = first.start({ selection: only('default.a') });
    const other = second.start({ selection: only('default.b') });
    await Promise.all([one.level(), other.level()]);
    const intoA = ({ address }: { readonly address: string }) => address === 'default.a';
    target.script('insert', { kind: 'refuse', error: refused('invalidRequest', 'insert') }, intoA);
    for (const collection of [a, b]) source.insert(collection, rowsOf(0, 5, 'value'));
    source.tickAll();
    await until(() => one.status().state === 'failed', 'the first one to fail');
    await other.level();
    expect(other.status().state).toBe('following');
    expect(target.find({ database: 'default', collection: 'b' })?.partitions.get('_default')).toHaveLength(5);
  });

  test('do not take the copy of the same collection for their own', async () => {
    const { source, target, task: first } = begin();
    const second = new MemoryTask(source, target);
    onTestFinished(() => second[Symbol.asyncDispose]());
    const orders = source.createCollection('orders', { channels: [0] });
    source.tickAll();
    const one = first.start();
    await one.level();
    const other = second.start({ selection: only('default.orders') });
    await until(() => other.status().state === 'held', 'the second one to be held');
    expect(other.status().collections[0]?.trouble?.error.message).toMatch(
      /another task has made for the same collection/,
    );
    source.insert(orders, rowsOf(0, 3, 'value'));
    source.tickAll();
    await one.level();
    expect(first.content()).toEqual(source.content());
  });

  test('that make the same one at the same moment: it belongs to one of them, and the other is held', async () => {
    const { source, target, task: first } = begin();
    const second = new MemoryTask(source, target);
    onTestFinished(() => second[Symbol.asyncDispose]());
    const orders = source.createCollection('orders', { channels: [0] });
    source.insert(orders, rowsOf(0, 3, 'value'));
    source.tickAll();
    const held = Promise.withResolvers<void>();
    for (let call = 0; call < 2; call += 1) target.script('createCollection', { kind: 'hold', until: held.promise });
    const running = [first.start(), second.start({ selection: only('default.orders') })];
    await until(() => target.calls.createCollection === 2, 'both to make it');
    held.resolve();
    await until(() => running.some((one) => one.status().state === 'held'), 'one to be held');
    await until(
      () => target.find({ database: 'default', collection: 'orders' })?.partitions.get('_default')?.length === 3,
      'the rows of the other',
    );
    expect(running.map((one) => one.status().state).toSorted()).toEqual(['following', 'held']);
  });
});
