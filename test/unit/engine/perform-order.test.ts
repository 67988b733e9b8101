import { expect, it } from 'vitest';
import { performOrder, type OrderedEngine } from '../../../electron/engine/perform-order.ts';
import { EVERYTHING } from '../../../shared/model/selection.ts';
import type { QuarantinedRecord } from '../../../shared/model/quarantine.ts';

const record: QuarantinedRecord = {
  id: 'dml_0:12',
  collectionId: '470658247834468382',
  database: 'shop',
  collection: 'orders',
  vchannel: 'dml_0_470658247834468382v0',
  channel: 'dml_0',
  ordinal: '12',
  tickMs: 1_795_440_000_000,
  kind: 'malformed',
  byteCount: 5,
  rowCount: 0,
  cause: { code: 'malformedMessage', side: 'wal', message: 'It is cut off.', context: {}, causes: [] },
  since: 1_795_440_001_000,
};

function fakeEngine() {
  const calls: unknown[] = [];
  // A view of a larger buffer, as a slice of a message is.
  const bytes = new Uint8Array(Uint8Array.of(9, 9, 1, 2, 3, 4, 5, 9).buffer, 2, 5);
  const engine: OrderedEngine = {
    retry: async (id) => void calls.push(['retry', id]),
    recopy: async (ids) => void calls.push(['recopy', ids]),
    setCopyBudget: (budget) => void calls.push(['setCopyBudget', budget]),
    select: async (selection) => void calls.push(['select', selection]),
    setOperationSettings: (settings) => calls.push(['setOperationSettings', settings]),
    decideOperation: (id, decision) => calls.push(['decideOperation', id, decision]),
    quarantine: () => [record],
    quarantinedBytes: () => bytes,
    skip: async (id, reason) => void calls.push(['skip', id, reason]),
  };
  return { engine, calls };
}

it('hands each order to the engine with its 64-bit ids whole', async () => {
  const { engine, calls } = fakeEngine();
  const nothing = (): undefined => undefined;
  const id = '470658247834468382';
  await performOrder(engine, { name: 'retry', input: { collectionId: id } }, nothing);
  await performOrder(engine, { name: 'recopy', input: { collectionIds: [id, '7'] } }, nothing);
  await performOrder(engine, { name: 'setCopyBudget', input: { budget: { rowsPerSecond: 5 } } }, nothing);
  await performOrder(engine, { name: 'select', input: { selection: EVERYTHING } }, nothing);
  await performOrder(engine, { name: 'skip', input: { recordId: record.id, reason: 'sent by mistake' } }, nothing);
  expect(calls).toEqual([
    ['retry', 470658247834468382n],
    ['recopy', [470658247834468382n, 7n]],
    ['setCopyBudget', { rowsPerSecond: 5 }],
    ['select', EVERYTHING],
    ['skip', record.id, 'sent by mistake'],
  ]);
});

it('gives as many bytes of a message as were asked for, in a buffer of their own', async () => {
  const { engine } = fakeEngine();
  const asked: bigint[] = [];
  const schemaOf = (id: bigint): undefined => void asked.push(id);
  const input = { recordId: record.id, bytesMax: 3 };
  const content = await performOrder(engine, { name: 'quarantinedRecord', input }, schemaOf);
  expect(content).toMatchObject({ bytes: Uint8Array.of(1, 2, 3), isCut: true, summary: { kind: 'malformed' } });
  expect((content as { bytes: Uint8Array }).bytes.buffer.byteLength).toBe(3);
  expect(asked).toEqual([470658247834468382n]);
  const whole = await performOrder(engine, { name: 'quarantinedRecord', input: { ...input, bytesMax: 5 } }, schemaOf);
  expect(whole).toMatchObject({ isCut: false });
});

it('refuses a message that is not there any more', async () => {
  const { engine } = fakeEngine();
  const order = { name: 'quarantinedRecord', input: { recordId: 'gone', bytesMax: 3 } } as const;
  await expect(performOrder(engine, order, () => undefined)).rejects.toMatchObject({ code: 'notFound' });
});
