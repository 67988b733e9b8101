/** Every format that was ever released is brought up to date with all that it held; a newer one is left alone. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { ProtectionStore } from '../../../../electron/core/store/protection-store.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import { contentOf, restoreStore } from '../../../support/store-dump.ts';
import { COLLECTION, SHARD, TICK } from '../../../support/store-samples.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-migrations-'));
  file = join(folder, 'lifeline.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const recorded = readdirSync(import.meta.dirname).filter((name) => /^format-\d+\.sql$/.test(name));
const sqlOf = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');
const versionOf = (database: DatabaseSync): number =>
  Number(database.prepare('PRAGMA user_version').get()?.['user_version']);

const newest = (): number => {
  using database = openDatabase(join(folder, 'new.db'));
  return versionOf(database);
};

test('at least the last five formats are recorded, the present one among them', () => {
  expect(recorded.length).toBeGreaterThanOrEqual(5);
  expect(recorded).toContain(`format-${newest()}.sql`);
});

test.each(recorded)('%s is brought up to date with its content intact', (name) => {
  restoreStore(file, sqlOf(name));
  using raw = new DatabaseSync(file, { readOnly: true });
  const before = contentOf(raw);
  raw.close();
  using opened = openDatabase(file);
  expect(versionOf(opened)).toBe(newest());
  const after = contentOf(opened);
  for (const [table, rows] of before) {
    expect(after.get(table), table).toEqual(rows.map((row): unknown => expect.objectContaining(row)));
  }
  expect(opened.prepare('PRAGMA foreign_key_check').all()).toEqual([]);

  const format = Number(/\d+/.exec(name));
  const store = new SqliteTaskStore(opened, asTaskId('recorded'));
  const task = store.load();
  const knowsTarget = format >= 5;
  expect(task).toMatchObject({
    epoch: knowsTarget ? 2 : 1,
    databases: ['shop'],
    run: knowsTarget ? { id: 'run-1' } : undefined,
    marker: knowsTarget ? { sent: 12n, confirmed: 11n, runIds: ['run-1'] } : undefined,
  });
  expect(task?.collections.find(({ id }) => id === COLLECTION)).toMatchObject({
    targetId: 9_007_199_254_740_993n,
    targetCreateTick: knowsTarget ? TICK + 100n : undefined,
    doubt: knowsTarget ? { code: 'targetChanged', message: 'The target was put back.' } : undefined,
  });
  // And a run can go on with it.
  store.takeLease({ id: 'a', host: 'here', folder, pid: 1, began: 1 });
  const shards = new Map([
    [SHARD, { resume: { kind: 'at', ordinal: 21n, incarnation: '2026-11-23T06:00:00.123456789Z' }, tick: TICK + 9n }],
  ]);
  store.saveCheckpoints((task?.epoch ?? 0) + 1, { shards: shards as never, channels: new Map() });
  if (format >= 3) {
    expect(store.copyProgress(task?.collections[1]?.id ?? COLLECTION)).toHaveLength(2);
    expect(new ProtectionStore(opened).get('recorded')).toMatchObject({ name: 'Shop', desired: 'paused' });
  }
});

test.each(recorded)('%s is as it was when its migration fails half-way', (name) => {
  if (name === `format-${newest()}.sql`) return;
  restoreStore(file, sqlOf(name));
  {
    using database = new DatabaseSync(file);
    // The steps are one transaction: what one of them meets in its way undoes those before it.
    database.exec('CREATE TABLE gap (x)');
  }
  using raw = new DatabaseSync(file, { readOnly: true });
  const before = contentOf(raw);
  raw.close();
  expect(() => openDatabase(file)).toThrow(/table gap already exists/);
  using after = new DatabaseSync(file, { readOnly: true });
  expect(contentOf(after)).toEqual(before);
  expect(versionOf(after)).toBe(Number(/\d+/.exec(name)));
});

test.each([
  ['closed in order', 'DELETE'],
  ['in use until a crash', 'WAL'],
])('a file of a newer version, %s, is refused and byte for byte the same afterwards', (_what, mode) => {
  restoreStore(file, sqlOf(`format-${newest()}.sql`));
  const newer = new DatabaseSync(file);
  newer.exec(`PRAGMA journal_mode = ${mode}; PRAGMA user_version = 99; UPDATE task SET epoch = 77;`);
  // Of a crashed program its log is left; here it is still open.
  if (mode === 'DELETE') newer.close();
  const bytes = (): Buffer[] =>
    readdirSync(folder)
      .filter((name) => name !== 'new.db' && !name.startsWith('new.db') && !name.endsWith('-shm'))
      .map((name) => readFileSync(join(folder, name)));
  const before = bytes();
  expect(() => openDatabase(file)).toThrow(
    /was written by a newer version of Lifeline \(format 99, this version knows \d+\)\. It was left untouched/,
  );
  expect(bytes()).toEqual(before);
  if (newer.isOpen) newer.close();
});
