/**
 * Every operation that the matrix of operations tries: how it is done at the source, and how it is seen that the target has it.
 * One entry is one row of the table; `told` says where 2.3.5 tells of it, and all but a flush is told by the catalogue too. 2.3.5 has no
 * AlterIndex (its answer is an internal error) and no AlterDatabase, and writes nothing about users and rights into the log: those are
 * tried in `test/sim`, as is a drop that the collection's own channel has lost.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import {
  createItems,
  done,
  idsOf,
  index,
  indexParams,
  loadState,
  rows,
  type Named,
  type OperationLab,
} from './operation-lab.ts';

export type DatabaseOf = (database: string) => string;

export interface OperationDriver {
  readonly operation: string;
  readonly told: 'the operation channel' | "the collection's channel" | 'the catalogue';
  /** What is seen of it on the target comes from the log alone. */
  readonly isUnknownToCatalogue?: true;
  /** Its collections may bear these names too, or bear its own no longer. */
  readonly otherNames?: (named: Named) => readonly string[];
  /** A collection is dropped, and the load's rows with it. */
  readonly isDropping?: true;
  /** Of the collection `name`, which has an index and, where `isLoaded`, is loaded and holds rows 0…49. */
  readonly isLoaded?: boolean;
  readonly prepare?: (source: MilvusClient, named: Named) => Promise<unknown>;
  readonly act: (source: MilvusClient, named: Named) => Promise<unknown>;
  /** What both sides must show alike, and what it must be. `databaseOf`: what a database of the source is called there. */
  readonly look: (client: MilvusClient, named: Named, databaseOf: DatabaseOf) => Promise<unknown>;
  readonly expected: unknown;
}

const hasDatabase = async (client: MilvusClient, { name }: Named, databaseOf: DatabaseOf): Promise<boolean> =>
  (await done(client.listDatabases())).db_names.includes(databaseOf(`db_${name}`));

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

/** A load beside it has others. */
const DRIVERS_ROWS = 'id < 1000';

/** `LoadState` names of Milvus. */
const LOADED = 'LoadStateLoaded';
const NOT_LOADED = 'LoadStateNotLoad';

export const OPERATION_DRIVERS: readonly OperationDriver[] = [
  {
    operation: 'createDatabase',
    told: 'the operation channel',
    act: (source, { name }) => done(source.createDatabase({ db_name: `db_${name}` })),
    look: hasDatabase,
    expected: true,
  },
  {
    operation: 'dropDatabase',
    told: 'the operation channel',
    prepare: (source, { name }) => done(source.createDatabase({ db_name: `db_${name}` })),
    act: (source, { name }) => done(source.dropDatabase({ db_name: `db_${name}` })),
    look: hasDatabase,
    expected: false,
  },
  {
    operation: 'createCollection',
    told: "the collection's channel",
    otherNames: ({ name }) => [`${name}_new`],
    act: (source, { name }) => createItems(source, { name: `${name}_new` }),
    look: async (client, { name }) => (await collectionNames(client)).includes(`${name}_new`),
    expected: true,
  },
  {
    operation: 'dropCollection',
    told: "the collection's channel",
    otherNames: () => [],
    isDropping: true,
    act: (source, { name }) => done(source.dropCollection({ collection_name: name })),
    look: async (client, { name }) => (await collectionNames(client)).includes(name),
    expected: false,
  },
  {
    operation: 'createPartition',
    told: 'the catalogue',
    act: hasPartition,
    look: partitionNames,
    expected: ['_default', 'p'],
  },
  {
    operation: 'dropPartition',
    told: "the collection's channel",
    prepare: hasPartition,
    act: (source, { name }) => done(source.dropPartition({ collection_name: name, partition_name: 'p' })),
    look: partitionNames,
    expected: ['_default'],
  },
  {
    operation: 'dropPartition of a loaded collection',
    told: "the collection's channel",
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
    told: 'the operation channel',
    prepare: (source, { name }) =>
      done(source.dropIndex({ collection_name: name, field_name: 'embedding', index_name: 'by_distance' })),
    act: (source, named) => done(source.createIndex({ ...index(named), metric_type: 'IP' })),
    look: async (client, named) => (await indexParams(client, named))['metric_type'],
    expected: 'IP',
  },
  {
    operation: 'dropIndex',
    told: 'the operation channel',
    act: (source, { name }) =>
      done(source.dropIndex({ collection_name: name, field_name: 'embedding', index_name: 'by_distance' })),
    look: indexParams,
    expected: {},
  },
  {
    operation: 'loadCollection',
    told: 'the operation channel',
    act: (source, { name }) => done(source.loadCollectionSync({ collection_name: name })),
    look: (client, named) => loadState(client, named),
    expected: LOADED,
  },
  {
    operation: 'releaseCollection',
    told: 'the operation channel',
    isLoaded: true,
    act: (source, { name }) => done(source.releaseCollection({ collection_name: name })),
    look: (client, named) => loadState(client, named),
    expected: NOT_LOADED,
  },
  {
    operation: 'loadPartitions',
    told: 'the catalogue',
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
    told: 'the catalogue',
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
    told: 'the catalogue',
    otherNames: ({ name }) => [`${name}_renamed`],
    prepare: (source, { name }) => mark(source, name),
    act: (source, { name }) => rename(source, name, `${name}_renamed`),
    look: async (client, { name }) => [await isMarked(client, name), await isMarked(client, `${name}_renamed`)],
    expected: ['none', true],
  },
  {
    operation: 'renameCollection of a loaded one, and rows',
    told: 'the catalogue',
    otherNames: ({ name }) => [`${name}_renamed`],
    isLoaded: true,
    act: async (source, { name }) => {
      await rename(source, name, `${name}_renamed`);
      await done(source.insert({ collection_name: `${name}_renamed`, data: rows(200, 5) }));
      await done(source.delete({ collection_name: `${name}_renamed`, ids: [0, 200] }));
    },
    look: async (client, { name }) => {
      const ids = await idsOf(client, { name: `${name}_renamed` }, DRIVERS_ROWS);
      return ids.filter((id) => id < 2 || id >= 200);
    },
    expected: [1, 201, 202, 203, 204],
  },
  {
    operation: 'two names swapped',
    told: 'the catalogue',
    otherNames: (named) => [otherOf(named), `${named.name}_between`],
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
    told: 'the catalogue',
    otherNames: (named) => [otherOf(named)],
    isDropping: true,
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
    told: 'the catalogue',
    otherNames: (named) => [aliasOf(named)],
    act: hasAlias,
    look: aliasHolders,
    expected: ['itself'],
  },
  {
    operation: 'alterAlias',
    told: 'the catalogue',
    otherNames: (named) => [aliasOf(named), otherOf(named)],
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
    told: 'the catalogue',
    otherNames: (named) => [aliasOf(named)],
    prepare: hasAlias,
    act: (source, named) => done(source.dropAlias({ alias: aliasOf(named) })),
    look: aliasHolders,
    expected: [],
  },
  {
    operation: 'alterCollection (lifetime of rows, mmap)',
    told: 'the catalogue',
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
    told: 'the catalogue',
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
    told: 'the operation channel',
    isUnknownToCatalogue: true,
    isLoaded: true,
    act: (source, { name }) => source.flushSync({ collection_names: [name] }),
    look: async (client, { name }) =>
      (await client.getPersistentSegmentInfo({ collectionName: name })).infos.some(({ num_rows }) => num_rows > 0),
    expected: true,
  },
  {
    operation: 'insert, delete, upsert',
    told: "the collection's channel",
    isLoaded: true,
    act: async (source, { name }) => {
      await done(source.insert({ collection_name: name, data: rows(100, 5) }));
      await done(source.delete({ collection_name: name, ids: [0, 1, 100] }));
      await done(source.upsert({ collection_name: name, data: rows(1, 1) }));
    },
    look: async (client, named) => (await idsOf(client, named, DRIVERS_ROWS)).filter((id) => id < 3 || id >= 100),
    expected: [1, 2, 101, 102, 103, 104],
  },
];

/** A target loads in its own time. */
const LOOK_TIMEOUT_MS = 30_000;
const LOOK_INTERVAL_MS = 200;

/** What is wrong, or undefined. */
export async function verdictOf(
  driver: OperationDriver,
  { source, target, targetDatabaseOf }: OperationLab,
  named: Named,
): Promise<string | undefined> {
  const until = performance.now() + LOOK_TIMEOUT_MS;
  for (;;) {
    const found = {
      source: await driver.look(source, named, (database) => database),
      target: await driver.look(target, named, targetDatabaseOf),
    };
    if (isDeepStrictEqual(found, { source: driver.expected, target: driver.expected })) return undefined;
    if (performance.now() > until) return JSON.stringify(found);
    await pause(LOOK_INTERVAL_MS);
  }
}
