import { describe, expect, it } from 'vitest';
import type { CollectionShape } from '../../../../electron/core/drill/compare/collection-shape.ts';
import type { ClusterSnapshot, CollectionSnapshot } from '../../../../electron/core/drill/compare/cluster-snapshot.ts';
import {
  compareRows,
  EXAMPLES_MAX,
  type CollectionRows,
} from '../../../../electron/core/drill/compare/compare-rows.ts';
import { compareShapes } from '../../../../electron/core/drill/compare/compare-shapes.ts';
import { judge } from '../../../../electron/core/drill/compare/judge.ts';
import {
  collectionKey,
  type ExpectedState,
  type Expectation,
} from '../../../../electron/core/drill/load/ledger-replay.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

const rows = (contents: Record<string, string>, doubles = 0, partition = 'p'): CollectionRows =>
  new Map([[partition, { rows: new Map(Object.entries(contents)), count: Object.keys(contents).length + doubles }]]);

const shape = (changes: Partial<CollectionShape> = {}): CollectionShape => ({
  database: 'shop',
  collection: 'orders',
  fields: [{ name: 'id', definition: 'Int64, primary key', isGenerated: false }],
  functions: [],
  isDynamic: false,
  description: '',
  shards: 2,
  consistencyLevel: 'Bounded',
  properties: '',
  partitions: ['_default', 'p'],
  hasPartitionKey: false,
  indexes: ['v_index on v (index_type=FLAT)'],
  loadState: 'loaded',
  loadedPartitions: ['_default', 'p'],
  hashedFields: [{ name: 'id', type: 'Int64' }],
  keyField: { name: 'id', type: 'Int64' },
  ...changes,
});

const cluster = (...collections: CollectionSnapshot[]): ClusterSnapshot => ({
  databases: ['default', 'shop'],
  collections: new Map(collections.map((snapshot) => [collectionKey('shop', snapshot.shape.collection), snapshot])),
  unreadable: new Map(),
});

const ledger = (contents: Record<string, Expectation>, changes: Partial<ExpectedState> = {}): ExpectedState => ({
  seed: 1,
  isComplete: true,
  operations: {},
  operationsUnknown: 0,
  rowsWritten: 0,
  lastAckMs: 0,
  collections: new Map([
    [
      collectionKey('shop', 'orders'),
      { database: 'shop', collection: 'orders', partitions: new Map([['p', new Map(Object.entries(contents))]]) },
    ],
  ]),
  ...changes,
});

describe('compareRows', () => {
  it('counts what is missing, extra and different, by partition and key', () => {
    const source = rows({ 1: 'a', 2: 'b', 3: 'c' });
    expect(compareRows(source, rows({ 1: 'a', 2: 'x', 4: 'd' }), undefined)).toMatchObject({
      rowsSource: 3,
      rowsTarget: 3,
      missing: 1,
      extra: 1,
      different: 1,
      examples: [
        { kind: 'different', partition: 'p', key: '2' },
        { kind: 'missing', partition: 'p', key: '3' },
        { kind: 'extra', partition: 'p', key: '4' },
      ],
    });
    expect(compareRows(source, rows({ 1: 'a', 2: 'b', 3: 'c' }, 0, 'q'), undefined)).toMatchObject({
      missing: 3,
      extra: 3,
    });
  });

  it('counts doubled rows on each side', () => {
    expect(compareRows(rows({ 1: 'a' }), rows({ 1: 'a' }, 2), undefined)).toMatchObject({
      doublesSource: 0,
      doublesTarget: 2,
    });
  });

  it('holds the source against the ledger', () => {
    const expected = ledger({ 1: ['a'], 2: ['b'], 3: ['c'] }).collections.get(
      collectionKey('shop', 'orders'),
    )?.partitions;
    const source = rows({ 1: 'a', 2: 'x', 4: 'd' });
    expect(compareRows(source, source, expected)).toMatchObject({
      missing: 0,
      ledger: { rows: 3, sourceMissing: 1, sourceExtra: 1, sourceDifferent: 1 },
    });
  });

  it('takes what the source has for what happened where the ledger does not know', () => {
    const expected = new Map([
      [
        'p',
        new Map<string, Expectation>([
          ['1', [undefined, 'a']],
          ['2', ['b', 'c']],
          ['3', ['d', undefined]],
        ]),
      ],
    ]);
    const source = rows({ 1: 'a', 2: 'c' });
    expect(compareRows(source, source, expected).ledger).toEqual({
      rows: 2,
      sourceMissing: 0,
      sourceExtra: 0,
      sourceDifferent: 0,
    });
    const impossible = rows({ 1: 'z', 2: 'c' });
    expect(compareRows(impossible, impossible, expected).ledger).toMatchObject({ sourceDifferent: 1 });
  });

  it('gives a few examples only', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [String(n), 'a']));
    const result = compareRows(rows(many), rows({}), undefined);
    expect(result.missing).toBe(50);
    expect(result.examples).toHaveLength(EXAMPLES_MAX);
  });
});

describe('compareShapes', () => {
  it('finds nothing between equal collections', () => {
    expect(compareShapes(shape(), shape())).toEqual([]);
  });

  it('accepts keys that the source generates and the target keeps, but not the reverse', () => {
    const fields = [{ name: 'id', definition: 'Int64, primary key', isGenerated: true }];
    expect(compareShapes(shape({ fields }), shape())).toEqual([]);
    expect(compareShapes(shape({ fields }), shape({ fields }))).toEqual([
      expect.stringContaining('generates id itself'),
    ]);
  });

  it.each<[string, Partial<CollectionShape>]>([
    ['field', { fields: [] }],
    ['field id', { fields: [{ name: 'id', definition: 'VarChar, primary key', isGenerated: false }] }],
    ['dynamic field', { isDynamic: true }],
    ['shards', { shards: 1 }],
    ['consistency level', { consistencyLevel: 'Strong' }],
    ['partition', { partitions: ['_default'] }],
    ['index', { indexes: [] }],
    ['load state', { loadState: 'notLoaded' }],
    ['loaded partition', { loadedPartitions: ['p'] }],
  ])('names a difference of the %s', (what, changes) => {
    expect(compareShapes(shape(), shape(changes)).join(' ')).toContain(what);
  });

  it('takes a load that is under way for loaded', () => {
    expect(compareShapes(shape(), shape({ loadState: 'loading' }))).toEqual([]);
  });

  it('compares only the number of partitions where a partition key decides', () => {
    const keyed = shape({ hasPartitionKey: true, partitions: ['_default_0', '_default_1'] });
    expect(compareShapes(keyed, { ...keyed, partitions: ['x', 'y'] })).toEqual([]);
    expect(compareShapes(keyed, { ...keyed, partitions: ['x'] })).toEqual([
      expect.stringContaining('number of partitions'),
    ]);
  });
});

describe('judge', () => {
  const orders = (contents: Record<string, string>, doubles = 0) => ({ shape: shape(), rows: rows(contents, doubles) });

  it('says in one sentence that all is equal', () => {
    const side = cluster(orders({ 1: 'a', 2: 'b' }));
    expect(judge(side, side, ledger({ 1: ['a'], 2: ['b'] }))).toMatchObject({
      equal: true,
      summary: 'Source, ledger and target are equal: 2 rows in 1 collection, by key and full content.',
      differences: [],
      rowsSource: 2,
      rowsTarget: 2,
      rowsLedger: 2,
    });
  });

  it('says in one sentence what is not equal, and lists the rest', () => {
    const verdict = judge(cluster(orders({ 1: 'a', 2: 'b' })), cluster(orders({ 1: 'a' }, 1)), undefined);
    expect(verdict.equal).toBe(false);
    expect(verdict.summary).toBe(
      'Source and target are not equal: shop.orders: 1 row is missing on the target; 1 row is doubled on the target.',
    );
  });

  it('is not content with equal sides when the ledger says otherwise', () => {
    const side = cluster(orders({ 1: 'a' }));
    expect(judge(side, side, ledger({ 1: ['a'], 2: ['b'] })).summary).toContain('acknowledged by the source');
    expect(judge(side, side, ledger({ 1: ['a'] }, { isComplete: false })).summary).toContain('cut off');
    expect(judge(cluster(), cluster(), ledger({})).equal).toBe(false);
    expect(judge(side, side, ledger({}, { collections: new Map() })).equal).toBe(false);
  });

  it('names a collection or a database that one side lacks', () => {
    const source = cluster(orders({ 1: 'a' }));
    expect(judge(source, cluster(), undefined).differences).toEqual([
      'shop.orders: The target lacks it.',
      'shop.orders: 1 row is missing on the target.',
    ]);
    expect(judge(cluster(), source, undefined).differences[0]).toBe('shop.orders: Only the target has it.');
    expect(judge(source, { ...source, databases: ['default'] }, undefined).differences).toEqual([
      'The target lacks the database shop.',
    ]);
  });

  it('does not take a collection that cannot be read for equal', () => {
    const problem = new ReplicationError('invalidRequest', 'target', 'The target refused LoadCollection: no index.');
    const target: ClusterSnapshot = {
      ...cluster(),
      unreadable: new Map([[collectionKey('shop', 'orders'), { database: 'shop', collection: 'orders', problem }]]),
    };
    const verdict = judge(cluster(orders({})), target, undefined);
    expect(verdict.equal).toBe(false);
    expect(verdict.differences).toEqual([
      'shop.orders: It cannot be compared. The target refused LoadCollection: no index.',
    ]);
  });
});
