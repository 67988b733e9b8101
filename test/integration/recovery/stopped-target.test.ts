/**
 * A target that does not run for a while (SIGSTOP, a paused virtual machine) behind a line that is cut meanwhile, so that neither the
 * client's cancelling nor its end arrives. When it goes on it reads what stands in its sockets, and counts each write's deadline from
 * then on. What it does, and that the task repeats nothing too early. Takes minutes: in `npm run test:full` only.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checked, openMilvus } from '../../../electron/core/drill/content/milvus-client.ts';
import { LoadedCollection } from '../../../electron/core/drill/load/loaded-collection.ts';
import { FINGERPRINTS } from '../../../electron/core/drill/load/blueprints.ts';
import type { Lab } from '../../../electron/core/lab/lab.ts';
import { MilvusRpc } from '../../../electron/engine/milvus/milvus-rpc.ts';
import { StallingProxy } from '../../contract/wal/stalling-proxy.ts';
import { announceSeed, attachFigures } from '../../support/lab-figures.ts';
import { LabLife } from '../../support/lab-life.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import { encodeMessage } from '../../support/milvus-messages.ts';

/** Longer than any stop here: a server that has lost its session ends itself. */
const SESSION_TTL_S = 180;
const COLLECTION = 'late';
const DIMENSIONS = 8;

beforeEach(announceSeed);

let proxy: StallingProxy | undefined;
let life: LabLife;
beforeEach(async () => {
  if (!IS_FULL) return;
  life = await LabLife.begin({
    settings: { target: { 'common.session.ttl': SESSION_TTL_S } },
    target: async ({ target }: Lab) => {
      proxy = await StallingProxy.to(target.asTarget.milvus.address);
      return { milvus: { ...target.asTarget.milvus, address: proxy.address } };
    },
  });
});
afterEach(async () => {
  if (!IS_FULL) return;
  await life[Symbol.asyncDispose]();
  await proxy?.close();
});

describe.runIf(IS_FULL)('a target that was stopped behind a cut line', { timeout: 900_000 }, () => {
  it('carries out writes whose deadline has passed, but none later than two seconds after it goes on', async (context) => {
    const STOPPED_MS = 5_000;
    const DEADLINE_MS = 1_500;
    const LANDS_WITHIN_MS = 2_000;
    const WRITES = 240;
    const pid = life.lab.target.instance.pid ?? 0;
    const endpoint = life.lab.target.asTarget.milvus;
    const rpc = new MilvusRpc({ ...endpoint, address: proxy!.address });
    const connection = await openMilvus(endpoint, 'target');
    const { client } = connection;
    const names = { collection_name: COLLECTION };
    try {
      const fields = [
        { name: 'id', data_type: DataType.VarChar, is_primary_key: true, max_length: 64 },
        { name: 'embedding', data_type: DataType.FloatVector, dim: DIMENSIONS },
      ];
      const index = { field_name: 'embedding', index_type: 'FLAT', metric_type: 'L2' };
      await checked('target', 'createCollection', client.createCollection({ ...names, fields }));
      await checked('target', 'createIndex', client.createIndex({ ...names, ...index }));
      await checked('target', 'load', client.loadCollection(names));
      const count = async (): Promise<number> => {
        const consistency_level = ConsistencyLevelEnum.Strong;
        const { data } = await client.query({ ...names, filter: '', output_fields: ['count(*)'], consistency_level });
        return Number(data[0]?.['count(*)']);
      };
      const write = (key: string): Promise<unknown> =>
        rpc.callRaw('Insert', insertOf(key), { deadlineMs: DEADLINE_MS });
      await write('before');

      process.kill(pid, 'SIGSTOP');
      const writes = Array.from({ length: WRITES }, (_, n) => write(`while stopped ${n}`));
      const outcomes = Promise.allSettled(writes);
      // What passes here is time that a server does not see; so is every wait below.
      await delay(DEADLINE_MS / 2);
      proxy!.stall();
      expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toEqual([]);
      await delay(STOPPED_MS - DEADLINE_MS);
      process.kill(pid, 'SIGCONT');
      await delay(LANDS_WITHIN_MS);
      const landed = (await count()) - 1;
      await delay(2 * DEADLINE_MS + LANDS_WITHIN_MS);
      attachFigures(context, { writesTimedOut: WRITES, writesLandedLate: landed });
      expect(landed, 'the danger is real').toBeGreaterThan(0);
      expect((await count()) - 1).toBe(landed);
    } finally {
      rpc.close();
      await connection.close();
    }
  });

  it('is given nothing twice, though each shard had a write under way', async (context) => {
    const ROUNDS = 3;
    const COLLECTIONS = 12;
    /** The deadline, the time until the dead line is noticed, and a repetition that waits at the stopped target's door. */
    const STOPPED_MS = 40_000;
    const random = labRandom('stopped target');
    const collections = await Promise.all(
      Array.from({ length: COLLECTIONS }, async (_, n) => {
        const collection = await LoadedCollection.create(
          life.session,
          { ...FINGERPRINTS, collection: `stopped_${n}` },
          random.fork(String(n)),
        );
        await collection.createIndexes();
        await collection.load();
        await collection.insert(10);
        return collection;
      }),
    );
    life.task.start();
    await life.task.line(/following/, 60_000);
    const pid = life.lab.target.instance.pid ?? 0;
    const writeAll = (rows: number): Promise<unknown> => Promise.all(collections.map((each) => each.insert(rows)));
    for (let round = 0; round < ROUNDS; round += 1) {
      await writeAll(5);
      // All that is written so far is on the target; what comes next is under way when the line is cut.
      await delay(3_000);
      process.kill(pid, 'SIGSTOP');
      await writeAll(3);
      await delay(1_500);
      proxy!.stall();
      await writeAll(2);
      await delay(STOPPED_MS);
      process.kill(pid, 'SIGCONT');
      await delay(20_000);
    }
    const { rowsSource, levelMs } = await life.untilEqual();
    attachFigures(context, { stops: ROUNDS, rowsCompared: rowsSource, levelMs, ...life.coreFigures });
  });
});

const insertOf = (key: string): Uint8Array =>
  encodeMessage('InsertRequest', {
    dbName: 'default',
    collectionName: COLLECTION,
    numRows: 1,
    fieldsData: [
      { type: 21, fieldName: 'id', scalars: { stringData: { data: [key] } } },
      {
        type: 101,
        fieldName: 'embedding',
        vectors: { dim: String(DIMENSIONS), floatVector: { data: Array.from({ length: DIMENSIONS }, () => 0.5) } },
      },
    ],
  });
