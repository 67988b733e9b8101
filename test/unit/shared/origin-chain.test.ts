import { describe, expect, test } from 'vitest';
import {
  CHAIN_PROPERTY,
  chainOf,
  chainText,
  findLoop,
  loopText,
  type ChainedCollection,
} from '../../../shared/model/origin-chain.ts';

interface Cluster {
  readonly etcdClusterId: string;
  readonly rootPath: string;
}
const [A, B, C] = ['11', '22', '33'].map((etcdClusterId) => ({ etcdClusterId, rootPath: 'by-dev' })) as [
  Cluster,
  Cluster,
  Cluster,
];

let nextId = 1000n;
function made(collection: string, properties: ChainedCollection['properties'] = []): ChainedCollection {
  nextId += 1n;
  return { id: nextId, createTick: nextId * 7n, database: 'default', collection, properties };
}

/** What a task from `cluster` makes of the collection. */
const copyOf = (original: ChainedCollection, cluster: Cluster, name = original.collection): ChainedCollection =>
  made(name, [{ key: CHAIN_PROPERTY, value: chainText(original, cluster) }]);

const holding = (...held: readonly ChainedCollection[]) => ({
  targetHas: (id: bigint, tick: bigint | undefined) =>
    held.some((one) => one.id === id && (tick === undefined || tick === one.createTick)),
});

describe('a loop', () => {
  test('is none where a collection is no copy, or comes from elsewhere: A → B → C', () => {
    const original = made('orders');
    expect(findLoop(original, { ...A, ...holding() })).toBeUndefined();
    expect(findLoop(copyOf(original, A), { ...B, ...holding(made('other')) })).toBeUndefined();
  });

  test('of two, A → B → A, is known by what the target holds', () => {
    const original = made('orders');
    const loop = findLoop(copyOf(original, A), { ...B, ...holding(original) });
    expect(loop).toEqual({ kind: 'target', way: ['default.orders', 'default.orders'] });
  });

  test('of three, A → B → C → A, is known too, and the sentence says the way', () => {
    const original = made('orders');
    const second = copyOf(original, A, 'orders_b');
    const third = copyOf(second, B, 'orders_c');
    const loop = findLoop(third, { ...C, ...holding(made('more'), original) });
    expect(loop?.kind).toBe('target');
    expect(loop && loopText(loop)).toBe(
      'default.orders_c is itself a copy of default.orders, which stands in the target (default.orders → default.orders_b → default.orders_c), so copying it there would go round in a loop.',
    );
  });

  test('that could not be known before is known by the next that reads it: the rows have come home', () => {
    const original = made('orders');
    const home = copyOf(copyOf(original, A, 'b'), B, 'c');
    expect(findLoop(home, { ...A, ...holding() })).toMatchObject({ kind: 'home' });
    // Another cluster in the same etcd is another cluster.
    expect(findLoop(home, { ...A, rootPath: 'other', ...holding() })).toBeUndefined();
  });

  test('is no loop where the target holds another collection of the same id', () => {
    const original = made('orders');
    const namesake = { ...original, createTick: original.createTick + 1n };
    expect(findLoop(copyOf(original, A), { ...B, ...holding(namesake) })).toBeUndefined();
  });

  test('is known by the origin alone of copies that an earlier version has made', () => {
    const original = made('orders');
    const copy = made('orders', [{ key: 'lifeline.origin', value: `${A.etcdClusterId}/${original.id}` }]);
    expect(findLoop(copy, { ...B, ...holding(original) })).toMatchObject({ kind: 'target' });
    expect(findLoop(copy, { ...A, ...holding() })).toMatchObject({ kind: 'home' });
  });
});

describe('a chain', () => {
  test('begins with the nearest, and goes on with what the collection itself bore', () => {
    const original = made('my.orders');
    const third = copyOf(copyOf(original, A, 'b'), B, 'c');
    expect(chainOf(third.properties).map(({ etcdClusterId, name }) => [etcdClusterId, name])).toEqual([
      ['22', 'default.b'],
      ['11', 'default."my.orders"'],
    ]);
  });

  test.each(['', 'no json', '{}', '[{"cluster":1}]', '[null]'])(
    'that cannot be read is as good as none: %s',
    (value) => {
      expect(chainOf([{ key: CHAIN_PROPERTY, value }])).toEqual([]);
    },
  );

  test('does not grow for ever', () => {
    let copy = made('orders');
    for (let hop = 0; hop < 100; hop += 1) copy = copyOf(copy, { etcdClusterId: `${hop}`, rootPath: 'r' });
    expect(chainOf(copy.properties)).toHaveLength(16);
  });
});
