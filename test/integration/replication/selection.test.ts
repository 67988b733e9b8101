/**
 * Selection, mapping, preview and loops on two real clusters, over HTTP as a program would use them. The target has a quarter of
 * the source's channels. The cases build on each other, in their order.
 */
import { ConsistencyLevelEnum, DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startLab, type Lab, type LabSide } from '../../../electron/core/lab/lab.ts';
import { openMilvusRights } from '../../../electron/engine/milvus/milvus-rights.ts';
import { ContractError } from '../../../shared/contract/client.ts';
import type { ContractErrorData, TaskView } from '../../../shared/contract/procedures.ts';
import { startHttpCore, temporaryDataDirectory, type ServedCore } from '../../support/served-core.ts';
import { whenLinked } from '../../support/contract-events.ts';

const ARRIVAL = { timeout: 60_000, interval: 200 };

let lab: Lab;
let directory: Awaited<ReturnType<typeof temporaryDataDirectory>>;
let core: ServedCore;
let source: MilvusClient;
let target: MilvusClient;
/** Of the connections. */
const ids = { source: '', target: '' };

const clientOf = ({ asTarget: { milvus } }: LabSide): MilvusClient =>
  new MilvusClient({
    address: milvus.address,
    username: milvus.username ?? '',
    password: milvus.password ?? '',
    logLevel: 'error',
  });

async function saveSide(name: string, { asSource, asTarget }: LabSide): Promise<string> {
  const { connection } = await core.client.call('connections.save', { name, ...asSource, ...asTarget });
  return connection.id;
}

beforeAll(async () => {
  directory = await temporaryDataDirectory();
  lab = await startLab({ purpose: 'throwaway', settings: { target: { 'rootCoord.dmlChannelNum': 4 } } });
  core = await startHttpCore(directory.path);
  await whenLinked(core.client);
  ids.source = await saveSide('one', lab.source);
  ids.target = await saveSide('other', lab.target);
  source = clientOf(lab.source);
  target = clientOf(lab.target);
  for (const client of [source, target]) await client.connectPromise;
  await source.createDatabase({ db_name: 'shop' });
  await makeCollection(source, 'default', 'plain', 60);
  await makeCollection(source, 'default', 'left_out', 20);
  await makeCollection(source, 'shop', 'orders', 40);
  await makeCollection(source, 'shop', 'generated', 0, { autoID: true, ttl: 3_600 });
}, 180_000);

afterAll(async () => {
  for (const client of [source, target]) await client.closeConnection();
  await core[Symbol.asyncDispose]();
  await lab.stop();
  await directory[Symbol.asyncDispose]();
});

async function makeCollection(
  client: MilvusClient,
  db_name: string,
  collection_name: string,
  rows: number,
  { autoID = false, ttl = 0 } = {},
): Promise<void> {
  const made = await client.createCollection({
    db_name,
    collection_name,
    shards_num: 2,
    ...(ttl === 0 ? {} : { properties: { 'collection.ttl.seconds': ttl } }),
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID },
      { name: 'embedding', data_type: DataType.FloatVector, dim: 8 },
    ],
  });
  expect(made.error_code).toBe('Success');
  await client.createIndex({
    db_name,
    collection_name,
    field_name: 'embedding',
    index_type: 'FLAT',
    metric_type: 'L2',
  });
  await client.loadCollectionSync({ db_name, collection_name });
  if (rows > 0) await insertRows(client, db_name, collection_name, 0, rows);
}

async function insertRows(
  client: MilvusClient,
  db_name: string,
  collection_name: string,
  from: number,
  count: number,
): Promise<void> {
  const data = Array.from({ length: count }, (_unused, index) => ({
    id: from + index,
    embedding: Array.from({ length: 8 }, (_one, place) => index + place),
  }));
  const { status } = await client.insert({ db_name, collection_name, data });
  expect(status.code).toBe(0);
}

async function countRows(client: MilvusClient, db_name: string, collection_name: string): Promise<number | undefined> {
  const answer = await client.query({
    db_name,
    collection_name,
    filter: '',
    output_fields: ['count(*)'],
    consistency_level: ConsistencyLevelEnum.Strong,
  });
  return answer.status.code === 0 ? Number(answer.data[0]?.['count(*)']) : undefined;
}

const arrived = (db: string, collection: string, rows: number): Promise<void> =>
  vi.waitFor(async () => expect(await countRows(target, db, collection)).toBe(rows), ARRIVAL);

const statusOf = async (id: string): Promise<NonNullable<TaskView['status']>> => {
  const { tasks } = await core.client.call('tasks.list', {});
  const status = tasks.find((task) => task.id === id)?.status;
  if (status === undefined) throw new Error('no status yet');
  return status;
};

async function refusalOf(work: Promise<unknown>): Promise<ContractErrorData> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ContractError);
  return (error as ContractError).data;
}

const pair = () => ({ sourceId: ids.source, targetId: ids.target });
const shop = { include: [{ database: 'shop', collection: '*' }] };
const mapping = {
  rules: [{ from: { database: 'shop' }, to: { database: 'dr_shop' } }],
  collectionPrefix: 'dr_',
};
const start = { kind: 'copy', mayLoad: true } as const;

describe('a preview', () => {
  it('says exactly what is matched now, with rows, sizes and names, what is left out, and what to mind', async () => {
    const preview = await core.client.call('tasks.preview', { ...pair(), selection: shop, mapping });
    expect(
      preview.collections.map(({ database, collection, isSelected }) => [database, collection, isSelected]),
    ).toEqual([
      ['default', 'left_out', false],
      ['default', 'plain', false],
      ['shop', 'generated', true],
      ['shop', 'orders', true],
    ]);
    expect(preview.collections.at(-1)).toMatchObject({
      target: { database: 'dr_shop', collection: 'orders' },
      rows: '40',
      rowsFrom: 'count',
      bytesEstimated: String(40 * (8 + 8 * 4)),
    });
    expect(preview).toMatchObject({ selectedCount: 2, leftOutCount: 2, rows: '40', conflicts: [] });
    expect(preview.warnings.map(({ kind, names }) => [kind, names])).toEqual([
      ['leftOut', ['default.left_out', 'default.plain']],
      ['generatedKeys', ['shop.generated']],
      ['timeToLive', ['shop.generated']],
    ]);
  });

  it('finds what would become one, and a name that is taken on the target', async () => {
    await makeCollection(target, 'default', 'taken', 0);
    await target.createAlias({ db_name: 'default', collection_name: 'taken', alias: 'other_name' });
    const rules = [
      { from: { database: 'default', collection: 'plain' }, to: { collection: 'one' } },
      { from: { database: 'shop', collection: 'orders' }, to: { database: 'default', collection: 'one' } },
      { from: { database: 'default', collection: 'left_out' }, to: { collection: 'taken' } },
      { from: { database: 'shop', collection: 'generated' }, to: { database: 'default', collection: 'other_name' } },
    ];
    const input = { ...pair(), mapping: { rules } };
    const { conflicts } = await core.client.call('tasks.preview', input);
    expect(conflicts.map(({ kind, collections }) => [kind, collections.map(({ collection }) => collection)])).toEqual([
      ['clash', ['plain', 'orders']],
      ['exists', ['left_out']],
      ['exists', ['generated']],
    ]);
    const refusal = await refusalOf(core.client.call('tasks.create', { name: 'refused', ...input, start }));
    expect(refusal).toMatchObject({ code: 'invalidInput', context: { field: 'selection', conflict: 'clash' } });
    expect(refusal.message).toMatch(
      /^default\.plain and shop\.orders would both become default\.one\..*There are 2 more conflicts\.$/,
    );
    expect((await core.client.call('tasks.list', {})).tasks).toEqual([]);
    await target.dropAlias({ alias: 'other_name' });
  });

  it('knows source and target for one cluster under whatever address', async () => {
    const same = lab.source.asTarget.milvus;
    const { connection } = await core.client.call('connections.save', {
      name: 'alias',
      milvus: { ...same, address: same.address.replace('127.0.0.1', 'localhost') },
    });
    const { conflicts } = await core.client.call('tasks.preview', { sourceId: ids.source, targetId: connection.id });
    expect(conflicts.map(({ kind }) => kind)).toEqual(['sameCluster']);
    await core.client.call('connections.remove', { id: connection.id });
  });
});

let first: string;
let second: string;

describe('two tasks on one pair', () => {
  it('bring each its own, under the names that the mapping gives', async () => {
    const operations = { overrides: { shardNumber: 3 }, replicateRights: true };
    const input = { name: 'shop', ...pair(), selection: shop, mapping, start, operations };
    const one = await core.client.call('tasks.create', input);
    const plain = { include: [{ database: 'default', collection: 'plain' }], later: false };
    const other = await core.client.call('tasks.create', { name: 'plain', ...pair(), selection: plain, start });
    [first, second] = [one.task.id, other.task.id];
    expect(one.task).toMatchObject({
      selection: { ...shop, exclude: [], later: true },
      mapping: { collectionPrefix: 'dr_' },
    });
    await vi.waitFor(async () => expect((await statusOf(first)).isInSync).toBe(true), ARRIVAL);
    await vi.waitFor(async () => expect((await statusOf(second)).isInSync).toBe(true), ARRIVAL);
    await arrived('dr_shop', 'orders', 40);
    await arrived('default', 'plain', 60);
    expect((await statusOf(first)).collections.find(({ name }) => name === 'orders')).toMatchObject({
      database: 'shop',
      target: { database: 'dr_shop', name: 'orders' },
    });
    expect((await statusOf(first)).leftOut).toEqual({ count: 2, names: ['default.left_out', 'default.plain'] });
    const { data } = await target.showCollections({ db_name: 'default' });
    expect(
      data
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('_lifeline_'))
        .toSorted(),
    ).toEqual(['plain', 'taken']);
    const marked = data.filter(({ name }) => name.startsWith('_lifeline_'));
    expect(marked).toHaveLength(2);
  });

  it('have shards of their own number on the target, and grants under its names', async () => {
    const shards = async (client: MilvusClient, db_name: string, collection_name: string): Promise<number> =>
      (await client.describeCollection({ db_name, collection_name })).shards_num;
    expect(await shards(source, 'shop', 'orders')).toBe(2);
    expect(await shards(target, 'dr_shop', 'orders')).toBe(3);
    expect(await shards(target, 'default', 'plain')).toBe(2);
    const [atSource, atTarget] = [
      openMilvusRights(lab.source.asTarget.milvus, 'source'),
      openMilvusRights(lab.target.asTarget.milvus, 'target'),
    ];
    onTestFinished(async () => Promise.all([atSource.close(), atTarget.close()]).then(() => undefined));
    await source.createRole({ roleName: 'clerk' });
    const grant = { object: 'Collection', objectName: 'orders', database: 'shop', privilege: 'Search' };
    const change = { operation: 'operatePrivilege', role: 'clerk', grant, isAdded: true } as const;
    await atSource.change(change, AbortSignal.timeout(30_000));
    await vi.waitFor(async () => {
      const { roles } = await atTarget.read(AbortSignal.timeout(30_000));
      expect(roles.find(({ name }) => name === 'clerk')?.grants).toEqual([{ ...grant, database: 'dr_shop' }]);
    }, ARRIVAL);
  });

  it('follow what comes, operations included, and pass over the rest', async () => {
    await insertRows(source, 'shop', 'orders', 40, 10);
    await insertRows(source, 'default', 'plain', 60, 5);
    await insertRows(source, 'default', 'left_out', 20, 5);
    await makeCollection(source, 'shop', 'later', 7);
    await makeCollection(source, 'default', 'later', 7);
    await arrived('dr_shop', 'orders', 50);
    await arrived('default', 'plain', 65);
    await arrived('dr_shop', 'later', 7);
    expect(await countRows(target, 'default', 'later')).toBeUndefined();
    expect((await statusOf(second)).skippedOperations).toEqual({});
    await vi.waitFor(async () => expect((await statusOf(second)).leftOut?.names).toContain('default.later'), ARRIVAL);
  });

  it('have a selection that is changed while they run: what comes is copied, what goes stays as it is', async () => {
    const selection = { include: [{ database: 'default', collection: 'left_out' }], later: false };
    const { task } = await core.client.call('tasks.select', { id: second, selection });
    expect(task.selection).toEqual({ ...selection, exclude: [] });
    await arrived('default', 'left_out', 25);
    await insertRows(source, 'default', 'plain', 65, 5);
    await insertRows(source, 'default', 'left_out', 25, 5);
    await arrived('default', 'left_out', 30);
    expect(await countRows(target, 'default', 'plain')).toBe(65);
    const { collections, notices } = await statusOf(second);
    expect(collections.map(({ name }) => name)).toEqual(['left_out']);
    expect(notices.join()).toMatch(/default\.plain is no longer replicated/);

    // Taken up again it is brought level, what was missed and all.
    await core.client.call('tasks.select', {
      id: second,
      selection: { ...selection, include: [{ database: 'default', collection: 'plain' }] },
    });
    await arrived('default', 'plain', 70);
    await insertRows(source, 'default', 'plain', 70, 5);
    await arrived('default', 'plain', 75);
  });
});

describe('a way back', () => {
  it('of what has come from there is refused, under whatever name, by the collection that the target holds', async () => {
    const back = { sourceId: ids.target, targetId: ids.source };
    const selection = { include: [{ database: 'default', collection: 'plain' }] };
    const { conflicts } = await core.client.call('tasks.preview', {
      ...back,
      selection,
      mapping: { collectionPrefix: 'back_' },
    });
    expect(conflicts.map(({ kind }) => kind)).toEqual(['loop']);
    const input = { name: 'back', ...back, selection, mapping: { collectionPrefix: 'back_' }, start };
    const refusal = await refusalOf(core.client.call('tasks.create', input));
    expect(refusal).toMatchObject({ code: 'invalidInput', context: { conflict: 'loop' } });
    expect(refusal.message).toMatch(/default\.plain is itself a copy of default\.plain, which stands in the target/);
  });

  it('of another collection is no loop: both directions side by side', async () => {
    const back = { sourceId: ids.target, targetId: ids.source };
    const selection = { include: [{ database: 'default', collection: 'taken' }], later: false };
    const { task } = await core.client.call('tasks.create', { name: 'back', ...back, selection, start });
    await vi.waitFor(async () => expect((await statusOf(task.id)).isInSync).toBe(true), ARRIVAL);
    await insertRows(target, 'default', 'taken', 0, 3);
    await vi.waitFor(async () => expect(await countRows(source, 'default', 'taken')).toBe(3), ARRIVAL);
    expect((await statusOf(first)).state).toBe('following');
    expect((await statusOf(second)).state).toBe('following');
    for (const { id } of (await core.client.call('tasks.list', {})).tasks)
      await core.client.call('tasks.remove', { id });
  });
});
