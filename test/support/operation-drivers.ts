/**
 * Every operation that the matrix of operations tries: how it is done at the source, and how it is seen that the target has it.
 * One entry is one row of the table; `told` says where the source tells of it. 2.3.5 has no AlterIndex (its answer is an internal
 * error) and no AlterDatabase, and writes nothing about users and rights into the log: those are tried in `test/sim`, as is an
 * operation that the log has lost.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { createItems, done, idsOf, index, indexParams, loadState, rows, type Named } from './operation-lab.ts';

export interface OperationDriver {
  readonly operation: string;
  readonly told: 'in the log' | 'only in the catalogue';
  /** Of the collection `name`, which has an index and, where `isLoaded`, is loaded and holds rows 0…49. */
  readonly isLoaded?: boolean;
  readonly prepare?: (source: MilvusClient, named: Named) => Promise<unknown>;
  readonly act: (source: MilvusClient, named: Named) => Promise<unknown>;
  /** What both sides must show alike, and what it must be. */
  readonly look: (client: MilvusClient, named: Named) => Promise<unknown>;
  readonly expected: unknown;
}

const collectionNames = async (client: MilvusClient): Promise<string[]> =>
  (await done(client.showCollections())).data.map(({ name }) => name);

const partitionNames = async (client: MilvusClient, { name }: Named): Promise<string[]> =>
  [...(await done(client.showPartitions({ collection_name: name }))).partition_names].sort();

const hasPartition = async (source: MilvusClient, { name }: Named): Promise<void> => {
  await done(source.createPartition({ collection_name: name, partition_name: 'p' }));
};

/** Under which name, of those given, the collection stands that is marked by this lifetime of rows. */
const MARK_SECONDS = 77_777;
const mark = (source: MilvusClient, name: string) =>
  done(
    source.alterCollectionProperties({
      collection_name: name,
      properties: { 'collection.ttl.seconds': MARK_SECONDS },
    }),
  );
const isMarked = async (client: MilvusClient, name: string): Promise<boolean | 'none'> => {
  const names = await collectionNames(client);
  if (!names.includes(name)) return 'none';
  return (await properties(client, { name })).includes(`collection.ttl.seconds=${MARK_SECONDS}`);
};

/** But for Lifeline's own. */
async function properties(client: MilvusClient, { name }: Named): Promise<string[]> {
  const found = await done(client.describeCollection({ collection_name: name }));
  const own = found.properties.filter(({ key }) => !key.startsWith('lifeline.'));
  return own.map(({ key, value }) => `${key}=${String(value)}`).toSorted();
}

const rename = (source: MilvusClient, from: string, to: string) =>
  done(source.renameCollection({ collection_name: from, new_collection_name: to }));

/** A second collection beside that of the row. */
const otherOf = ({ name }: Named): string => `${name}_other`;
const hasOther = (source: MilvusClient, named: Named) => createItems(source, { name: otherOf(named) });

/** Which collections show the alias as theirs: itself, the other, or none. */
async function aliasHolders(client: MilvusClient, named: Named): Promise<string[]> {
  const holders: string[] = [];
  const names = await collectionNames(client);
  for (const name of [named.name, otherOf(named)].filter((one) => names.includes(one))) {
    const { aliases } = await done(client.describeCollection({ collection_name: name }));
    if (aliases.includes(aliasOf(named))) holders.push(name === named.name ? 'itself' : 'the other');
  }
  return holders;
}
const aliasOf = ({ name }: Named): string => `alias_${name}`;
const hasAlias = async (source: MilvusClient, named: Named): Promise<void> => {
  await done(source.createAlias({ collection_name: named.name, alias: aliasOf(named) }));
};

/** `LoadState` names of Milvus. */
const LOADED = 'LoadStateLoaded';
const NOT_LOADED = 'LoadStateNotLoad';

export const OPERATION_DRIVERS: readonly OperationDriver[] = [
  {
    operation: 'createDatabase',
    told: 'in the log',
    act: (source, { name }) => done(source.createDatabase({ db_name: `db_${name}` })),
    look: async (client, { name }) => (await done(client.listDatabases())).db_names.includes(`db_${name}`),
    expected: true,
  },
  {
    operation: 'dropDatabase',
    told: 'in the log',
    prepare: (source, { name }) => done(source.createDatabase({ db_name: `db_${name}` })),
    act: (source, { name }) => done(source.dropDatabase({ db_name: `db_${name}` })),
    look: async (client, { name }) => (await done(client.listDatabases())).db_names.includes(`db_${name}`),
    expected: false,
  },
  {
    operation: 'createCollection',
    told: 'in the log',
    act: (source, { name }) => createItems(source, { name: `${name}_new` }),
    look: async (client, { name }) => (await collectionNames(client)).includes(`${name}_new`),
    expected: true,
  },
  {
    operation: 'dropCollection',
    told: 'in the log',
    act: (source, { name }) => done(source.dropCollection({ collection_name: name })),
    look: async (client, { name }) => (await collectionNames(client)).includes(name),
    expected: false,
  },
  {
    operation: 'createPartition',
    told: 'only in the catalogue',
    act: hasPartition,
    look: partitionNames,
    expected: ['_default', 'p'],
  },
  {
    operation: 'dropPartition',
    told: 'in the log',
    prepare: hasPartition,
    act: (source, { name }) => done(source.dropPartition({ collection_name: name, partition_name: 'p' })),
    look: partitionNames,
    expected: ['_default'],
  },
  {
    operation: 'dropPartition of a loaded collection',
    told: 'in the log',
    isLoaded: true,
    prepare: hasPartition,
    act: async (source, { name }) => {
      await done(source.releasePartitions({ collection_name: name, partition_names: ['p'] }));
      await done(source.dropPartition({ collection_name: name, partition_name: 'p' }));
    },
    look: partitionNames,
    expected: ['_default'],
  },
  {
    operation: 'createIndex',
    told: 'in the log',
    prepare: (source, { name }) =>
      done(source.dropIndex({ collection_name: name, field_name: 'embedding', index_name: 'by_distance' })),
    act: (source, named) => done(source.createIndex({ ...index(named), metric_type: 'IP' })),
    look: async (client, named) => (await indexParams(client, named))['metric_type'],
    expected: 'IP',
  },
  {
    operation: 'dropIndex',
    told: 'in the log',
    act: (source, { name }) =>
      done(source.dropIndex({ collection_name: name, field_name: 'embedding', index_name: 'by_distance' })),
    look: indexParams,
    expected: {},
  },
  {
    operation: 'loadCollection',
    told: 'in the log',
    act: (source, { name }) => done(source.loadCollectionSync({ collection_name: name })),
    look: loadState,
    expected: LOADED,
  },
  {
    operation: 'releaseCollection',
    told: 'in the log',
    isLoaded: true,
    act: (source, { name }) => done(source.releaseCollection({ collection_name: name })),
    look: loadState,
    expected: NOT_LOADED,
  },
  {
    operation: 'loadPartitions',
    told: 'only in the catalogue',
    prepare: hasPartition,
    act: (source, { name }) => done(source.loadPartitions({ collection_name: name, partition_names: ['p'] })),
    look: async (client, named) => [
      await loadState(client, named, ['p']),
      await loadState(client, named, ['_default']),
    ],
    expected: [LOADED, NOT_LOADED],
  },
  {
    operation: 'releasePartitions',
    told: 'only in the catalogue',
    isLoaded: true,
    prepare: hasPartition,
    act: (source, { name }) => done(source.releasePartitions({ collection_name: name, partition_names: ['p'] })),
    look: async (client, named) => [
      await loadState(client, named, ['p']),
      await loadState(client, named, ['_default']),
    ],
    expected: [NOT_LOADED, LOADED],
  },
  {
    operation: 'renameCollection',
    told: 'only in the catalogue',
    prepare: (source, { name }) => mark(source, name),
    act: (source, { name }) => rename(source, name, `${name}_renamed`),
    look: async (client, { name }) => [await isMarked(client, name), await isMarked(client, `${name}_renamed`)],
    expected: ['none', true],
  },
  {
    operation: 'renameCollection of a loaded one, and rows',
    told: 'only in the catalogue',
    isLoaded: true,
    act: async (source, { name }) => {
      await rename(source, name, `${name}_renamed`);
      await done(source.insert({ collection_name: `${name}_renamed`, data: rows(200, 5) }));
      await done(source.delete({ collection_name: `${name}_renamed`, ids: [0, 200] }));
    },
    look: async (client, { name }) => {
      const ids = await idsOf(client, { name: `${name}_renamed` });
      return ids.filter((id) => id < 1_000 && (id < 2 || id >= 200));
    },
    expected: [1, 201, 202, 203, 204],
  },
  {
    operation: 'two names swapped',
    told: 'only in the catalogue',
    prepare: async (source, named) => {
      await hasOther(source, named);
      await mark(source, named.name);
    },
    act: async (source, named) => {
      const [name, other] = [named.name, otherOf(named)];
      await rename(source, name, `${name}_between`);
      await rename(source, other, name);
      await rename(source, `${name}_between`, other);
    },
    look: async (client, named) => [await isMarked(client, named.name), await isMarked(client, otherOf(named))],
    expected: [false, true],
  },
  {
    operation: 'a name dropped and given to another',
    told: 'only in the catalogue',
    prepare: async (source, named) => {
      await hasOther(source, named);
      await mark(source, named.name);
    },
    act: async (source, named) => {
      await done(source.dropCollection({ collection_name: otherOf(named) }));
      await rename(source, named.name, otherOf(named));
    },
    look: async (client, named) => [await isMarked(client, named.name), await isMarked(client, otherOf(named))],
    expected: ['none', true],
  },
  {
    operation: 'createAlias',
    told: 'only in the catalogue',
    act: hasAlias,
    look: aliasHolders,
    expected: ['itself'],
  },
  {
    operation: 'alterAlias',
    told: 'only in the catalogue',
    prepare: async (source, named) => {
      await hasOther(source, named);
      await hasAlias(source, named);
    },
    act: (source, named) => done(source.alterAlias({ collection_name: otherOf(named), alias: aliasOf(named) })),
    look: aliasHolders,
    expected: ['the other'],
  },
  {
    operation: 'dropAlias',
    told: 'only in the catalogue',
    prepare: hasAlias,
    act: (source, named) => done(source.dropAlias({ alias: aliasOf(named) })),
    look: aliasHolders,
    expected: [],
  },
  {
    operation: 'alterCollection (lifetime of rows, mmap)',
    told: 'only in the catalogue',
    act: (source, { name }) =>
      done(
        source.alterCollectionProperties({
          collection_name: name,
          properties: { 'collection.ttl.seconds': 88_888, 'mmap.enabled': 'true' },
        }),
      ),
    look: properties,
    expected: ['collection.ttl.seconds=88888', 'mmap.enabled=true'],
  },
  {
    operation: 'alterCollection (twice)',
    told: 'only in the catalogue',
    isLoaded: true,
    act: async (source, { name }) => {
      await mark(source, name);
      await done(
        source.alterCollectionProperties({
          collection_name: name,
          properties: { 'collection.ttl.seconds': 99_999 },
        }),
      );
    },
    look: properties,
    expected: ['collection.ttl.seconds=99999'],
  },
  {
    operation: 'flush',
    told: 'in the log',
    isLoaded: true,
    act: (source, { name }) => source.flushSync({ collection_names: [name] }),
    look: async (client, { name }) =>
      (await client.getPersistentSegmentInfo({ collectionName: name })).infos.some(({ num_rows }) => num_rows > 0),
    expected: true,
  },
  {
    operation: 'insert, delete, upsert',
    told: 'in the log',
    isLoaded: true,
    act: async (source, { name }) => {
      await done(source.insert({ collection_name: name, data: rows(100, 5) }));
      await done(source.delete({ collection_name: name, ids: [0, 1, 100] }));
      await done(source.upsert({ collection_name: name, data: rows(1, 1) }));
    },
    look: async (client, named) => (await idsOf(client, named)).filter((id) => id < 1_000 && (id < 3 || id >= 100)),
    expected: [1, 2, 101, 102, 103, 104],
  },
];

/** A target loads in its own time. */
const LOOK_TIMEOUT_MS = 30_000;
const LOOK_INTERVAL_MS = 200;

/** What is wrong, or undefined. */
export async function verdictOf(
  driver: OperationDriver,
  source: MilvusClient,
  target: MilvusClient,
  named: Named,
): Promise<string | undefined> {
  const until = performance.now() + LOOK_TIMEOUT_MS;
  for (;;) {
    const found = { source: await driver.look(source, named), target: await driver.look(target, named) };
    if (isDeepStrictEqual(found, { source: driver.expected, target: driver.expected })) return undefined;
    if (performance.now() > until) return JSON.stringify(found);
    await pause(LOOK_INTERVAL_MS);
  }
}
