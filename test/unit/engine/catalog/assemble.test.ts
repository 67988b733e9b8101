/** The catalog put together from keys that a real Milvus 2.3.5 wrote (test/golden/catalog). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import {
  assembleCollection,
  assembleDatabases,
  createdCollections,
  type KeyedValue,
} from '../../../../electron/engine/source/catalog/assemble.ts';
import type { CatalogCollection } from '../../../../electron/engine/source/catalog/catalog.ts';
import { isTombstone } from '../../../../electron/engine/source/catalog/etcd-messages.ts';
import { decodeAs, encodeAs } from '../../../support/golden-messages.ts';

const dump = JSON.parse(readFileSync(join(import.meta.dirname, '../../../golden/catalog/etcd.json'), 'utf8')) as {
  metaPath: string;
  entries: Record<string, string>;
};

const entries: readonly KeyedValue[] = Object.entries(dump.entries).map(([key, value]) => ({
  key,
  value: new Uint8Array(Buffer.from(value, 'base64')),
}));
const under = (rest: string): readonly KeyedValue[] =>
  entries.filter(({ key }) => key.startsWith(`${dump.metaPath}/root-coord/${rest}`));

const databases = assembleDatabases(under('database/db-info/'));

function collection(name: string): CatalogCollection {
  for (const found of createdCollections(under('database/collection-info/'))) {
    const { id } = found.info;
    const assembled = assembleCollection(found, databases, under(`partitions/${id}/`), under(`fields/${id}/`));
    if (assembled?.name === name) return assembled;
  }
  throw new Error(`The recorded catalog has no collection ${name}.`);
}

describe('the recorded catalog', () => {
  test('holds the databases that exist, and not the tombstone of the one that was dropped', () => {
    expect(databases.map(({ name }) => name)).toEqual(['default', 'shop']);
    expect(databases[0]?.id).toBe(1n);
    expect(under('database/db-info/').filter(({ value }) => isTombstone(value))).toHaveLength(1);
  });

  test('holds the collections that exist, and not the one that is being dropped', () => {
    const names = createdCollections(under('database/collection-info/')).map(({ info }) =>
      String(decodeAs('schema.CollectionSchema', info.schema)['name']),
    );
    expect(names.sort()).toEqual(['all_types', 'auto_ids', 'binary_keys']);
    expect(under('database/collection-info/')).toHaveLength(4);
  });

  test('gives a collection the functions that later servers keep beside its fields', () => {
    const [found] = createdCollections(under('database/collection-info/'));
    if (found === undefined) throw new Error('There is no collection.');
    const { id } = found.info;
    const bm25 = { name: 'bm25', type: 1, outputFieldNames: ['sparse'] };
    const functions = [{ key: `functions/${id}/100`, value: encodeAs('schema.FunctionSchema', bm25) }];
    const parts = [under(`partitions/${id}/`), under(`fields/${id}/`), functions] as const;
    const schema = parseCollectionSchema(assembleCollection(found, databases, ...parts)?.schema ?? new Uint8Array());
    expect(schema).toMatchObject({ functions: [{ name: 'bm25', type: 1, outputs: ['sparse'] }] });
  });

  test('gives a collection its database, shards, level, properties and start positions', () => {
    const all = collection('all_types');
    expect(all).toMatchObject({ database: 'shop', shardCount: 2, consistencyLevel: 0 });
    expect(all.properties).toEqual([{ key: 'collection.ttl.seconds', value: '86400' }]);
    expect(all.createTick).toBeGreaterThan(0n);
    expect(all.startPositions).toHaveLength(2);
    all.startPositions.forEach(({ vchannel, pchannel, messageId }, shard) => {
      expect(vchannel).toBe(`${pchannel}_${all.id}v${shard}`);
      // NATS: the stream sequence, eight bytes, little-endian.
      expect(Buffer.from(messageId).readBigInt64LE()).toBe(1n);
    });
  });

  test('puts the fields together in the order of their ids, without those that Milvus adds for itself', () => {
    const schema = parseCollectionSchema(collection('all_types').schema);
    if ('kind' in schema) throw new Error(schema.what);
    expect(schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual([
      '100 id',
      '101 tiny',
      '102 small',
      '103 medium',
      '104 large',
      '105 single',
      '106 twice',
      '107 flag',
      '108 text',
      '109 json',
      '110 numbers',
      '111 words',
      '112 embedding',
      '113 $meta',
    ]);
    expect(schema).toMatchObject({
      description: 'one field of each type – ü',
      enableDynamicField: true,
      autoId: false,
    });
  });

  test('tells keys that the source generates and keys of partitions', () => {
    expect(parseCollectionSchema(collection('auto_ids').schema)).toMatchObject({ autoId: true });
    const binary = parseCollectionSchema(collection('binary_keys').schema);
    if ('kind' in binary) throw new Error(binary.what);
    expect(binary.fields.find(({ isPartitionKey }) => isPartitionKey)?.name).toBe('tenant');
    expect(collection('binary_keys').partitions.map(({ name }) => name)).toEqual([
      '_default_0',
      '_default_1',
      '_default_2',
      '_default_3',
    ]);
  });

  test('leaves out the partition that is being dropped', () => {
    expect(collection('all_types').partitions.map(({ name }) => name)).toEqual(['_default', 'north']);
  });
});

describe('values that are not as expected', () => {
  const [found] = createdCollections(under('database/collection-info/'));
  if (found === undefined) throw new Error('The recorded catalog is empty.');

  test('a collection whose database is gone is left out', () => {
    expect(assembleCollection(found, [], [], under(`fields/${found.info.id}/`))).toBeUndefined();
  });

  test('a value that is no message names its key and not its content', () => {
    const bad = { key: 'by-dev/meta/root-coord/database/db-info/7', value: Uint8Array.of(0x0a, 0xff) };
    expect(() => assembleDatabases([bad])).toThrow(
      expect.objectContaining({ code: 'malformedMessage', side: 'source', context: { key: bad.key } }),
    );
  });

  test('a collection without fields is malformed', () => {
    expect(() => assembleCollection(found, databases, [], [])).toThrow(
      expect.objectContaining({ code: 'malformedMessage' }),
    );
  });

  test('a shard without start position is malformed', () => {
    const info = { ...found.info, startPositions: [] };
    const fields = under(`fields/${found.info.id}/`);
    expect(() => assembleCollection({ ...found, info }, databases, [], fields)).toThrow(
      expect.objectContaining({ code: 'malformedMessage' }),
    );
  });

  test('a collection from before databases belongs to the default one', () => {
    const info = { ...found.info, databaseId: 0n };
    const fields = under(`fields/${found.info.id}/`);
    expect(assembleCollection({ ...found, info }, databases, [], fields)).toMatchObject({
      databaseId: 1n,
      database: 'default',
    });
  });

  test('64-bit numbers stay exact', () => {
    expect(databases[1]?.id).toBe(BigInt(under('database/db-info/')[1]?.key.split('/').at(-1) ?? 0));
    expect(databases[1]?.id).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
  });
});
