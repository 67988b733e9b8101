import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { CHAIN_PROPERTY, chainText, type ChainedCollection } from '../../shared/model/origin-chain.ts';
import { SAME_NAMES } from '../../shared/model/name-mapping.ts';
import { EVERYTHING } from '../../shared/model/selection.ts';
import { MemoryTask, until } from '../support/memory-engine.ts';
import { MemorySource, type SourceCollection } from '../support/memory-source.ts';
import { MemoryTarget, type MemoryCollection } from '../support/memory-target.ts';
import { useQuickTimers } from '../support/quick-timers.ts';
import { rowsOf } from './scenarios.ts';

beforeEach(useQuickTimers);

const cluster = (etcdClusterId: string) => ({ etcdClusterId, rootPath: 'by-dev' });

/** A collection of `cluster`, as its chain names it. */
const original = (id: bigint, properties: ChainedCollection['properties'] = []): ChainedCollection => ({
  id,
  // The target in memory gives out ids in the order of time.
  createTick: id,
  database: 'default',
  collection: 'orders',
  properties,
});

const bearing = (chain: string): ChainedCollection['properties'] => [{ key: CHAIN_PROPERTY, value: chain }];

/** The source's collection is a copy of what the chain says. */
function makeCopy(source: MemorySource, collection: SourceCollection, chain: string): void {
  const known = source.catalog.collections.get(collection.id);
  if (known !== undefined) source.catalog.put({ ...known, properties: bearing(chain) });
}

function hold(target: MemoryTarget, name: string, id: bigint): void {
  const held: MemoryCollection = {
    id,
    origin: '',
    hasPartitionKey: false,
    shardCount: 1,
    partitions: new Map([['_default', []]]),
    indexes: new Set(),
    isLoaded: false,
    loadedPartitions: new Set(),
  };
  target.databases.get('default')?.set(name, held);
}

function begin() {
  const source = new MemorySource(2);
  const target = new MemoryTarget();
  const task = new MemoryTask(source, target);
  onTestFinished(() => task[Symbol.asyncDispose]());
  const orders = source.createCollection('orders', { channels: [0] });
  const other = source.createCollection('other', { channels: [1] });
  for (const collection of [orders, other]) source.insert(collection, rowsOf(0, 4, 'value'));
  source.tickAll();
  return { source, target, task, orders, other };
}

describe('a copy that would go round in a loop', () => {
  test('A → B → A is refused alone, by a sentence, before anything is written for it', async () => {
    const { source, target, task, orders } = begin();
    const far = original(70n);
    makeCopy(source, orders, chainText(far, cluster('far')));
    hold(target, 'orders_there', far.id);
    const running = task.start({ mapping: { ...SAME_NAMES, collectionPrefix: 'back_' } });
    await until(() => running.status().collections.some(({ state }) => state === 'held'), 'the refusal');
    const held = running.status().collections.find(({ name }) => name === 'orders');
    expect(held?.trouble?.error).toMatchObject({ code: 'replicationLoop', side: 'config' });
    expect(held?.trouble?.error.message).toMatch(/is itself a copy of default\.orders, which stands in the target/);
    await until(
      () => target.find({ database: 'default', collection: 'back_other' })?.partitions.get('_default')?.length === 4,
      'the other one',
    );
    expect(target.find({ database: 'default', collection: 'back_orders' })).toBeUndefined();
  });

  test('A → B → C → A is refused, and again at every start', async () => {
    const { source, target, task, orders } = begin();
    const far = original(70n);
    const between = original(80n, bearing(chainText(far, cluster('far'))));
    makeCopy(source, orders, chainText(between, cluster('between')));
    hold(target, 'elsewhere', far.id);
    for (let start = 0; start < 2; start += 1) {
      const running = task.start();
      await until(
        () => running.status().collections.some(({ trouble }) => trouble?.error.code === 'replicationLoop'),
        'the refusal',
      );
      await running.stop();
    }
    expect(target.find({ database: 'default', collection: 'orders' })).toBeUndefined();
  });

  test('that has come home is refused when it is born, by the identity of the source alone', async () => {
    const { source, target, task } = begin();
    const running = task.start();
    await running.level();
    source.catalog.id = '4711';
    const born = source.createCollection('came_back', { channels: [0] });
    makeCopy(
      source,
      born,
      chainText(original(80n, bearing(chainText(original(70n), cluster('4711')))), cluster('between')),
    );
    source.insert(born, rowsOf(0, 3, 'value'));
    source.tickAll();
    await until(
      () => running.status().collections.some(({ trouble }) => trouble?.error.code === 'replicationLoop'),
      'the refusal',
    );
    expect(target.find({ database: 'default', collection: 'came_back' })).toBeUndefined();
  });

  test('is no loop when it only passes through: A → B → C', async () => {
    const { source, target, task, orders } = begin();
    makeCopy(source, orders, chainText(original(70n), cluster('far')));
    const running = task.start();
    await running.level();
    expect(task.content()).toEqual(source.content());
    const copy = target.find({ database: 'default', collection: 'orders' });
    expect(copy?.properties?.get(CHAIN_PROPERTY)).toContain('"far"');
  });

  test('of a cluster onto itself ends the start, whatever the names', async () => {
    const { target, task, orders } = begin();
    hold(target, 'anything', orders.id);
    const listed = target.collectionIdentities.bind(target);
    target.collectionIdentities = async (database, signal) =>
      (await listed(database, signal)).map((one) =>
        one.id === orders.id ? { ...one, createTick: orders.createTick } : one,
      );
    const running = task.start({ mapping: { ...SAME_NAMES, collectionPrefix: 'again_' } });
    expect(await running.ended).toMatchObject({
      code: 'replicationLoop',
      message: expect.stringMatching(/the same cluster/) as string,
    });
    expect(target.calls.createCollection).toBeUndefined();
  });

  test('is not asked for where it is left out', async () => {
    const { source, target, task, orders } = begin();
    makeCopy(source, orders, chainText(original(70n), cluster('far')));
    hold(target, 'orders_there', 70n);
    const running = task.start({
      selection: { ...EVERYTHING, exclude: [{ database: 'default', collection: 'orders' }] },
    });
    await running.level();
    expect(running.status().state).toBe('following');
  });
});
