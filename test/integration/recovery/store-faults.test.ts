/**
 * A running task whose store fills up, is put back to an earlier state, or whose copy is dropped on the target: on real
 * servers, with the engine in its thread as the core runs it.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { EngineHost } from '../../../electron/engine/host/engine-host.ts';
import { taskSpecSchema } from '../../../electron/engine/host/task-messages.ts';
import { MilvusRpc } from '../../../electron/engine/milvus/milvus-rpc.ts';
import { silentLogger } from '../../../electron/engine/runtime/logger.ts';
import type { TaskStatus } from '../../../shared/model/task-status.ts';
import { encodeMessage } from '../../support/milvus-messages.ts';
import { IS_FULL } from '../../support/lab-seed.ts';

const mayMount = process.platform === 'linux' && process.getuid?.() === 0;
const LIMIT_MS = 60_000;
const CALL = { deadlineMs: 30_000 };
const ROWS = 200;

let lab: Lab;
let source: MilvusRpc;
let target: MilvusRpc;
let folder: string;
let host: EngineHost | undefined;

beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
  source = new MilvusRpc(lab.source.asTarget.milvus);
  target = new MilvusRpc(lab.target.asTarget.milvus);
});
afterAll(async () => {
  source.close();
  target.close();
  await lab.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-faulty-'));
});
afterEach(async () => {
  await host?.stop();
  host = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function start(taskId: string): EngineHost {
  const { asSource } = lab.source;
  const spec = taskSpecSchema.parse({
    taskId,
    source: { etcd: asSource.etcd, wal: asSource.wal },
    target: lab.target.asTarget,
    start: { kind: 'now' },
  });
  host = new EngineHost(
    { spec, storeFile: join(folder, 'lifeline.db'), logLevel: 'silent', takeOver: false },
    silentLogger,
  );
  host.start();
  return host;
}

function when(of: EngineHost, what: string, isMet: (status: TaskStatus) => boolean): Promise<TaskStatus> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`Waited in vain for ${what}; ${JSON.stringify(of.status)}`)),
      LIMIT_MS,
    );
    const look = (status: TaskStatus): void => {
      if (!isMet(status)) return;
      clearTimeout(timer);
      of.off('status', look);
      resolve(status);
    };
    of.on('status', look);
  });
}

const schemaOf = (name: string): Uint8Array =>
  encodeMessage('schema.CollectionSchema', {
    name,
    fields: [
      { fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 },
      { fieldID: 101, name: 'v', dataType: 101, typeParams: [{ key: 'dim', value: '2' }] },
    ],
  });
const at = (name: string) => ({ dbName: 'default', collectionName: name });

async function make(name: string): Promise<void> {
  const shape = { shardsNum: 1, consistencyLevel: 0, numPartitions: 0, properties: [] };
  await source.call('CreateCollection', { ...at(name), schema: schemaOf(name), ...shape }, CALL);
}

async function insert(name: string, from: number): Promise<void> {
  const ids = Array.from({ length: ROWS }, (_, index) => String(from + index));
  const request = encodeMessage('InsertRequest', {
    ...at(name),
    numRows: ROWS,
    hashKeys: ids.map(() => 0),
    fieldsData: [
      { type: 5, fieldName: 'id', fieldId: 100, scalars: { longData: { data: ids } } },
      {
        type: 101,
        fieldName: 'v',
        fieldId: 101,
        vectors: { dim: 2, floatVector: { data: ids.flatMap(() => [1, 2]) } },
      },
    ],
  });
  await source.callRaw('Insert', request, CALL);
}

async function countOnTarget(name: string): Promise<number> {
  const params = [
    { key: 'index_type', value: 'FLAT' },
    { key: 'metric_type', value: 'L2' },
  ];
  await target.call('CreateIndex', { ...at(name), fieldName: 'v', indexName: 'v', extraParams: params }, CALL);
  await target.call('LoadCollection', { ...at(name), replicaNumber: 1 }, CALL);
  await expect
    .poll(async () => (await target.call('GetLoadState', { ...at(name), partitionNames: [] }, CALL)).state, {
      timeout: LIMIT_MS,
    })
    .toBe(3);
  const query = { ...at(name), expr: '', outputFields: ['count(*)'], partitionNames: [], queryParams: [] };
  const answer = await target.call('Query', { ...query, guaranteeTimestamp: '0', consistencyLevel: 0 }, CALL);
  return Number(answer.fieldsData[0]?.scalars?.longData?.data?.[0]);
}

/** Takes all the room there is. */
function fill(): string {
  const filler = join(folder, 'filler');
  for (const bytes of [1 << 14, 1 << 10, 1]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  return filler;
}

describe.runIf(mayMount)('a task whose disk fills up', () => {
  beforeEach(() => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]));
  afterEach(async () => {
    await host?.stop();
    execFileSync('umount', [folder]);
  });

  test(
    'stops at its last checkpoint with a sentence, and goes on by itself when there is room, with every row once',
    async () => {
      // The core has the store open all the time.
      using core = openDatabase(join(folder, 'lifeline.db'));
      const task = start('filled');
      await when(task, 'its start', ({ state }) => state === 'following');
      await make('filled');
      await insert('filled', 0);
      await task.whenLevel();

      const filler = fill();
      const full = when(task, 'its stop', ({ trouble }) => trouble?.nextTryAt !== undefined);
      await insert('filled', ROWS);
      const { state, trouble } = await full;
      expect(state).toBe('blocked');
      expect(trouble).toMatchObject({
        error: { code: 'storeFull', side: 'store' },
        hint: 'Make room on the disk of the data folder; it goes on by itself.',
      });
      expect(trouble?.error.message).toMatch(
        new RegExp(`^The store could not .* in ${join(folder, 'lifeline.db')}: its disk is full\\.`),
      );
      await insert('filled', 2 * ROWS);

      rmSync(filler);
      const goesOn = when(task, 'it to go on', (status) => status.state === 'following');
      await goesOn;
      expect(core.isOpen).toBe(true);
      await task.whenLevel();
      expect(await countOnTarget('filled')).toBe(3 * ROWS);
    },
    4 * LIMIT_MS,
  );
});

describe('a task', () => {
  test(
    'whose copy is dropped on the target holds that collection, and follows the others',
    async () => {
      const task = start('watched');
      await when(task, 'its start', ({ state }) => state === 'following');
      await make('kept');
      await make('taken');
      await insert('taken', 0);
      await insert('kept', 0);
      await task.whenLevel();
      const held = when(task, 'the copy to be missed', ({ collections }) =>
        collections.some(({ state }) => state === 'held'),
      );
      await target.call('DropCollection', at('taken'), CALL);
      const { collections } = await held;
      expect(collections.find(({ name }) => name === 'taken')).toMatchObject({
        state: 'held',
        trouble: { error: { code: 'targetChanged', side: 'target' } },
      });
      const confirmed = when(task, 'the other to go on', (status) =>
        status.collections.some(({ name, rowsWritten }) => name === 'kept' && rowsWritten === 2 * ROWS),
      );
      await insert('kept', ROWS);
      await confirmed;
    },
    2 * LIMIT_MS,
  );

  test.runIf(IS_FULL)(
    'whose data folder is put back to an earlier state holds every copy, at each start',
    async () => {
      const first = start('put-back');
      await when(first, 'its start', ({ state }) => state === 'following');
      await make('copied');
      await insert('copied', 0);
      await first.whenLevel();
      await first.stop();
      cpSync(folder, `${folder}-earlier`, { recursive: true });
      const second = start('put-back');
      await when(second, 'its start', ({ state }) => state === 'following');
      await insert('copied', ROWS);
      await second.whenLevel();
      // A beat of the marker, which the earlier state knows nothing of, comes every five seconds, and one at the start.
      await second.stop();
      rmSync(folder, { recursive: true });
      cpSync(`${folder}-earlier`, folder, { recursive: true });
      rmSync(`${folder}-earlier`, { recursive: true });
      for (let start_ = 0; start_ < 2; start_ += 1) {
        const again = start('put-back');
        const { collections } = await when(again, 'its doubt', (status) => status.state === 'held');
        expect(collections.find(({ name }) => name === 'copied')).toMatchObject({
          state: 'held',
          trouble: { error: { code: 'storeOutdated', side: 'store' } },
        });
        await again.stop();
      }
    },
    4 * LIMIT_MS,
  );
});
