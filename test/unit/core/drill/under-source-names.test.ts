import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot, CollectionSnapshot } from '../../../../electron/core/drill/compare/cluster-snapshot.ts';
import { judge } from '../../../../electron/core/drill/compare/judge.ts';
import { underSourceNames } from '../../../../electron/core/drill/compare/under-source-names.ts';
import { collectionKey } from '../../../../electron/core/drill/load/ledger-replay.ts';
import { SAME_NAMES } from '../../../../shared/model/name-mapping.ts';
import { EVERYTHING } from '../../../../shared/model/selection.ts';

const held = (database: string, collection: string, content: string): CollectionSnapshot => ({
  shape: {
    ...{ database, collection, fields: [], isDynamic: false, description: '', shards: 1, consistencyLevel: 'Bounded' },
    ...{ properties: '', partitions: ['_default'], hasPartitionKey: false, indexes: [], loadState: 'notLoaded' },
    ...{ functions: [], loadedPartitions: [], hashedFields: [], keyField: { name: 'id', type: 'Int64' } },
  },
  rows: new Map([['_default', { rows: new Map([['1', content]]), count: 1 }]]),
});

const cluster = (...collections: CollectionSnapshot[]): ClusterSnapshot => ({
  databases: [...new Set(collections.map(({ shape }) => shape.database))],
  collections: new Map(collections.map((one) => [collectionKey(one.shape.database, one.shape.collection), one])),
  unreadable: new Map(),
});

const mapping = { ...SAME_NAMES, rules: [{ from: { database: 'b' }, to: { database: 'z' } }], collectionPrefix: 'dr_' };

describe('two clusters under the names of the source', () => {
  it('are equal where every copy stands where the mapping says, whatever else the target holds', () => {
    const source = cluster(held('a', 'x', '1'), held('b', 'x', '2'));
    const target = cluster(held('a', 'dr_x', '1'), held('z', 'x', '2'), held('a', 'foreign', '3'));
    const compared = underSourceNames(source, target, { mapping });
    expect(judge(compared.source, compared.target, undefined)).toMatchObject({ equal: true, rowsTarget: 2 });
    expect(judge(source, target, undefined).equal).toBe(false);
  });

  it('differ where a copy is missing, stands under its old name, or holds something else', () => {
    const source = cluster(held('a', 'x', '1'), held('b', 'x', '2'));
    const target = cluster(held('a', 'x', '1'), held('z', 'x', 'other'));
    const compared = underSourceNames(source, target, { mapping });
    const { differences } = judge(compared.source, compared.target, undefined);
    expect(differences).toEqual([
      'a.x: The target lacks it.',
      'a.x: 1 row is missing on the target.',
      'b.x: 1 row has other content on the target.',
    ]);
  });

  it('are compared in what is selected alone', () => {
    const source = cluster(held('a', 'x', '1'), held('a', 'y', '2'));
    const target = cluster(held('a', 'x', '1'));
    const selection = { ...EVERYTHING, include: [{ database: 'a', collection: 'x' }] };
    const compared = underSourceNames(source, target, { selection });
    expect(judge(compared.source, compared.target, undefined).equal).toBe(true);
  });
});
