/**
 * Records a store of the present format for the tests: `node test/support/record-store.ts`. One file for each format
 * that was ever released; a file is not recorded again once its format is.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../electron/core/store/sqlite-task-store.ts';
import { asTaskId } from '../../shared/model/ids.ts';
import { fillStore } from './store-samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'lifeline-record-'));
const file = join(folder, 'lifeline.db');
const database = openDatabase(file);
fillStore(new SqliteTaskStore(database, asTaskId('recorded')));
// Small pages and no log beside it, so that one small file holds all.
database.exec('PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM;');
const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
database.close();
copyFileSync(file, join(import.meta.dirname, '..', 'unit', 'core', 'store', `format-${version}.db`));
rmSync(folder, { recursive: true });
