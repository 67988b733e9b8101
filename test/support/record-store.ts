/**
 * Records a store of the present format for the tests: `node test/support/record-store.ts`. One file for each format
 * that was ever released; a file is not recorded again once its format is.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../electron/core/store/sqlite-task-store.ts';
import { asTaskId } from '../../shared/model/ids.ts';
import { dumpStore } from './store-dump.ts';
import { fillCopies, fillOperatorTables, fillRun, fillStore } from './store-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'lifeline-record-'));
{
  using database = openDatabase(join(folder, 'lifeline.db'));
  const store = new SqliteTaskStore(database, asTaskId('recorded'));
  fillStore(store);
  fillCopies(store);
  fillRun(store);
  fillOperatorTables(database);
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  writeFileSync(join(import.meta.dirname, '..', 'unit', 'core', 'store', `format-${version}.sql`), dumpStore(database));
}
rmSync(folder, { recursive: true });
