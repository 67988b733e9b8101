/** What a copy asks of a real source besides its rows: indexes, load, and the state of both. */
import { DataType, type MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openMilvusRowSource } from '../../../electron/engine/source/rows/milvus-row-source.ts';
import type { LoadedPart } from '../../../shared/model/task-state.ts';
import { done, failure, never, startRowsLab, type RowsLab } from './rows-lab.ts';

const KEY = { name: 'id', data_type: DataType.Int64, is_primary_key: true } as const;
const VECTOR = { name: 'v', data_type: DataType.FloatVector, dim: 8 } as const;

let lab: RowsLab;

beforeAll(async () => {
  lab = await startRowsLab();
});

afterAll(() => lab.stop());

/** What the row source says that it loads, as a copy notes it. */
class Loads {
  loaded: LoadedPart | undefined;

  load(collection: string, earlier = this.loaded): Promise<void> {
    return lab.rows.load(at(collection), earlier, (loaded) => (this.loaded = loaded), never);
  }

  async release(collection: string): Promise<void> {
    if (this.loaded !== undefined) await lab.rows.release(at(collection), this.loaded, never);
  }
}

const at = (collection: string) => ({ database: 'default', collection });

async function indexesOf(client: MilvusClient, collection: string) {
  const { index_descriptions } = await done(client.describeIndex({ collection_name: collection }));
  return index_descriptions
    .map(({ field_name, index_name, params }) => ({
      field_name,
      index_name,
      params: params.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    }))
    .sort((a, b) => (a.field_name < b.field_name ? -1 : 1));
}

async function loadedPartitions(collection: string): Promise<string[]> {
  const { partition_names } = await done(lab.source.showPartitions({ collection_name: collection }));
  const states = await Promise.all(
    partition_names.map((name) => lab.source.getLoadState({ collection_name: collection, partition_names: [name] })),
  );
  return partition_names.filter((_, index) => String(states[index]?.state) === 'LoadStateLoaded').sort();
}

describe('the description of a collection', () => {
  const kinds = [
    ['HNSW', { metric_type: 'IP', params: { M: 8, efConstruction: 64 } }],
    ['IVF_FLAT', { metric_type: 'COSINE', params: { nlist: 16 } }],
    ['IVF_PQ', { metric_type: 'L2', params: { nlist: 16, m: 4, nbits: 8 } }],
    ['AUTOINDEX', { metric_type: 'L2' }],
  ] as const;
  it.each(kinds)('holds requests that make its %s index again, and load the copy', async (index_type, extra) => {
    const name = `index_${index_type.toLowerCase()}`;
    const text = { name: 'text', data_type: DataType.VarChar, max_length: 20 } as const;
    await done(lab.source.createCollection({ collection_name: name, fields: [KEY, VECTOR, text] }));
    const found = await lab.find(name);
    await done(
      lab.source.createIndex({ collection_name: name, field_name: 'v', index_name: 'mine', index_type, ...extra }),
    );
    await done(lab.source.createIndex({ collection_name: name, field_name: 'text', index_name: 'by_text' }));
    await lab.load(lab.source, name);
    await lab.copy(found);
    expect(await indexesOf(lab.replica, name)).toEqual(await indexesOf(lab.source, name));
    expect((await lab.target.describeCollection(at(name), never))?.isLoaded).toBe(true);
  });

  it('tells what is loaded, and asks for no load of a part', async () => {
    await done(lab.source.createCollection({ collection_name: 'plain', fields: [KEY, VECTOR] }));
    await done(lab.source.createPartition({ collection_name: 'plain', partition_name: 'a' }));
    const bare = { loadState: 'not-loaded', loadedPartitions: [], indexes: [], replicaNumber: undefined };
    const described = await lab.rows.describe(at('plain'), never);
    expect(described).toMatchObject(bare);
    expect([...(described?.partitions ?? [])].sort()).toEqual(['_default', 'a']);

    await done(
      lab.source.createIndex({ collection_name: 'plain', field_name: 'v', index_type: 'FLAT', metric_type: 'L2' }),
    );
    await done(lab.source.loadPartitions({ collection_name: 'plain', partition_names: ['a'] }));
    await expect.poll(() => loadedPartitions('plain'), { timeout: 20_000 }).toEqual(['a']);
    const partly = await lab.rows.describe(at('plain'), never);
    expect(partly).toMatchObject({ loadState: 'not-loaded', loadedPartitions: ['a'], replicaNumber: undefined });
    expect(partly?.indexes).toHaveLength(1);

    await lab.load(lab.source, 'plain');
    const whole = await lab.rows.describe(at('plain'), never);
    expect(whole).toMatchObject({ id: (await lab.find('plain')).catalog.id, loadState: 'loaded', replicaNumber: 1 });
  });

  it('of what is not there is nothing', async () => {
    expect(await lab.rows.describe(at('nowhere'), never)).toBeUndefined();
    expect(await lab.rows.describe({ database: 'nowhere', collection: 'plain' }, never)).toBeUndefined();
  });

  it('of a source that cannot be reached is an error of that side', async () => {
    const rows = openMilvusRowSource({ address: '127.0.0.1:1' });
    const unreachable = { code: 'unreachable', side: 'source' };
    expect(await failure(rows.describe(at('plain'), never))).toMatchObject(unreachable);
    expect(await failure(rows.now(never))).toMatchObject(unreachable);
    await rows.close();
  });
});

describe('a collection that is loaded for the copy', () => {
  async function makeUnloaded(name: string): Promise<void> {
    await lab.make({ collection_name: name, fields: [KEY, VECTOR] });
    await done(lab.source.createPartition({ collection_name: name, partition_name: 'a' }));
    await done(lab.source.releaseCollection({ collection_name: name }));
  }

  it('can be read when load has ended, and is released after it', async () => {
    await makeUnloaded('cold');
    const loads = new Loads();
    await loads.load('cold');
    expect(loads.loaded).toBe('all');
    expect(await loadedPartitions('cold')).toEqual(['_default', 'a']);
    expect((await lab.rows.describe(at('cold'), never))?.loadState).toBe('loaded');
    expect(await lab.pages(await lab.find('cold'), 'a')).toEqual([]);
    await loads.release('cold');
    expect(await loadedPartitions('cold')).toEqual([]);
  });

  it('keeps the partitions that were loaded before', async () => {
    await makeUnloaded('half');
    await done(lab.source.loadPartitions({ collection_name: 'half', partition_names: ['a'] }));
    await expect.poll(() => loadedPartitions('half'), { timeout: 20_000 }).toEqual(['a']);
    const loads = new Loads();
    await loads.load('half');
    expect(loads.loaded).toEqual(['_default']);
    expect(await loadedPartitions('half')).toEqual(['_default', 'a']);
    await loads.release('half');
    expect(await loadedPartitions('half')).toEqual(['a']);
  });

  it('that was loaded all the time stays so', async () => {
    await lab.make({ collection_name: 'warm', fields: [KEY, VECTOR] });
    const loads = new Loads();
    await loads.load('warm');
    expect(loads.loaded).toBeUndefined();
    await loads.release('warm');
    expect(await loadedPartitions('warm')).toEqual(['_default']);
  });

  it('cannot be without an index, and says so', async () => {
    await done(lab.source.createCollection({ collection_name: 'bare', fields: [KEY, VECTOR] }));
    const error = await failure(new Loads().load('bare'));
    expect(error).toMatchObject({ side: 'source', context: { collection: 'bare' } });
    expect(error.message).toMatch(/index/);
  });
});
