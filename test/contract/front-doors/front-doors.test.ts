/** One contract, three front doors: the same cases over HTTP with a token, HTTP with a session, and the shell's line. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ContractError, type ContractClient } from '../../../shared/contract/client.ts';
import type { ConnectionDraft, ConnectionView, ContractErrorData } from '../../../shared/contract/procedures.ts';
import { nextEvent, whenLinked } from '../../support/contract-events.ts';
import { startSilentServer } from '../../support/silent-server.ts';
import { startHttpCore, startIpcCore, temporaryDataDirectory, type ServedCore } from '../../support/served-core.ts';

/** Port 1 of this machine: nobody listens there. */
const NOWHERE = '127.0.0.1:1';
const SECRET = 'hunter2-secret';

const draft = (name: string): ConnectionDraft => ({
  name,
  milvus: { address: NOWHERE, username: 'root', password: SECRET },
  etcd: { endpoints: [NOWHERE] },
  wal: { kind: 'nats', servers: [NOWHERE], token: SECRET },
});

async function refusalOf(work: Promise<unknown>): Promise<ContractErrorData> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ContractError);
  return (error as ContractError).data;
}

const doors: [string, (directory: string) => Promise<ServedCore>][] = [
  ['HTTP with the token', (directory) => startHttpCore(directory)],
  ['HTTP with a session', (directory) => startHttpCore(directory, { hasSession: true })],
  ["the shell's line", (directory) => startIpcCore(directory)],
];

describe.each(doors)('the contract over %s', (_name, start) => {
  let directory: Awaited<ReturnType<typeof temporaryDataDirectory>>;
  let core: ServedCore;
  let client: ContractClient;

  beforeAll(async () => {
    directory = await temporaryDataDirectory();
    // A machine without Java, for the drill that wants one.
    vi.stubEnv('JAVA_HOME', '/nowhere');
    core = await start(directory.path);
    vi.unstubAllEnvs();
    client = core.client;
    await whenLinked(client);
  });
  afterAll(async () => {
    await core[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  const save = async (input: ConnectionDraft): Promise<ConnectionView> =>
    (await client.call('connections.save', input)).connection;

  it('tells what the core is', async () => {
    const info = await client.call('system.info', {});
    expect(info).toMatchObject({ dataDirectory: directory.path, secrets: 'keyFile', platform: process.platform });
  });

  it('keeps connections, and never gives a secret back', async () => {
    const changed = nextEvent(client, 'connections.changed', ({ connections }) => connections.length === 1);
    const saved = await save(draft('kept'));
    expect(saved).toMatchObject({ name: 'kept', canBeSource: true, canBeTarget: true, isLab: false, usedBy: [] });
    expect(saved.secretsSet).toEqual(['milvus.password', 'wal.token']);
    const { connections } = await client.call('connections.list', {});
    expect(connections).toEqual([saved]);
    expect(JSON.stringify([saved, connections, await changed])).not.toContain(SECRET);

    // Left out: taken over. Empty: taken away.
    const renamed = await save({
      id: saved.id,
      name: 'renamed',
      milvus: { address: NOWHERE, username: 'root' },
      etcd: { endpoints: [NOWHERE] },
      wal: { kind: 'nats', servers: [NOWHERE], token: '' },
    });
    expect(renamed).toMatchObject({ id: saved.id, name: 'renamed', secretsSet: ['milvus.password'] });

    await client.call('connections.remove', { id: saved.id });
    expect((await client.call('connections.list', {})).connections).toEqual([]);
  });

  it('refuses a second connection of one name, one of no use, and credentials in an address', async () => {
    const { id } = await save(draft('taken'));
    expect(await refusalOf(save(draft('taken')))).toMatchObject({ code: 'invalidInput', context: { field: 'name' } });
    expect(await refusalOf(save({ name: 'empty' }))).toMatchObject({ code: 'invalidInput' });
    const careless = save({ name: 'careless', milvus: { address: `root:${SECRET}@127.0.0.1:1` } });
    const refusal = await refusalOf(careless);
    expect(refusal).toMatchObject({ code: 'invalidInput', context: { field: 'milvus.address' } });
    expect(JSON.stringify(refusal)).not.toContain(SECRET);
    await client.call('connections.remove', { id });
  });

  it('tests a connection hop by hop, and says what is wrong and what to do', async () => {
    const { hops } = await client.call('connections.test', draft('tested'));
    expect(hops.map(({ hop, state }) => [hop, state])).toEqual([
      ['etcd', 'failed'],
      ['catalog', 'skipped'],
      ['log', 'failed'],
      ['channels', 'skipped'],
      ['milvus', 'failed'],
      ['writes', 'skipped'],
      ['rows', 'skipped'],
    ]);
    for (const { state, message } of hops) if (state === 'failed') expect(message).toMatch(/127\.0\.0\.1:1.*Check/);
    expect(JSON.stringify(hops)).not.toContain(SECRET);
    const { hops: targetOnly } = await client.call('connections.test', { name: 't', milvus: { address: NOWHERE } });
    expect(targetOnly.map(({ hop }) => hop)).toEqual(['milvus', 'writes']);
  });

  it('tells each hop of a named test as it begins and as it ends', async () => {
    const told: string[] = [];
    const off = client.on('connections.hop', ({ testId, hop }) => told.push(`${testId} ${hop.hop} ${hop.state}`));
    const last = nextEvent(client, 'connections.hop', ({ hop }) => hop.hop === 'writes');
    const input = { name: 't', testId: 'mine', milvus: { address: NOWHERE } };
    const { hops } = await client.call('connections.test', input);
    expect((await last).hop).toEqual(hops[1]);
    off();
    expect(told).toEqual(['mine milvus running', 'mine milvus failed', 'mine writes skipped']);
  });

  it('ends a test that is cancelled with what it has found, and lets no other one take its id meanwhile', async () => {
    await using silent = await startSilentServer();
    const begun = nextEvent(client, 'connections.hop', ({ hop }) => hop.hop === 'etcd' && hop.state === 'running');
    const failed = nextEvent(client, 'connections.hop', ({ hop }) => hop.hop === 'milvus' && hop.state === 'failed');
    const input = {
      name: 't',
      testId: 'mine',
      milvus: { address: NOWHERE },
      etcd: { endpoints: [silent.address] },
    };
    const startedMs = performance.now();
    const test = client.call('connections.test', input);
    await Promise.all([begun, failed]);
    expect(await refusalOf(client.call('connections.test', input))).toMatchObject({
      code: 'conflict',
      context: { field: 'testId' },
    });
    const ended = nextEvent(client, 'connections.hop', ({ hop }) => hop.hop === 'catalog');
    expect(await client.call('connections.cancelTest', { testId: 'mine' })).toEqual({});
    const { hops } = await test;
    // Alone it would take five seconds.
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    expect(hops.map(({ hop, state }) => `${hop} ${state}`)).toEqual([
      'etcd skipped',
      'catalog skipped',
      'milvus failed',
      'writes skipped',
    ]);
    expect((await ended).hop.message).toContain('cancelled');
    expect(await client.call('connections.cancelTest', { testId: 'mine' })).toEqual({});
  });

  it('begins a task where it is told to, and refuses a copy of rows that it cannot read', async () => {
    const { etcd, wal } = draft('log only');
    const source = await save({ name: 'log only', etcd, wal });
    const target = await save({ name: 'standby', milvus: { address: '127.0.0.1:2' } });
    const ids = { sourceId: source.id, targetId: target.id };
    const refusal = await refusalOf(client.call('tasks.create', { name: 'a', ...ids, start: { kind: 'copy' } }));
    expect(refusal).toMatchObject({ code: 'invalidInput', context: { field: 'start' } });
    expect(refusal.message).toContain('the address of its Milvus is not known');
    const ahead = { kind: 'time', unixMs: Date.now() + 3_600_000 } as const;
    expect(await refusalOf(client.call('tasks.create', { name: 'a', ...ids, start: ahead }))).toMatchObject({
      context: { field: 'start' },
    });

    const byDefault = await client.call('tasks.create', { name: 'by default', ...ids });
    expect(byDefault.task.start).toEqual({ kind: 'creation' });
    const start = { kind: 'time', unixMs: 1_700_000_000_000 } as const;
    const told = await client.call('tasks.create', { name: 'told', ...ids, start });
    expect(told.task.start).toEqual(start);
    const { tasks } = await client.call('tasks.list', {});
    expect(tasks.map((task) => task.start)).toEqual([{ kind: 'creation' }, start]);
    expect(await refusalOf(client.call('tasks.resume', { id: told.task.id, mayLoad: true }))).toMatchObject({
      code: 'conflict',
      context: { field: 'mayLoad' },
    });
    expect(await refusalOf(client.call('tasks.history', { id: 'nobody' }))).toMatchObject({ code: 'notFound' });

    for (const { id } of tasks) await client.call('tasks.remove', { id });
    for (const { id } of [source, target]) await client.call('connections.remove', { id });
  });

  it('creates, pauses, resumes and removes a task, and says why it is blocked', async () => {
    const source = await save(draft('source'));
    const target = await save({
      name: 'target',
      milvus: { address: '127.0.0.1:2', username: 'root', password: SECRET },
    });
    const blocked = nextEvent(client, 'task.status', ({ status }) => status.state === 'blocked');
    const { task } = await client.call('tasks.create', { name: 'orders', sourceId: source.id, targetId: target.id });
    expect(task).toMatchObject({ name: 'orders', desired: 'running', sourceId: source.id, targetId: target.id });
    // The rows of this source could be read, so they are to be copied.
    expect(task.start).toEqual({ kind: 'copy', mayLoad: false });
    expect(await client.call('tasks.history', { id: task.id })).toEqual({ joins: [], gaps: [] });
    const { id, status } = await blocked;
    expect(id).toBe(task.id);
    expect(status.trouble?.error.message).toMatch(/cannot be reached|could not be reached/);
    expect(status.trouble?.hint).not.toBe('');

    expect(await refusalOf(client.call('connections.remove', { id: source.id }))).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('orders'),
    });
    const { connections } = await client.call('connections.list', {});
    expect(connections.find((connection) => connection.id === source.id)?.usedBy).toEqual(['orders']);

    // What is mended at the connection is tried at once, without a word to the task.
    const elsewhere = '127.0.0.1:3';
    const moved = nextEvent(
      client,
      'task.status',
      (payload) => payload.status.trouble?.error.message.includes(`The target at ${elsewhere}`) === true,
    );
    await save({ id: target.id, name: 'target', milvus: { address: elsewhere, username: 'root' } });
    await moved;

    const paused = nextEvent(client, 'task.status', (payload) => payload.status.state === 'paused');
    expect((await client.call('tasks.pause', { id: task.id })).task).toMatchObject({
      desired: 'paused',
      pausedAt: expect.any(Number),
    });
    await paused;
    const again = nextEvent(client, 'task.status', (payload) => payload.status.state === 'blocked');
    const resumed = await client.call('tasks.resume', { id: task.id, mayLoad: true });
    expect(resumed.task).toMatchObject({ desired: 'running', start: { kind: 'copy', mayLoad: true } });
    expect(resumed.task.pausedAt).toBeUndefined();
    await again;

    const gone = nextEvent(client, 'tasks.changed', ({ tasks }) => tasks.length === 0);
    await client.call('tasks.remove', { id: task.id });
    await gone;
    expect((await client.call('tasks.list', {})).tasks).toEqual([]);
    for (const used of [source, target]) await client.call('connections.remove', { id: used.id });
  });

  it('keeps with a task what its copies may take and what follows a gap, and changes both while it runs', async () => {
    const source = await save(draft('with rows'));
    const target = await save({ name: 'standby', milvus: { address: '127.0.0.1:2' } });
    const ids = { sourceId: source.id, targetId: target.id };
    const copyBudget = { rowsPerSecond: 5_000, collectionsAtOnce: 1 };
    const { task } = await client.call('tasks.create', { name: 'limited', ...ids, onGap: 'copy', copyBudget });
    expect(task).toMatchObject({ onGap: 'copy', copyBudget });
    const { task: plain } = await client.call('tasks.create', { name: 'plain', ...ids });
    expect(plain.onGap).toBeUndefined();
    expect(plain.copyBudget).toBeUndefined();

    const told = nextEvent(client, 'tasks.changed', ({ tasks }) => tasks[0]?.copyBudget?.bytesPerSecond === 1_000_000);
    const budget = { bytesPerSecond: 1_000_000 };
    expect((await client.call('tasks.copyBudget', { id: task.id, budget })).task.copyBudget).toEqual(budget);
    await told;
    expect((await client.call('tasks.gapPolicy', { id: task.id, onGap: 'hold' })).task.onGap).toBe('hold');
    await client.call('tasks.pause', { id: plain.id });
    expect((await client.call('tasks.copyBudget', { id: plain.id, budget })).task.copyBudget).toEqual(budget);
    const { tasks } = await client.call('tasks.list', {});
    expect(tasks).toMatchObject([
      { id: task.id, onGap: 'hold', copyBudget: budget },
      { id: plain.id, copyBudget: budget },
    ]);
    expect(tasks[0]?.copyBudget).toEqual(budget);

    const nonsense = client.call('tasks.copyBudget', { id: task.id, budget: { rowsPerSecond: 0 } });
    expect(await refusalOf(nonsense)).toMatchObject({
      code: 'invalidInput',
      context: { field: 'budget.rowsPerSecond' },
    });
    for (const { id } of tasks) await client.call('tasks.remove', { id });
    for (const { id } of [source, target]) await client.call('connections.remove', { id });
  });

  it('keeps with a task what it replicates and under which names; the one can be changed, the other not', async () => {
    const source = await save(draft('chosen from'));
    const target = await save({ name: 'standby', milvus: { address: '127.0.0.1:2' } });
    const ids = { sourceId: source.id, targetId: target.id };
    const selection = { include: [{ database: 'shop', collection: '*' }], later: false };
    const mapping = { rules: [{ from: { database: 'my.db' }, to: { database: 'my_db' } }], collectionPrefix: 'dr_' };
    const { task } = await client.call('tasks.create', { name: 'some', ...ids, selection, mapping });
    expect(task.selection).toEqual({ ...selection, exclude: [] });
    expect(task.mapping).toEqual({
      ...mapping,
      ...{ databasePrefix: '', databaseSuffix: '', collectionSuffix: '' },
    });
    const { task: plain } = await client.call('tasks.create', { name: 'all', ...ids });
    expect([plain.selection, plain.mapping]).toEqual([undefined, undefined]);

    // Its clusters cannot be reached: it holds from its beginning.
    const other = { include: [{ database: '*', collection: '*' }], exclude: [{ database: '*', collection: 'tmp*' }] };
    const told = nextEvent(client, 'tasks.changed', ({ tasks }) => tasks[0]?.selection?.exclude.length === 1);
    const changed = await client.call('tasks.select', { id: task.id, selection: other });
    expect(changed.task.selection).toEqual({ ...other, later: true });
    await told;
    await client.call('tasks.pause', { id: plain.id });
    const paused = await client.call('tasks.select', { id: plain.id, selection });
    expect(paused.task.selection).toEqual({ ...selection, exclude: [] });
    const { tasks } = await client.call('tasks.list', {});
    expect(tasks.map((one) => one.selection)).toEqual([changed.task.selection, paused.task.selection]);

    const unreachable = await refusalOf(client.call('tasks.preview', { ...ids, selection }));
    expect(unreachable.code).toBe('unreachable');
    expect(JSON.stringify(unreachable)).not.toContain(SECRET);
    const empty = client.call('tasks.select', { id: task.id, selection: { include: [] } });
    expect(await refusalOf(empty)).toMatchObject({ code: 'invalidInput', context: { field: 'selection.include' } });
    const twice = { rules: [...mapping.rules, ...mapping.rules] };
    expect(await refusalOf(client.call('tasks.create', { name: 'twice', ...ids, mapping: twice }))).toMatchObject({
      message: 'There are two rules for "my.db".*.',
      context: { field: 'mapping' },
    });
    const refused = { rules: [{ from: { database: 'a' }, to: { database: 'a-b' } }] };
    expect(await refusalOf(client.call('tasks.create', { name: 'no', ...ids, mapping: refused }))).toMatchObject({
      context: { field: 'mapping.rules[0].to.database' },
    });
    expect(await refusalOf(client.call('tasks.select', { id: 'nobody', selection }))).toMatchObject({
      code: 'notFound',
    });
    for (const { id } of tasks) await client.call('tasks.remove', { id });
    for (const { id } of [source, target]) await client.call('connections.remove', { id });
  });

  it('keeps with a task its policies and overrides, changes them while it runs, and shows what became of operations', async () => {
    const source = await save(draft('operated'));
    const target = await save({ name: 'standby', milvus: { address: '127.0.0.1:2' } });
    const ids = { sourceId: source.id, targetId: target.id };
    const operations = { policies: { dropCollection: 'ask' }, overrides: { shardNumber: 4 } } as const;
    const { task } = await client.call('tasks.create', { name: 'careful', ...ids, operations });
    expect(task.operations).toEqual(operations);
    const { task: plain } = await client.call('tasks.create', { name: 'plain', ...ids });
    expect(plain.operations).toBeUndefined();

    const settings = { replicateRights: true, overrides: { replicaNumber: 2, resourceGroups: ['rg1'] } };
    const told = nextEvent(client, 'tasks.changed', ({ tasks }) => tasks[0]?.operations?.replicateRights === true);
    const changed = await client.call('tasks.operationSettings', { id: task.id, settings });
    expect(changed.task.operations).toEqual(settings);
    await told;
    await client.call('tasks.pause', { id: plain.id });
    const paused = await client.call('tasks.operationSettings', { id: plain.id, settings });
    expect(paused.task.operations).toEqual(settings);
    const { tasks } = await client.call('tasks.list', {});
    expect(tasks.map((one) => one.operations)).toEqual([settings, settings]);

    // Nothing has been read yet.
    for (const { id } of tasks) {
      expect(await client.call('tasks.operations', { id })).toEqual({ operations: [], isCut: false });
    }
    expect(await client.call('tasks.operations', { id: task.id, collectionId: '449' })).toMatchObject({
      operations: [],
    });
    const decision = { operationId: 'log/1', decision: 'apply' } as const;
    expect(await refusalOf(client.call('tasks.decideOperation', { id: task.id, ...decision }))).toMatchObject({
      code: 'notFound',
      message: expect.stringContaining('waits for a decision'),
    });
    expect(await refusalOf(client.call('tasks.decideOperation', { id: plain.id, ...decision }))).toMatchObject({
      code: 'conflict',
    });
    const refusals = await Promise.all([
      refusalOf(client.call('tasks.operations', { id: 'nobody' })),
      refusalOf(client.call('tasks.operationSettings', { id: 'nobody', settings })),
      refusalOf(client.call('tasks.decideOperation', { id: 'nobody', ...decision })),
    ]);
    expect(refusals).toMatchObject(Array.from({ length: 3 }, () => ({ code: 'notFound' })));
    const nonsense = client.call('tasks.operationSettings', {
      id: task.id,
      settings: { overrides: { shardNumber: 65 } },
    });
    expect(await refusalOf(nonsense)).toMatchObject({
      code: 'invalidInput',
      context: { field: 'settings.overrides.shardNumber' },
    });
    const unknown = client.call('tasks.operationSettings', {
      id: task.id,
      settings: { policies: { unknown: 'apply' } },
    });
    expect(await refusalOf(unknown)).toMatchObject({
      code: 'invalidInput',
      message: expect.stringContaining('cannot be applied'),
      context: { field: 'settings.policies.unknown' },
    });
    for (const { id } of tasks) await client.call('tasks.remove', { id });
    for (const { id } of [source, target]) await client.call('connections.remove', { id });
  });

  it('refuses to close gaps by a copy where rows cannot be read', async () => {
    const { etcd, wal } = draft('log only');
    const source = await save({ name: 'log only', etcd, wal });
    const target = await save({ name: 'standby', milvus: { address: '127.0.0.1:2' } });
    const input = { name: 'a', sourceId: source.id, targetId: target.id };
    const refusal = await refusalOf(client.call('tasks.create', { ...input, onGap: 'copy' }));
    expect(refusal).toMatchObject({ code: 'invalidInput', context: { field: 'onGap' } });
    const { task } = await client.call('tasks.create', input);
    const { id } = task;
    expect(await refusalOf(client.call('tasks.gapPolicy', { id, onGap: 'copy' }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'onGap' },
    });
    const recopy = await refusalOf(client.call('tasks.recopy', { id, collectionIds: ['1'] }));
    expect(recopy).toMatchObject({ code: 'conflict', message: expect.stringContaining('Milvus is not known') });
    await client.call('tasks.remove', { id });
    for (const used of [source, target]) await client.call('connections.remove', { id: used.id });
  });

  it('gives orders only to tasks that run, and only about collections and messages that they have', async () => {
    const source = await save(draft('source'));
    const target = await save({ name: 'target', milvus: { address: '127.0.0.1:2' } });
    const blocked = nextEvent(client, 'task.status', ({ status }) => status.state === 'blocked');
    const created = await client.call('tasks.create', { name: 'orders', sourceId: source.id, targetId: target.id });
    const { id } = created.task;
    await blocked;
    expect(await refusalOf(client.call('tasks.retryCollection', { id, collectionId: '7' }))).toMatchObject({
      code: 'notFound',
      context: { field: 'collectionId' },
    });
    expect(await refusalOf(client.call('tasks.recopy', { id, collectionIds: ['7'] }))).toMatchObject({
      code: 'notFound',
      context: { field: 'collectionIds' },
    });
    expect(await client.call('tasks.quarantine', { id })).toEqual({ records: [] });
    const recordId = 'nothing';
    expect(await refusalOf(client.call('tasks.quarantineRecord', { id, recordId }))).toMatchObject({
      code: 'notFound',
    });
    expect(await refusalOf(client.call('tasks.skipRecord', { id, recordId, reason: 'wrong' }))).toMatchObject({
      code: 'notFound',
    });
    expect(await refusalOf(client.call('tasks.skipRecord', { id, recordId, reason: ' ' }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'reason' },
    });
    expect(await refusalOf(client.call('tasks.retryCollection', { id, collectionId: 'x' }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'collectionId' },
    });

    const paused = nextEvent(client, 'task.status', ({ status }) => status.state === 'paused');
    await client.call('tasks.pause', { id });
    await paused;
    const refusals = await Promise.all([
      refusalOf(client.call('tasks.retryCollection', { id, collectionId: '7' })),
      refusalOf(client.call('tasks.recopy', { id, collectionIds: ['7'] })),
      refusalOf(client.call('tasks.quarantineRecord', { id, recordId })),
      refusalOf(client.call('tasks.skipRecord', { id, recordId, reason: 'wrong' })),
    ]);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        code: 'conflict',
        message: 'orders does not run, so nothing can be done in it.',
        hint: 'Resume it first.',
      });
    }
    expect(await client.call('tasks.quarantine', { id })).toEqual({ records: [] });
    expect(await refusalOf(client.call('tasks.quarantine', { id: 'nobody' }))).toMatchObject({ code: 'notFound' });
    await client.call('tasks.remove', { id });
    for (const used of [source, target]) await client.call('connections.remove', { id: used.id });
  });

  it('looks how far back the log of a source goes, and says why it cannot', async () => {
    const source = await save(draft('source'));
    const target = await save({ name: 'target', milvus: { address: '127.0.0.1:2' } });
    const unreachable = await refusalOf(client.call('connections.oldestKept', { sourceId: source.id }));
    expect(unreachable).toMatchObject({ code: 'unreachable', side: 'wal' });
    expect(JSON.stringify(unreachable)).not.toContain(SECRET);
    expect(await refusalOf(client.call('connections.oldestKept', { sourceId: target.id }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'sourceId' },
    });
    for (const { id } of [source, target]) await client.call('connections.remove', { id });
  });

  it('refuses a task from a cluster into itself, from what can be no source, and of what is not there', async () => {
    const whole = await save(draft('whole'));
    const target = await save({ name: 'only a target', milvus: { address: '127.0.0.1:2' } });
    const create = (sourceId: string, targetId: string) =>
      client.call('tasks.create', { name: 'x', sourceId, targetId });
    expect(await refusalOf(create(whole.id, whole.id))).toMatchObject({ context: { field: 'targetId' } });
    expect(await refusalOf(create(target.id, whole.id))).toMatchObject({ context: { field: 'sourceId' } });
    expect(await refusalOf(create('nobody', whole.id))).toMatchObject({ code: 'notFound' });
    expect(await refusalOf(client.call('tasks.pause', { id: 'nobody' }))).toMatchObject({ code: 'notFound' });
    expect(await refusalOf(client.call('tasks.remove', { id: 'nobody' }))).toMatchObject({ code: 'notFound' });
    for (const used of [whole, target]) await client.call('connections.remove', { id: used.id });
  });

  it('has no lab and no drill until somebody asks for them, and ending what is not there does nothing', async () => {
    const absent = { lab: { state: 'absent' } };
    expect(await client.call('lab.get', {})).toEqual(absent);
    expect(await client.call('lab.stop', {})).toEqual(absent);
    const idle = { drill: { state: 'idle', steps: [] } };
    expect(await client.call('drill.get', {})).toEqual(idle);
    expect(await client.call('drill.cancel', {})).toEqual(idle);
    expect(await refusalOf(client.call('drill.start', { rows: 1 }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'rows' },
    });
  });

  it('refuses a drill on Kafka where Java is missing, in a sentence that says what to do, and begins nothing', async () => {
    const refusal = await refusalOf(client.call('drill.start', { wal: 'kafka' }));
    expect(refusal).toMatchObject({
      code: 'prerequisiteMissing',
      side: 'lab',
      hint: expect.stringContaining('Install'),
    });
    expect(refusal.message).toMatch(/^The lab's Kafka needs Java 17, and the command \S+ was not found\. Install /);
    expect(await client.call('drill.get', {})).toEqual({ drill: { state: 'idle', steps: [] } });
    expect(await refusalOf(client.call('drill.start', { wal: 'pulsar' as never }))).toMatchObject({
      code: 'invalidInput',
      context: { field: 'wal' },
    });
  });

  it('refuses payloads that do not fit and procedures that are not there, naming the field and never the value', async () => {
    const misfit = await refusalOf(
      client.call('connections.save', { ...draft('x'), milvus: { address: NOWHERE, pass: SECRET } as never }),
    );
    expect(misfit).toMatchObject({ code: 'invalidInput', context: { field: 'milvus' }, hint: expect.any(String) });
    expect(JSON.stringify(misfit)).not.toContain(SECRET);
    const deep = await refusalOf(
      client.call('connections.save', { ...draft('x'), wal: { kind: 'nats', servers: [NOWHERE, ''] } }),
    );
    expect(deep).toMatchObject({ code: 'invalidInput', context: { field: 'wal.servers[1]' } });
    const calls = client as unknown as { call: (name: string, input: unknown) => Promise<unknown> };
    expect(await refusalOf(calls.call('tasks.explode', {}))).toMatchObject({ code: 'unknownProcedure' });
    expect(await refusalOf(calls.call('__proto__', {}))).toMatchObject({ code: 'unknownProcedure' });
    expect(await refusalOf(calls.call('tasks.list', []))).toMatchObject({ code: 'invalidInput' });
  });

  it('tells events in the order of their causes', async () => {
    const names: string[][] = [];
    const off = client.on('connections.changed', ({ connections }) => names.push(connections.map(({ name }) => name)));
    const last = nextEvent(client, 'connections.changed', ({ connections }) => connections.length === 3);
    const saved = [];
    for (const name of ['a', 'b', 'c']) saved.push(await save(draft(name)));
    await last;
    off();
    expect(names).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c']]);
    for (const { id } of saved) await client.call('connections.remove', { id });
  });

  it('leaves no secret in clear in its folder, its output or its errors', async () => {
    const { id } = await save(draft('secretive'));
    for (const name of await readdir(directory.path, { recursive: true })) {
      const content = await readFile(join(directory.path, name)).catch(() => Buffer.alloc(0));
      expect(content.includes(SECRET), name).toBe(false);
    }
    expect(core.lines.join('\n')).not.toContain(SECRET);
    await client.call('connections.remove', { id });
  });
});

describe('one data folder', () => {
  it('serves the desktop and the browser in turn, and a pause survives', async () => {
    await using directory = await temporaryDataDirectory();
    let id: string;
    {
      await using core = await startIpcCore(directory.path);
      const source = (await core.client.call('connections.save', draft('s'))).connection;
      const target = (await core.client.call('connections.save', { name: 't', milvus: { address: '127.0.0.1:2' } }))
        .connection;
      const blocked = nextEvent(core.client, 'task.status', ({ status }) => status.state === 'blocked');
      const created = await core.client.call('tasks.create', { name: 'x', sourceId: source.id, targetId: target.id });
      id = created.task.id;
      await blocked;
      const paused = nextEvent(core.client, 'task.status', ({ status }) => status.state === 'paused');
      await core.client.call('tasks.pause', { id });
      await paused;
      expect(await core.stop()).toBe(0);
    }
    await using core = await startHttpCore(directory.path);
    const { tasks } = await core.client.call('tasks.list', {});
    expect(tasks).toMatchObject([{ id, desired: 'paused', status: { state: 'paused' } }]);
    expect(await core.stop()).toBe(0);
  });

  it('is served by one core at a time, and a killed one does not stand in the way', async () => {
    await using directory = await temporaryDataDirectory();
    await using first = await startHttpCore(directory.path);
    await expect(startIpcCore(directory.path)).rejects.toThrow(/served by process \d+ already/);
    await first.kill();
    await using second = await startIpcCore(directory.path);
    expect(await second.client.call('tasks.list', {})).toEqual({ tasks: [] });
    await second.stop();
  });

  it('can be encrypted with a key that the window hands over, and then only with that', async () => {
    await using directory = await temporaryDataDirectory();
    const key = Buffer.alloc(32, 7).toString('base64');
    {
      await using core = await startIpcCore(directory.path, key);
      expect((await core.client.call('system.info', {})).secrets).toBe('wrapped');
      await core.client.call('connections.save', draft('s'));
      await core.stop();
    }
    await expect(startIpcCore(directory.path, Buffer.alloc(32, 8).toString('base64'))).rejects.toThrow(
      /key does not belong to the store/,
    );
    await expect(startIpcCore(directory.path)).rejects.toThrow(/key file .* is missing/);
    await using core = await startIpcCore(directory.path, key);
    expect((await core.client.call('connections.list', {})).connections).toHaveLength(1);
    await core.stop();
  });
});
