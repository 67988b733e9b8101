/**
 * The drill's judge on real servers, without any replication: two clusters are given the same rows by running the same
 * load, from one seed, into each. The cases build on one another; each says what it leaves behind.
 */
import { DataType } from '@zilliz/milvus2-sdk-node';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { describeCollection } from '../../../electron/core/drill/compare/collection-shape.ts';
import type { ComparisonReport } from '../../../electron/core/drill/compare/comparison-report.ts';
import { readPartitionRows } from '../../../electron/core/drill/compare/read-rows.ts';
import { checked, openMilvus, type MilvusConnection } from '../../../electron/core/drill/content/milvus-client.ts';
import { ARCHIVE_EVENTS, FINGERPRINTS } from '../../../electron/core/drill/load/blueprints.ts';
import { readLedger } from '../../../electron/core/drill/load/ledger.ts';
import { replayLedger } from '../../../electron/core/drill/load/ledger-replay.ts';
import { startLoad, type LoadProgress, type LoadResult } from '../../../electron/core/drill/load/run-load.ts';
import { sabotageTarget } from '../../../electron/core/drill/sabotage.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';

const ROWS = 4_000;
const SEED = 20;
const { signal } = new AbortController();

let lab: Lab;
let directory: string;
let source: MilvusEndpoint;
let target: MilvusEndpoint;
let sourceLoad: LoadResult;
const progress: LoadProgress[] = [];
const ledgerOf = (side: 'source' | 'target'): string => join(directory, `${side}.jsonl`);

async function withConnection<T>(
  endpoint: MilvusEndpoint,
  use: (connection: MilvusConnection) => Promise<T>,
): Promise<T> {
  const connection = await openMilvus(endpoint, 'source');
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

const sum = (report: ComparisonReport, field: 'missing' | 'extra' | 'different' | 'doublesTarget'): number =>
  report.collections.reduce((total, collection) => total + collection[field], 0);

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  directory = await mkdtemp(join(tmpdir(), 'lifeline-judge-'));
  source = lab.source.asTarget.milvus;
  target = lab.target.asTarget.milvus;
  const load = { rows: ROWS, seconds: 0, seed: SEED, signal };
  sourceLoad = await startLoad({
    ...load,
    source,
    ledgerFile: ledgerOf('source'),
    onProgress: (event) => progress.push(event),
  });
  await startLoad({ ...load, source: target, ledgerFile: ledgerOf('target') });
});

afterAll(async () => {
  await lab.stop();
  await rm(directory, { recursive: true });
});

describe('the load', () => {
  it('performs every kind of operation and says how far it is', () => {
    expect(Object.keys(sourceLoad.operations).toSorted()).toEqual(
      [
        'createCollection',
        'createDatabase',
        'createIndex',
        'createPartition',
        'delete',
        'dropCollection',
        'dropDatabase',
        'dropPartition',
        'flush',
        'insert',
        'load',
        'release',
        'upsert',
      ].toSorted(),
    );
    expect(sourceLoad).toMatchObject({ operationsUnknown: 0 });
    expect(sourceLoad.rowsWritten).toBeGreaterThan(ROWS);
    expect(progress.at(-1)).toMatchObject({ rowsInserted: ROWS, rowsTotal: ROWS });
  });

  it('writes two collections of one name, and leaves nothing of the database that came and went', async () => {
    const { collections } = await replayLedger(readLedger(ledgerOf('source')));
    const names = [...collections.values()].map(({ database, collection }) => `${database}.${collection}`);
    expect(names).toEqual(expect.arrayContaining(['shop.orders', 'archive.orders']));
    expect(names).not.toContain('scratch.notes');
  });

  it('refuses a wrong password in one sentence', async () => {
    await expect(
      startLoad({
        source: { ...source, password: 'wrong' },
        rows: 1,
        seconds: 0,
        seed: 1,
        ledgerFile: join(directory, 'refused.jsonl'),
        signal,
      }),
    ).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('refused the user name') as string,
    });
  });
});

describe('the judge', () => {
  it('finds what the source has and what the ledger says equal, all value types and extremes included', async () => {
    const report = await compareClusters({ source, target: source, ledgerFile: ledgerOf('source'), signal });
    // A cluster as its own target would make new keys, which a replica must not.
    expect(report.differences).toEqual([
      "archive.events: The target generates id itself, so it cannot keep the source's keys.",
    ]);
    expect(report.rowsLedger).toBe(report.rowsSource);
    expect(report.rowsSource).toBeGreaterThan(ROWS / 2);
  });

  it('finds keys that differ: the two clusters have made their own', async () => {
    const report = await compareClusters({ source, target, signal });
    const events = report.collections.find(({ collection }) => collection === ARCHIVE_EVENTS.collection);
    expect(events?.missing).toBeGreaterThan(0);
    expect(events?.extra).toBe(events?.missing);
    expect(report.collections.filter(({ equal }) => !equal)).toEqual([events]);
  });

  // From here on both sides are without that collection.
  it('finds two clusters equal that were written from one seed, and leaves the load state as it was', async () => {
    const { database: db_name, collection: collection_name } = ARCHIVE_EVENTS;
    const fingerprints = { db_name: FINGERPRINTS.database, collection_name: FINGERPRINTS.collection };
    for (const endpoint of [source, target]) {
      await withConnection(endpoint, async (connection) => {
        await connection.call('DropCollection', { db_name, collection_name });
        await connection.call('ReleaseCollection', fingerprints);
      });
    }
    const report = await compareClusters({ source, target, signal });
    expect(report.differences).toEqual([]);
    expect(report.equal).toBe(true);
    await withConnection(source, async (connection) => {
      expect((await describeCollection(connection, FINGERPRINTS)).loadState).toBe('notLoaded');
    });
    for (const endpoint of [source, target]) {
      await withConnection(endpoint, (connection) => connection.call('LoadCollection', fingerprints));
    }
  });

  it('sees a row that was dropped, one that was doubled and one bit that was flipped', async () => {
    const dropped = await sabotageTarget('drop', target, SEED);
    let report = await compareClusters({ source, target, signal });
    expect(report.equal).toBe(false);
    expect([sum(report, 'missing'), sum(report, 'doublesTarget'), sum(report, 'different')]).toEqual([1, 0, 0]);
    expect(report.summary).toContain(`${dropped.database}.${dropped.collection}: 1 row is missing on the target.`);

    await sabotageTarget('double', target, SEED);
    report = await compareClusters({ source, target, signal });
    expect([sum(report, 'missing'), sum(report, 'doublesTarget'), sum(report, 'different')]).toEqual([1, 1, 0]);

    const flipped = await sabotageTarget('flip', target, SEED);
    report = await compareClusters({ source, target, signal });
    expect([sum(report, 'missing'), sum(report, 'doublesTarget'), sum(report, 'different')]).toEqual([1, 1, 1]);
    expect(sum(report, 'extra')).toBe(0);
    expect(report.collections.flatMap(({ examples }) => examples)).toContainEqual({
      kind: 'different',
      partition: flipped.partition,
      key: flipped.key,
    });
  });

  it('misses no key behind a crowd of doubled ones', async () => {
    const database = 'default';
    const collection = 'crowded';
    const names = { db_name: database, collection_name: collection };
    const keys = 7_000;
    const copies = 30;
    await withConnection(target, async (connection) => {
      const { client } = connection;
      const done = <T>(answer: Promise<T>): Promise<T> => checked('target', 'prepare', answer);
      await done(
        client.createCollection({
          ...names,
          // Each shard's part of a page is cut at another key: what lies between is what a naive reader misses.
          shards_num: 2,
          fields: [
            { name: 'id', data_type: DataType.Int64, is_primary_key: true },
            { name: 'v', data_type: DataType.FloatVector, dim: 2 },
          ],
        }),
      );
      await done(client.createIndex({ ...names, field_name: 'v', index_type: 'FLAT', metric_type: 'L2' }));
      await done(client.loadCollection(names));
      const rows = (count: number) => Array.from({ length: count }, (_, id) => ({ id, v: [id, 1] }));
      await done(client.insert({ ...names, data: rows(keys) }));
      for (let copy = 0; copy < copies; copy += 1) await done(client.insert({ ...names, data: rows(200) }));

      const shape = await describeCollection(connection, { database, collection });
      const read = await readPartitionRows(connection, shape, '_default', signal);
      expect(read.rows.size).toBe(keys);
      expect(read.count).toBe(keys + copies * 200);
    });
  });
});
