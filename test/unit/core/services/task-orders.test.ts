import { expect, it } from 'vitest';
import { TaskOrders, type OrderedTask } from '../../../../electron/core/services/task-orders.ts';
import type { TaskOrders as Orders } from '../../../../electron/engine/host/task-messages.ts';
import type { QuarantinedRecord } from '../../../../shared/model/quarantine.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { quarantinedRecordViewSchema } from '../../../../shared/contract/task-procedures.ts';
import type { TaskStatus } from '../../../../shared/model/task-status.ts';

const record = (id: string, since: number): QuarantinedRecord => ({
  id,
  collectionId: '7',
  database: 'shop',
  collection: 'orders',
  vchannel: 'dml_0_7v0',
  channel: 'dml_0',
  ordinal: '12',
  tickMs: 1_795_440_000_000,
  kind: 'insert',
  byteCount: 5,
  rowCount: 2,
  cause: new ReplicationError('invalidRequest', 'target', 'The target refuses it.').toData(),
  since,
});

function started(parts: Partial<OrderedTask> = {}, refusal?: Error) {
  const calls: [string, unknown][] = [];
  const answers: { [N in keyof Orders]?: ReturnType<Orders[N]> } = {
    quarantinedRecord: { bytes: Uint8Array.of(255, 0, 1), isCut: true, summary: { kind: 'insert' } },
  };
  const host: OrderedTask['host'] = {
    isRunning: true,
    status: { collections: [{ id: '7' }, { id: '8' }] } as unknown as TaskStatus,
    order: async (name, input) => {
      calls.push([name, input]);
      if (refusal !== undefined) throw refusal;
      return answers[name] as never;
    },
  };
  const task: OrderedTask = { name: 'orders', host, canReadRows: true, ...parts };
  return {
    calls,
    orders: new TaskOrders({ find: () => task, quarantineOf: () => [record('new', 2), record('old', 1)] }),
  };
}

it('tells the task what was asked, each collection once', async () => {
  const { orders, calls } = started();
  await orders.retryCollection('orders', '7');
  await orders.recopy('orders', ['7', '8', '7']);
  await orders.skipRecord('orders', 'new', 'sent by mistake');
  expect(calls).toEqual([
    ['retry', { collectionId: '7' }],
    ['recopy', { collectionIds: ['7', '8'] }],
    ['skip', { recordId: 'new', reason: 'sent by mistake' }],
  ]);
});

it('shows quarantined messages with what to do, as the contract has them, also while the task does not run', () => {
  const { orders } = started({ host: undefined });
  const records = orders.quarantine('orders');
  expect(records.map(({ id }) => id)).toEqual(['new', 'old']);
  expect(records[0]?.hint).toContain('Compare the schema');
  for (const one of records) expect(quarantinedRecordViewSchema.parse(one)).toEqual(one);
});

it('shows one with its bytes', async () => {
  const { orders, calls } = started();
  const content = await orders.quarantineRecord('orders', 'new');
  expect(content).toMatchObject({ record: { id: 'new' }, bytes: '/wAB', isCut: true, summary: { kind: 'insert' } });
  expect(calls.at(-1)).toEqual(['quarantinedRecord', { recordId: 'new', bytesMax: 65_536 }]);
  await expect(orders.quarantineRecord('orders', 'decided meanwhile')).rejects.toMatchObject({ code: 'notFound' });
});

it('asks nothing of a task that does not run, or about what it does not have', async () => {
  const paused = started({ host: undefined }).orders;
  await expect(paused.retryCollection('orders', '7')).rejects.toMatchObject({ code: 'conflict' });
  await expect(paused.quarantineRecord('orders', 'new')).rejects.toMatchObject({ hint: 'Resume it first.' });
  const { orders, calls } = started();
  await expect(orders.recopy('orders', ['7', '9'])).rejects.toMatchObject({
    code: 'notFound',
    context: { field: 'collectionIds' },
  });
  const blind = started({ canReadRows: false }).orders;
  await expect(blind.recopy('orders', ['7'])).rejects.toMatchObject({ code: 'conflict' });
  expect(calls).toEqual([]);
});

it('passes on what the engine refuses', async () => {
  const { orders } = started({}, new ReplicationError('notFound', 'internal', 'There is no such message.'));
  await expect(orders.skipRecord('orders', 'gone', 'x')).rejects.toMatchObject({
    message: 'There is no such message.',
  });
});
