/**
 * Files that a real source takes as rows (bulk insert), which its log tells nothing of: under load into a collection that is
 * followed, into one partition, by the policy to skip, and with the program killed right after the import.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConsistencyLevelEnum, type MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { ProtectionStore } from '../../../electron/core/store/protection-store.ts';
import { STORE_FILE } from '../../../shared/contract/desktop.ts';
import type { OperationEvent } from '../../../shared/model/operation-event.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import { clientOf, createItems, done, index, rows } from '../../support/operation-lab.ts';
import { ServedTask, type TaskInput } from '../../support/served-task.ts';

/** Queries show what was imported when the query coordinator next looks: every 10 s unless set. */
const QUICK = { source: { 'queryCoord.updateNextTargetInterval': 1 } };
const FILE_ROWS = IS_FULL ? 2_000 : 500;
const LIMIT_MS = 90_000;
/** As much as Milvus gives at once. */
const QUERY_ROWS_MAX = 16_384;
const LOAD_KEYS = 1_000_000;
/** In `npm test` by seed: killed right after the imports, or left to see them through. */
const IS_KILLED = IS_FULL || labRandom('imports').below(2) === 0;
const LOADED = 'under_load';
const PARTED = 'in_partition';
const SKIPPED = 'skipped';

let lab: Lab;
let source: MilvusClient;
let target: MilvusClient;
let task: ServedTask;
let skipping: ServedTask;

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway', settings: IS_FULL ? undefined : QUICK });
  source = clientOf(lab.source);
  target = clientOf(lab.target);
  const input = (taskId: string, collections: readonly string[]): TaskInput => ({
    source: { ...lab.source.asSource, milvus: lab.source.asTarget.milvus },
    target: lab.target.asTarget,
    taskId,
    start: { kind: 'copy', mayLoad: true },
    selection: { include: collections.map((collection) => ({ database: 'default', collection })) },
  });
  task = await ServedTask.create(input('served', [LOADED, PARTED]));
  skipping = await ServedTask.create({ ...input('skipping', [SKIPPED]), operations: { policies: { import: 'skip' } } });
});
afterAll(async () => {
  await Promise.all([source.closeConnection(), target.closeConnection()]);
  await task[Symbol.asyncDispose]();
  await skipping[Symbol.asyncDispose]();
  await lab.stop();
});

let nextFile = 1;

/** Resolves when the source has taken the rows. */
async function importRows(name: string, from: number, count: number, partition?: string): Promise<void> {
  const folder = join(lab.directory, 'source', 'storage', 'bulk');
  await mkdir(folder, { recursive: true });
  const file = join(folder, `rows-${nextFile++}.json`);
  await writeFile(file, JSON.stringify({ rows: rows(from, count) }));
  const into = partition === undefined ? {} : { partition_name: partition };
  const { tasks } = await done(source.bulkInsert({ collection_name: name, files: [file], ...into }));
  await until(`the import into ${name}`, async () => {
    // A number in the client's types, which has not room for it.
    const { state, infos } = await done(source.getImportState({ task: tasks[0] as unknown as number }));
    if ((state as string) === 'ImportFailed') throw new Error(JSON.stringify(infos));
    return (state as string) === 'ImportCompleted';
  });
}

async function until(what: string, isMet: () => Promise<boolean>): Promise<void> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  while (!(await isMet())) {
    if (limit.aborted)
      throw new Error(`Waited ${LIMIT_MS} ms in vain for ${what}. ${task.lines.slice(-20).join('\n')}`);
    await new Promise<void>((resolve) => setTimeout(resolve, 100));
  }
}

/** Its rows, by key; one for each. */
async function contentOf(client: MilvusClient, name: string, partition?: string): Promise<Map<number, string>> {
  const { data } = await done(
    client.query({
      collection_name: name,
      output_fields: ['id', 'embedding'],
      filter: 'id >= 0',
      consistency_level: ConsistencyLevelEnum.Strong,
      limit: QUERY_ROWS_MAX,
      ...(partition === undefined ? {} : { partition_names: [partition] }),
    }),
  );
  expect(data.length, 'all of its rows').toBeLessThan(QUERY_ROWS_MAX);
  return new Map(data.map(({ id, embedding }) => [Number(id), JSON.stringify(embedding)]));
}

async function countOf(client: MilvusClient, name: string): Promise<number> {
  const { data } = await done(
    client.query({
      collection_name: name,
      output_fields: ['count(*)'],
      filter: '',
      consistency_level: ConsistencyLevelEnum.Strong,
    }),
  );
  return Number(data[0]?.['count(*)']);
}

/** The newest first. The program must not run. */
function imports({ directory }: ServedTask, taskId: string): readonly OperationEvent[] {
  using database = openDatabase(join(directory, STORE_FILE));
  return new ProtectionStore(database).operations(taskId, 1_000).filter(({ operation }) => operation === 'import');
}

const FOLLOWED = [LOADED, PARTED] as const;

/** All at once, while rows are written into one of them and deleted from another. */
async function importUnderLoad(from: number): Promise<void> {
  const loading = new AbortController();
  const load = (async () => {
    for (; !loading.signal.aborted; nextLoadKey += 20) {
      await done(source.insert({ collection_name: LOADED, data: rows(nextLoadKey, 20) }));
      await done(source.upsert({ collection_name: LOADED, data: rows(nextLoadKey + 5, 15) }));
      await done(source.delete({ collection_name: LOADED, ids: [nextLoadKey, nextLoadKey + 1] }));
    }
  })();
  await Promise.all([
    importRows(LOADED, from, FILE_ROWS),
    importRows(PARTED, from, FILE_ROWS, 'p'),
    importRows(SKIPPED, from, FILE_ROWS),
  ]);
  loading.abort();
  await load;
}
let nextLoadKey = LOAD_KEYS;

/** Rows of a file are on the target, and what the stream has changed of them. */
async function untilThere(name: string, key: number): Promise<void> {
  await until(`row ${key} of ${name}`, async () => {
    const { data } = await done(target.query({ collection_name: name, output_fields: ['id'], filter: `id == ${key}` }));
    return data.length === 1;
  });
}

it(
  'reaches the target by a copy of its collection, once, whatever happens meanwhile',
  { timeout: 300_000 },
  async () => {
    await Promise.all(
      [LOADED, PARTED, SKIPPED].map(async (name) => {
        await createItems(source, { name }, 2);
        await done(source.createIndex(index({ name })));
        await done(source.createPartition({ collection_name: name, partition_name: 'p' }));
        await done(source.loadCollection({ collection_name: name }));
        await done(source.insert({ collection_name: name, data: rows(0, 100) }));
      }),
    );
    task.start();
    skipping.start();
    await Promise.all([task, skipping].map((one) => one.line(/following/, LIMIT_MS)));
    expect(await countOf(target, LOADED)).toBe(100);

    let files = 0;
    if (IS_FULL || !IS_KILLED) {
      await importUnderLoad(10_000);
      files += 1;
      // Changes of rows that came as a file stand in the log, those rows do not.
      await done(source.delete({ collection_name: PARTED, ids: [10_000, 10_001] }));
      await untilThere(LOADED, 10_000 + FILE_ROWS - 1);
      await untilThere(PARTED, 10_000 + FILE_ROWS - 1);
      if (!IS_FULL) await task.stop();
    }
    if (IS_KILLED) {
      await importUnderLoad(20_000);
      files += 1;
      await task.kill();
      await done(source.delete({ collection_name: LOADED, ids: [20_000] }));
    }
    expect(await task.untilLevel(), task.lines.slice(-20).join('\n')).toBe(0);

    for (const name of FOLLOWED) {
      const found = await contentOf(source, name);
      expect(found.size).toBeGreaterThan(files * FILE_ROWS);
      for (const partition of ['_default', 'p']) {
        expect(await contentOf(target, name, partition)).toEqual(await contentOf(source, name, partition));
      }
      expect(await countOf(target, name), 'no key twice').toBe(found.size);
    }
    const reason = `${FILE_ROWS} rows of 1 file: the collection is copied again.`;
    const history = imports(task, 'served').map((one) => [one.outcome, one.collection?.name, one.object, one.reason]);
    expect(history.toSorted()).toEqual(
      [
        ...Array.from({ length: files }, () => ['applied', LOADED, '_default', reason]),
        ...Array.from({ length: files }, () => ['applied', PARTED, 'p', reason]),
      ].toSorted(),
    );

    await done(source.insert({ collection_name: SKIPPED, data: rows(1_000, 50) }));
    await until('the rows of the stream', async () => (await countOf(target, SKIPPED)) === 150);
    await skipping.stop();
    expect(imports(skipping, 'skipping').map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: files }, () => 'skipped'),
    );
    expect(skipping.lines.join('\n')).toMatch(/skipped lacks rows that an import has put into it/);
  },
);
