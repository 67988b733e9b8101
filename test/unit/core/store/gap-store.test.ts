import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import type { Gap } from '../../../../shared/model/task-history.ts';

const gap: Gap = {
  ...{ channel: 'dml_0', vchannel: 'dml_0_1v0', collectionId: '1', database: 'shop', collection: 'orders' },
  reason: 'removed',
  from: { ordinal: '20', tick: '5', ms: 1 },
  to: { ordinal: '50' },
  foundAt: 7,
};

test('a gap stays in the history of its task, once however often it is found', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-gaps-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  using database = openDatabase(join(folder, 'lifeline.db'));
  const store = (name: string): SqliteTaskStore => {
    const made = new SqliteTaskStore(database, asTaskId(name));
    const source = { etcdClusterId: 'e', rootPath: 'by-dev', walKind: 'nats', walIdentity: 'w' };
    made.begin({ source, channels: [], collections: [], shards: [], scope: {}, imports: [] });
    return made;
  };
  const [orders, other] = [store('orders'), store('other')];
  orders.recordGap(gap);
  orders.recordGap({ ...gap, foundAt: 8 });
  const later = { ...gap, from: { ...gap.from, ordinal: '90' }, foundAt: 9 };
  orders.recordGap(later);
  expect(orders.gaps()).toEqual([gap, later]);
  expect(other.gaps()).toEqual([]);
});
