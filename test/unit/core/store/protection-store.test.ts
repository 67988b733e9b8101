import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ConnectionStore } from '../../../../electron/core/store/connection-store.ts';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { ProtectionStore, type StoredProtection } from '../../../../electron/core/store/protection-store.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { SecretBox } from '../../../../electron/core/store/secret-box.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import type { QuarantinedRecord } from '../../../../shared/model/quarantine.ts';
import { FIRST_STATE } from '../../../support/store-samples.ts';

const record = (id: string, since: number): QuarantinedRecord => ({
  id,
  collectionId: '7',
  database: 'shop',
  collection: 'orders',
  vchannel: 'dml_0_7v0',
  channel: 'dml_0',
  ordinal: '12',
  tickMs: 1,
  kind: 'insert',
  byteCount: 5,
  rowCount: 2,
  cause: { code: 'invalidRequest', side: 'target', message: 'No.', context: {}, causes: [] },
  since,
});

const folder = mkdtempSync(join(tmpdir(), 'lifeline-protections-'));
afterAll(() => rmSync(folder, { recursive: true }));

const protection: StoredProtection = {
  id: 'orders',
  name: 'Orders',
  sourceId: 'a',
  targetId: 'b',
  desired: 'running',
  start: { kind: 'now' },
  createdAt: 1,
  pausedAt: undefined,
  lastStatus: undefined,
};

it('keeps what copies may take and what follows a gap, and what was never said stays unsaid', () => {
  using database = openDatabase(join(folder, 'lifeline.db'));
  const connections = new ConnectionStore(database, new SecretBox(Buffer.alloc(32)));
  for (const id of ['a', 'b']) connections.put({ id, name: id, isLab: false, parts: {}, secrets: {} });
  const store = new ProtectionStore(database);
  store.add(protection);
  expect(store.get('orders')).toMatchObject({ onGap: undefined, copyBudget: undefined });
  store.setGapPolicy('orders', 'copy');
  store.setCopyBudget('orders', { rowsPerSecond: 500, collectionsAtOnce: 1 });
  expect(store.get('orders')).toMatchObject({
    onGap: 'copy',
    copyBudget: { rowsPerSecond: 500, collectionsAtOnce: 1 },
  });
  const limited = {
    ...protection,
    id: 'limited',
    name: 'Limited',
    onGap: 'hold',
    copyBudget: {},
    createdAt: 2,
  } as const;
  store.add(limited);
  expect(store.list()[1]).toEqual(limited);
  store.setOperationSettings('orders', { policies: { unknown: 'apply' } });
  expect(store.get('orders')?.operations).toEqual({ policies: { unknown: 'ask' } });
});

it('shows what the engine has recorded of gaps and quarantined messages, the newest first, until the protection goes', () => {
  using database = openDatabase(join(folder, 'records.db'));
  const store = new ProtectionStore(database);
  const engine = new SqliteTaskStore(database, asTaskId('orders'));
  engine.begin(FIRST_STATE);
  const gap = {
    channel: 'dml_0',
    vchannel: 'dml_0_7v0',
    collectionId: '7',
    database: 'shop',
    collection: 'orders',
    reason: 'removed' as const,
    from: { ordinal: '12', tick: '0' },
    foundAt: 5,
  };
  engine.recordGap(gap);
  engine.recordGap({ ...gap, from: { ordinal: '90', tick: '0' }, foundAt: 6 });
  engine.addQuarantined(record('first', 1), Uint8Array.of(1));
  engine.addQuarantined(record('second', 2), Uint8Array.of(2));
  const decision = { kind: 'skip' as const, reason: 'sent by mistake', at: 9 };
  engine.decideQuarantined('first', decision);
  expect(store.gaps('orders').map(({ foundAt }) => foundAt)).toEqual([6, 5]);
  expect(store.quarantine('orders')).toEqual([record('second', 2), { ...record('first', 1), decision }]);
  expect(store.quarantine('others')).toEqual([]);
  store.remove('orders');
  expect(store.gaps('orders')).toEqual([]);
  expect(store.quarantine('orders')).toEqual([]);
});
