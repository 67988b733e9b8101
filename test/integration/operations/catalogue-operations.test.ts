/**
 * Each operation that 2.3.5 does not write into its log (or that a source may have lost there), on real servers: idle, under
 * load, and done while the task did not run. Printed as a table.
 */
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { ServedTask } from '../../support/served-task.ts';

const clientOf = ({ asTarget: { milvus } }: LabSide): MilvusClient =>
  new MilvusClient({
    address: milvus.address,
    username: milvus.username ?? '',
    password: milvus.password ?? '',
    logLevel: 'error',
  });

interface Answer {
  readonly error_code?: string | number;
  readonly reason?: string;
}

async function done(call: Promise<Answer | { status: Answer }>): Promise<void> {
  const answer = await call;
  const { error_code, reason } = 'status' in answer ? answer.status : answer;
  if (error_code !== 'Success') throw new Error(`${String(error_code)}: ${reason ?? ''}`);
}

const SITUATIONS = ['idle', 'under load', 'across a restart'] as const;
type Situation = (typeof SITUATIONS)[number];

/** What a client sees of the collections that a case is about. */
type View = (client: MilvusClient) => Promise<unknown>;

interface Case {
  readonly operation: string;
  /** @returns the names by which rows are written during it. */
  perform(prefix: string): Promise<void>;
  readonly view: (prefix: string) => View;
}

let lab: Lab;
let source: MilvusClient;
let target: MilvusClient;
let task: ServedTask;
const results = new Map<string, Map<Situation, string>>();

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  source = clientOf(lab.source);
  target = clientOf(lab.target);
  const start = { kind: 'creation' } as const;
  task = await ServedTask.create({ source: lab.source.asSource, target: lab.target.asTarget, start });
});
afterAll(async () => {
  const head = `${'only in the catalogue'.padEnd(24)}${SITUATIONS.map((name) => name.padStart(20)).join('')}`;
  const rows = [...results].map(
    ([operation, cells]) =>
      `${operation.padEnd(24)}${SITUATIONS.map((name) => (cells.get(name) ?? '-').padStart(20)).join('')}`,
  );
  console.log([head, ...rows].join('\n'));
  await Promise.all([source.closeConnection(), target.closeConnection()]);
  await task[Symbol.asyncDispose]();
  await lab.stop();
});

async function create(name: string): Promise<void> {
  const fields = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'v', data_type: DataType.FloatVector, dim: 4 },
  ];
  await done(source.createCollection({ collection_name: name, fields, shards_num: 2 }));
  await done(source.createPartition({ collection_name: name, partition_name: 'p' }));
  await done(
    source.createIndex({
      collection_name: name,
      field_name: 'v',
      index_name: 'iv',
      index_type: 'FLAT',
      metric_type: 'L2',
    }),
  );
}

let nextKey = 1;
const insert = (name: string): Promise<unknown> =>
  source.insert({
    collection_name: name,
    data: Array.from({ length: 20 }, () => ({ id: String(nextKey++), v: [1, 2, 3, nextKey] })),
  });

async function properties(client: MilvusClient, name: string): Promise<unknown> {
  const found = await client.describeCollection({ collection_name: name });
  const own = (found.properties ?? []).filter(({ key }) => !key.startsWith('lifeline.'));
  return own.map(({ key, value }) => `${key}=${String(value)}`).toSorted();
}

async function loads(client: MilvusClient, name: string): Promise<unknown> {
  const of = async (partition: string) =>
    (await client.getLoadState({ collection_name: name, partition_names: [partition] })).state;
  return [await of('_default'), await of('p')];
}

async function keys(client: MilvusClient, name: string): Promise<unknown> {
  const answer = await client.hasCollection({ collection_name: name });
  return answer.value;
}

async function aliasHolder(client: MilvusClient, alias: string): Promise<unknown> {
  const answer = await client.describeCollection({ collection_name: alias });
  if (answer.status.error_code !== 'Success') return 'none';
  for (const { name } of (await client.showCollections()).data) {
    const found = await client.describeCollection({ collection_name: name });
    if (found.aliases.includes(alias)) return name;
  }
  return 'unknown';
}

const CASES: readonly Case[] = [
  {
    operation: 'rename',
    perform: (p) => done(source.renameCollection({ collection_name: `${p}_a`, new_collection_name: `${p}_renamed` })),
    view: (p) => async (client) => [await keys(client, `${p}_a`), await keys(client, `${p}_renamed`)],
  },
  {
    operation: 'swap of names',
    perform: async (p) => {
      const rename = (from: string, to: string) =>
        done(source.renameCollection({ collection_name: `${p}_${from}`, new_collection_name: `${p}_${to}` }));
      await done(
        source.alterCollection({ collection_name: `${p}_a`, properties: { 'collection.ttl.seconds': 77_777 } }),
      );
      await rename('a', 'between');
      await rename('b', 'a');
      await rename('between', 'b');
    },
    view: (p) => async (client) => [await properties(client, `${p}_a`), await properties(client, `${p}_b`)],
  },
  {
    operation: 'alias made and moved',
    perform: async (p) => {
      await done(source.createAlias({ collection_name: `${p}_a`, alias: `${p}_current` }));
      await done(source.alterAlias({ collection_name: `${p}_b`, alias: `${p}_current` }));
    },
    view: (p) => (client) => aliasHolder(client, `${p}_current`),
  },
  {
    operation: 'alias dropped',
    perform: async (p) => {
      await done(source.createAlias({ collection_name: `${p}_a`, alias: `${p}_gone` }));
      await done(source.dropAlias({ alias: `${p}_gone` }));
    },
    view: (p) => (client) => aliasHolder(client, `${p}_gone`),
  },
  {
    operation: 'properties (ttl, mmap)',
    perform: (p) =>
      done(
        source.alterCollection({
          collection_name: `${p}_a`,
          properties: { 'collection.ttl.seconds': 88_888, 'mmap.enabled': 'true' },
        }),
      ),
    view: (p) => (client) => properties(client, `${p}_a`),
  },
  {
    operation: 'load partitions',
    perform: (p) => done(source.loadPartitions({ collection_name: `${p}_a`, partition_names: ['p'] })),
    view: (p) => (client) => loads(client, `${p}_a`),
  },
  {
    operation: 'release partitions',
    perform: async (p) => {
      await done(source.loadCollection({ collection_name: `${p}_b` }));
      await done(source.releasePartitions({ collection_name: `${p}_b`, partition_names: ['p'] }));
    },
    view: (p) => (client) => loads(client, `${p}_b`),
  },
];

/** Until the target shows what the source shows. */
async function untilAlike(view: View): Promise<unknown> {
  const limit = AbortSignal.timeout(60_000);
  for (;;) {
    const [there, here] = [JSON.stringify(await view(source)), JSON.stringify(await view(target))];
    if (there === here) return here;
    if (limit.aborted) return `${here} instead of ${there}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 200);
    await promise;
  }
}

describe('what only the catalogue tells', () => {
  it.each(SITUATIONS)('arrives: %s', { timeout: 300_000 }, async (situation) => {
    const prefixOf = (index: number): string => `${situation.replaceAll(' ', '_')}_${index}`;
    for (const [index] of CASES.entries()) {
      await create(`${prefixOf(index)}_a`);
      await create(`${prefixOf(index)}_b`);
    }
    expect(await task.untilLevel(), task.lines.slice(-20).join('\n')).toBe(0);
    if (situation !== 'across a restart') task.start();
    const loading = new AbortController();
    const load = (async () => {
      while (!loading.signal.aborted && situation === 'under load') {
        for (const [index] of CASES.entries()) await insert(`${prefixOf(index)}_b`);
      }
    })();
    for (const [index, each] of CASES.entries()) await each.perform(prefixOf(index));
    if (situation === 'across a restart') task.start();
    for (const [index, each] of CASES.entries()) {
      const cells = results.get(each.operation) ?? new Map<Situation, string>();
      results.set(each.operation, cells);
      const began = performance.now();
      const seen = await untilAlike(each.view(prefixOf(index)));
      const isAlike = !String(seen).includes(' instead of ');
      cells.set(situation, isAlike ? `yes (${((performance.now() - began) / 1000).toFixed(1)} s)` : String(seen));
    }
    loading.abort();
    await load;
    await task.stop();
    expect(CASES.map(({ operation }) => [operation, results.get(operation)?.get(situation)?.slice(0, 3)])).toEqual(
      CASES.map(({ operation }) => [operation, 'yes']),
    );
  });
});
