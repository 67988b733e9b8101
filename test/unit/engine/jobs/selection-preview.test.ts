import { describe, expect, test } from 'vitest';
import { asCollectionId } from '../../../../shared/model/ids.ts';
import { nameKey, parseName } from '../../../../shared/model/collection-name.ts';
import { SAME_NAMES, type NameMapping } from '../../../../shared/model/name-mapping.ts';
import { CHAIN_PROPERTY, chainText } from '../../../../shared/model/origin-chain.ts';
import { EVERYTHING } from '../../../../shared/model/selection.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { toPreview, type PreviewFacts } from '../../../../electron/engine/jobs/selection-preview.ts';
import type { CatalogCollection } from '../../../../electron/engine/source/catalog/catalog.ts';
import { buildSchema, type BuiltCollection } from '../../../support/wal-builder.ts';

const SOURCE = { etcdClusterId: '11', rootPath: 'by-dev' };

function collection(
  id: bigint,
  text: string,
  properties: CatalogCollection['properties'] = [],
  moreFields: BuiltCollection['moreFields'] = [],
): CatalogCollection {
  const { database, collection: name } = parseName(text) ?? { database: 'default', collection: text };
  const built = {
    id,
    database,
    name,
    pchannels: [],
    vchannels: [],
    hasPartitionKey: false,
    hasTextKeys: false,
    moreFields,
  };
  return {
    ...{ id: asCollectionId(id), databaseId: 1n, database, name, createTick: asTimeTick(id * 7n) },
    ...{ shardCount: 1, consistencyLevel: 2, properties, partitions: [], startPositions: [] },
    schema: buildSchema(built),
  };
}

const key = (text: string): string => nameKey(parseName(text) ?? { database: 'default', collection: text });

const facts = (collections: readonly CatalogCollection[], more: Partial<PreviewFacts> = {}): PreviewFacts => ({
  source: SOURCE,
  collections,
  targetHas: () => false,
  namesakes: new Map(),
  rows: new Map(
    collections.map(({ database, name }) => [
      nameKey({ database, collection: name }),
      { rows: 10n, from: 'count' as const },
    ]),
  ),
  targetVersion: 'v2.3.5',
  owner: undefined,
  ...more,
});

const kinds = (given: PreviewFacts, mapping: NameMapping = SAME_NAMES, selection = EVERYTHING): string[] =>
  toPreview(given, selection, mapping).conflicts.map(({ kind }) => kind);

describe('a preview', () => {
  test('finds a name that is an alias on the target, but for one that has come from the source', () => {
    const held = [collection(1n, 'default.a')];
    const withAlias = (origin: string | undefined) =>
      facts(held, { namesakes: new Map([[key('default.a'), { origin, owner: undefined, isAlias: true }]]) });
    const { conflicts } = toPreview(withAlias(undefined), EVERYTHING, SAME_NAMES);
    expect(conflicts.map(({ message }) => message)).toEqual([
      'default.a is an alias on the target already. Drop it there, map the name, or leave the collection out.',
    ]);
    expect(kinds(withAlias('12/1'))).toEqual(['exists']);
    expect(kinds(withAlias('11/7'))).toEqual([]);
  });

  test('warns of what the target is too old for, and of what nobody here knows', () => {
    const nullable = { fieldID: 110, name: 'remark', dataType: 21, nullable: true };
    const unknown = { fieldID: 111, name: 'odd', dataType: 77 };
    const held = [
      collection(1n, 'default.plain'),
      collection(2n, 'default.nullable', [], [nullable]),
      collection(3n, 'default.odd', [], [unknown]),
    ];
    const names = (targetVersion: string) =>
      toPreview(facts(held, { targetVersion }), EVERYTHING, SAME_NAMES).warnings.map(({ kind, names }) => [
        kind,
        names,
      ]);
    expect(names('v2.3.5')).toEqual([['unsupported', ['default.nullable', 'default.odd']]]);
    expect(names('v2.5.1')).toEqual([['unsupported', ['default.odd']]]);
  });

  test('lists every collection by name, counts those that are matched, and warns of the rest', () => {
    const held = [collection(3n, 'shop.b'), collection(1n, 'default.c'), collection(2n, 'shop.a')];
    const selection = { ...EVERYTHING, include: [{ database: 'shop', collection: '*' }] };
    const preview = toPreview(facts(held), selection, { ...SAME_NAMES, databasePrefix: 'dr_' });
    expect(
      preview.collections.map(({ database, collection: name, isSelected, rows }) => [database, name, isSelected, rows]),
    ).toEqual([
      ['default', 'c', false, undefined],
      ['shop', 'a', true, '10'],
      ['shop', 'b', true, '10'],
    ]);
    expect(preview.collections[1]?.target).toEqual({ database: 'dr_shop', collection: 'a' });
    expect(preview).toMatchObject({ selectedCount: 2, leftOutCount: 1, rows: '20', conflicts: [] });
    expect(Number(preview.bytesEstimated)).toBeGreaterThan(0);
    expect(preview.warnings).toEqual([{ kind: 'leftOut', count: 1, names: ['default.c'] }]);
  });

  test('says that nothing is matched, and of what it could not count', () => {
    const held = [collection(1n, 'default.c')];
    const nothing = { ...EVERYTHING, include: [{ database: 'shop', collection: '*' }] };
    expect(toPreview(facts(held), nothing, SAME_NAMES).warnings.map(({ kind }) => kind)).toEqual([
      'nothing',
      'leftOut',
    ]);
    const uncounted = toPreview(facts(held, { rows: new Map() }), EVERYTHING, SAME_NAMES);
    expect(uncounted.warnings).toEqual([{ kind: 'notCounted', count: 1, names: ['default.c'] }]);
    expect(uncounted.collections[0]?.rows).toBeUndefined();
  });

  test('warns of rows that expire by the clock of the target', () => {
    const held = [
      collection(1n, 'default.c', [{ key: 'collection.ttl.seconds', value: '60' }]),
      collection(2n, 'default.d', [{ key: 'collection.ttl.seconds', value: '0' }]),
    ];
    expect(toPreview(facts(held), EVERYTHING, SAME_NAMES).warnings).toEqual([
      { kind: 'timeToLive', count: 1, names: ['default.c'] },
    ]);
  });

  test('finds names that clash, are taken, are refused, and rules that say one thing twice', () => {
    const held = [collection(1n, 'a.x'), collection(2n, 'b.x')];
    const into = (database: string) => ({ from: { database }, to: { database: 'z' } });
    expect(kinds(facts(held), { ...SAME_NAMES, rules: [into('a'), into('b')] })).toEqual(['clash']);
    expect(kinds(facts(held), { ...SAME_NAMES, rules: [into('a'), into('a')] })).toEqual(['rules']);
    expect(kinds(facts(held), { ...SAME_NAMES, collectionPrefix: '1' })).toEqual(['name', 'name']);
    const namesakes = new Map([[key('b.x'), { origin: undefined, owner: undefined }]]);
    expect(kinds(facts(held, { namesakes }))).toEqual(['exists']);
    expect(kinds(facts(held, { namesakes: new Map() }), { ...SAME_NAMES, collectionPrefix: 'dr_' })).toEqual([]);
  });

  test("holds the task's own copies for no conflict, and warns of those that another task has made of the same", () => {
    const held = [collection(1n, 'a.x')];
    const namesake = (owner: string | undefined) => new Map([[key('a.x'), { origin: '11/1', owner }]]);
    expect(kinds(facts(held, { namesakes: namesake('me'), owner: 'me' }))).toEqual([]);
    expect(kinds(facts(held, { namesakes: namesake(undefined), owner: 'me' }))).toEqual([]);
    const others = [
      { namesakes: namesake('other'), owner: 'me' },
      // Its own store may be lost: the task that begins anew takes the copy over.
      { namesakes: namesake('me') },
    ];
    for (const other of others) {
      const { conflicts, warnings } = toPreview(facts(held, other), EVERYTHING, SAME_NAMES);
      expect(conflicts).toEqual([]);
      expect(warnings).toEqual([{ kind: 'otherCopy', count: 1, names: ['a.x'] }]);
    }
    const foreign = new Map([[key('a.x'), { origin: '99/1', owner: 'me' }]]);
    expect(kinds(facts(held, { namesakes: foreign, owner: 'me' }))).toEqual(['exists']);
  });

  test('finds loops of what is matched alone, and one cluster under two addresses before all else', () => {
    const far = { id: 70n, createTick: 700n, database: 'default', collection: 'far', properties: [] };
    const copy = collection(1n, 'a.x', [
      { key: CHAIN_PROPERTY, value: chainText(far, { etcdClusterId: '99', rootPath: 'r' }) },
    ]);
    const held = [copy, collection(2n, 'a.y')];
    const targetHas = (id: bigint, tick: bigint | undefined) => id === 70n && tick === 700n;
    expect(kinds(facts(held, { targetHas }))).toEqual(['loop']);
    const without = { ...EVERYTHING, exclude: [{ database: 'a', collection: 'x' }] };
    expect(kinds(facts(held, { targetHas }), SAME_NAMES, without)).toEqual([]);
    const same = (id: bigint) => id === 2n;
    expect(kinds(facts(held, { targetHas: same }), { ...SAME_NAMES, collectionPrefix: '1' })).toEqual(['sameCluster']);
  });
});
