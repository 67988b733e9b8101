/** The front door with real servers behind it: the lab, a task on it, and a restart of the core in between. */
import { join } from 'node:path';
import { ConsistencyLevelEnum, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readRecord } from '../../../electron/core/lab/instance-record.ts';
import type { ConnectionDraft, ConnectionView, Hop } from '../../../shared/contract/procedures.ts';
import { nextEvent, whenLinked } from '../../support/contract-events.ts';
import { startHttpCore, temporaryDataDirectory, type HttpCore } from '../../support/served-core.ts';

/** Unpacked already by other suites in most cases; fetching takes a minute. */
const LAB_TIMEOUT_MS = 150_000;
const ARRIVAL_TIMEOUT_MS = 30_000;

let directory: Awaited<ReturnType<typeof temporaryDataDirectory>>;
let core: HttpCore;
const clients: MilvusClient[] = [];

async function labConnections(): Promise<Record<'source' | 'target', ConnectionView>> {
  const { connections } = await core.client.call('connections.list', {});
  const [source, target] = ['lab-source', 'lab-target'].map((id) => connections.find((one) => one.id === id));
  if (source === undefined || target === undefined) throw new Error('The lab has not made itself known.');
  return { source, target };
}

async function milvusOf(side: 'source' | 'target'): Promise<MilvusClient> {
  const record = await readRecord(join(directory.path, 'lab', side));
  const { milvus } = (await labConnections())[side];
  const client = new MilvusClient({
    address: milvus?.address ?? '',
    username: milvus?.username ?? '',
    password: record?.password ?? '',
    logLevel: 'error',
  });
  clients.push(client);
  return client;
}

async function insertItems(source: MilvusClient, from: number, count: number): Promise<void> {
  const data = Array.from({ length: count }, (_, at) => ({ id: from + at, embedding: [at, 1, 2, 3] }));
  const { status } = await source.insert({ collection_name: 'items', data });
  expect(status.error_code).toBe('Success');
}

async function countItems(client: MilvusClient): Promise<number> {
  const answer = await client.query({
    collection_name: 'items',
    filter: '',
    output_fields: ['count(*)'],
    consistency_level: ConsistencyLevelEnum.Strong,
  });
  return Number(answer.data[0]?.['count(*)'] ?? -1);
}

/** What the connection test says of its rows. */
async function rowsHopOf(side: 'source' | 'target', milvus?: ConnectionView['milvus']): Promise<string | undefined> {
  const { id, name, ...parts } = (await labConnections())[side];
  const draft = { id, name, milvus: milvus ?? parts.milvus, etcd: parts.etcd, wal: parts.wal };
  const { hops } = await core.client.call('connections.test', draft);
  return hops.find(({ hop }) => hop === 'rows')?.message;
}

/** @param cause Runs after somebody listens. */
async function startLab(): Promise<void> {
  const running = nextEvent(
    core.client,
    'lab.changed',
    ({ lab }) => lab.state === 'running' || lab.state === 'failed',
    LAB_TIMEOUT_MS,
  );
  expect((await core.client.call('lab.start', {})).lab.state).toBe('starting');
  expect((await running).lab).toEqual({ state: 'running', sourceId: 'lab-source', targetId: 'lab-target' });
}

beforeAll(async () => {
  directory = await temporaryDataDirectory();
  core = await startHttpCore(directory.path);
  await whenLinked(core.client);
  await startLab();
});
afterAll(async () => {
  for (const client of clients) await client.closeConnection();
  await core.stop();
  await core[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

describe('the connection test on real servers', () => {
  const draftOf = ({ id, name, milvus, etcd, wal }: ConnectionView): ConnectionDraft => ({
    id,
    name,
    milvus,
    etcd,
    wal,
  });
  const test = async (draft: ConnectionDraft): Promise<Hop[]> =>
    (await core.client.call('connections.test', draft)).hops;

  it('says of each hop what it found', async () => {
    const { source } = await labConnections();
    expect(source).toMatchObject({ isLab: true, canBeSource: true, canBeTarget: true });
    const hops = await test(draftOf(source));
    expect(hops.map(({ hop, state }) => `${hop} ${state}`)).toEqual([
      'etcd ok',
      'catalog ok',
      'log ok',
      'channels ok',
      'milvus ok',
      'writes ok',
      'rows ok',
    ]);
    const [, catalog, log, channels, milvus] = hops.map(({ message }) => message);
    expect(catalog).toMatch(/^Milvus keeps \d+ collections? in 1 database under the root path lab-source\.$/);
    expect(log).toMatch(/^NATS answers/);
    expect(channels).toMatch(/^16 channels of lab-source with \d+ messages kept/);
    expect(milvus).toMatch(/^Milvus 2\.3\.5.*, signed in as root\.$/);
  });

  it('says of each broken hop what is wrong and what to do, and still tries what does not depend on it', async () => {
    const { source } = await labConnections();
    const draft = draftOf(source);
    const hops = await test({
      ...draft,
      etcd: { endpoints: draft.etcd?.endpoints ?? [], rootPath: 'by-dev' },
      wal: { ...draft.wal!, channelPrefix: 'by-dev' },
      milvus: { address: draft.milvus?.address ?? '', username: 'root', password: 'wrong' },
    });
    expect(hops.map(({ hop, state }) => `${hop} ${state}`)).toEqual([
      'etcd ok',
      'catalog failed',
      'log ok',
      'channels failed',
      'milvus failed',
      'writes skipped',
      'rows skipped',
    ]);
    const [, catalog, , channels, milvus] = hops.map(({ message }) => message);
    expect(catalog).toMatch(/no Milvus under the root path by-dev.*lab-source/);
    expect(channels).toMatch(/no channel "by-dev-rootcoord-dml_.*Check the channel prefix/);
    expect(milvus).toMatch(/password/i);
  });
});

describe('a task on the lab', () => {
  it('brings rows over, pauses, and goes on after a restart of the core', async () => {
    const source = await milvusOf('source');
    const target = await milvusOf('target');
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
    ];
    await source.createCollection({ collection_name: 'items', fields, shards_num: 2 });
    await source.createIndex({
      collection_name: 'items',
      field_name: 'embedding',
      index_type: 'FLAT',
      metric_type: 'L2',
    });
    await source.loadCollectionSync({ collection_name: 'items' });

    const arrived = nextEvent(
      core.client,
      'task.status',
      ({ status }) => status.rowsWritten >= 500,
      ARRIVAL_TIMEOUT_MS,
    );
    const input = { name: 'lab to lab', sourceId: 'lab-source', targetId: 'lab-target' };
    expect(await rowsHopOf('source')).toBe('Rows can be read (default.items: 0 rows).');
    const { task } = await core.client.call('tasks.create', input);
    await insertItems(source, 0, 500);
    const { status } = await arrived;
    expect(status.collections).toMatchObject([{ database: 'default', name: 'items' }]);
    const { joins } = await vi.waitUntil(async () => {
      const history = await core.client.call('tasks.history', { id: task.id });
      return history.joins.length === 1 ? history : undefined;
    }, ARRIVAL_TIMEOUT_MS);
    expect(joins).toMatchObject([{ database: 'default', collection: 'items', sourceDoubles: '0' }]);
    expect(joins[0]?.shards).toHaveLength(2);
    await expect(core.client.call('lab.remove', {})).rejects.toThrow(/used by lab to lab/);

    const paused = nextEvent(
      core.client,
      'task.status',
      (event) => event.status.state === 'paused',
      ARRIVAL_TIMEOUT_MS,
    );
    await core.client.call('tasks.pause', { id: task.id });
    await paused;
    await insertItems(source, 500, 250);

    // The lab stops with its core and is taken up again by the next one, as is the pause.
    expect(await core.stop()).toBe(0);
    core = await startHttpCore(directory.path);
    await whenLinked(core.client);
    const { lab } = await core.client.call('lab.get', {});
    if (lab.state !== 'running')
      await nextEvent(core.client, 'lab.changed', (event) => event.lab.state === 'running', LAB_TIMEOUT_MS);
    const { tasks } = await core.client.call('tasks.list', {});
    expect(tasks).toMatchObject([{ id: task.id, desired: 'paused', status: { state: 'paused' } }]);

    const more = nextEvent(core.client, 'task.status', (event) => event.status.rowsWritten >= 250, ARRIVAL_TIMEOUT_MS);
    await core.client.call('tasks.resume', { id: task.id });
    await more;
    await target.loadCollectionSync({ collection_name: 'items' });
    expect(await countItems(target)).toBe(750);
  });

  it('asks about an operation while it runs, and does what is answered', async () => {
    const [source, target] = [await milvusOf('source'), await milvusOf('target')];
    const { tasks } = await core.client.call('tasks.list', {});
    const id = tasks[0]?.id ?? '';
    const settings = { policies: { dropCollection: 'ask' } } as const;
    await core.client.call('tasks.operationSettings', { id, settings });
    const isThere = async (name: string): Promise<boolean> =>
      (await target.hasCollection({ collection_name: name })).value === true;
    const outcomeOf = async (name: string) => {
      const { operations } = await core.client.call('tasks.operations', { id });
      return operations.find((one) => one.operation === 'dropCollection' && one.collection?.name === name);
    };
    const whenWaiting = (count: number) =>
      nextEvent(
        core.client,
        'task.status',
        ({ status }) => status.operationsWaiting === count && (status.state === 'held') === count > 0,
        ARRIVAL_TIMEOUT_MS,
      );
    for (const [name, decision, outcome] of [
      ['passing', 'apply', 'applied'],
      ['staying', 'skip', 'skipped'],
    ] as const) {
      const fields = [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'embedding', data_type: DataType.FloatVector, dim: 4 },
      ];
      await source.createCollection({ collection_name: name, fields, shards_num: 1 });
      await vi.waitUntil(() => isThere(name), ARRIVAL_TIMEOUT_MS);
      const asked = whenWaiting(1);
      await source.dropCollection({ collection_name: name });
      const { status } = await asked;
      expect(status.collections.find((one) => one.name === name)).toMatchObject({
        state: 'held',
        trouble: { error: { code: 'decisionNeeded' } },
      });
      const question = await outcomeOf(name);
      expect(question).toMatchObject({ outcome: 'waiting', source: 'log' });
      expect(await isThere(name)).toBe(true);
      const answered = whenWaiting(0);
      await core.client.call('tasks.decideOperation', { id, operationId: question?.id ?? '', decision });
      await answered;
      await vi.waitUntil(async () => (await outcomeOf(name))?.outcome === outcome, ARRIVAL_TIMEOUT_MS);
      expect(await isThere(name)).toBe(decision === 'skip');
      const again = core.client.call('tasks.decideOperation', { id, operationId: question?.id ?? '', decision });
      await expect(again).rejects.toThrow(/waits for a decision any more/);
    }
  });

  it('ends with its protection, and the lab with its data and connections', async () => {
    const { tasks } = await core.client.call('tasks.list', {});
    for (const { id } of tasks) await core.client.call('tasks.remove', { id });
    const absent = nextEvent(core.client, 'lab.changed', ({ lab }) => lab.state === 'absent', LAB_TIMEOUT_MS);
    await core.client.call('lab.remove', {});
    expect((await absent).lab).toEqual({ state: 'absent' });
    expect((await core.client.call('connections.list', {})).connections).toEqual([]);
  });
});
