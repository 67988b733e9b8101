import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataKey } from '../../../../electron/core/store/data-key.ts';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { openStore } from '../../../../electron/core/store/open-store.ts';
import { readPrivateFile } from '../../../../electron/core/store/private-file.ts';
import { SecretBox } from '../../../../electron/core/store/secret-box.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { STORE_FILE } from '../../../../shared/contract/desktop.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import { fillStore } from '../../../support/store-samples.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lifeline-secrets-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const key = (fill: number): Buffer => Buffer.alloc(32, fill);

describe('a secret box', () => {
  const box = new SecretBox(key(1));

  it('gives back what it sealed, and never seals twice alike', () => {
    const first = box.seal('connection:a', 'geheim ü');
    expect(box.open('connection:a', first)).toBe('geheim ü');
    expect(Buffer.from(first).equals(Buffer.from(box.seal('connection:a', 'geheim ü')))).toBe(false);
    expect(Buffer.from(first).includes('geheim')).toBe(false);
  });

  it('does not open a record that stands in another one’s place', () => {
    expect(() => box.open('connection:b', box.seal('connection:a', 'x'))).toThrow(/cannot be opened/);
  });

  it('does not open with another key', () => {
    expect(() => new SecretBox(key(2)).open('a', box.seal('a', 'x'))).toThrow(/cannot be opened/);
  });

  it('does not open what was changed, cut, or written in a format it does not know', () => {
    const sealed = Buffer.from(box.seal('a', 'some text'));
    for (const at of [1, 13, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => box.open('a', changed)).toThrow(/cannot be opened/);
    }
    expect(() => box.open('a', sealed.subarray(0, 20))).toThrow(/cannot be opened/);
    expect(() => box.open('a', Buffer.alloc(0))).toThrow(/cannot be opened/);
    sealed[0] = 2;
    expect(() => box.open('a', sealed)).toThrow(/cannot be opened/);
  });
});

describe('the data key', () => {
  const file = (): string => join(directory, 'key');

  it('is made once, for its owner only, and found again', () => {
    const made = openDataKey(directory, { hasSecrets: false });
    expect(made.kept).toBe('keyFile');
    expect(made.key).toHaveLength(32);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(openDataKey(directory, { hasSecrets: true })).toEqual(made);
  });

  it.each([0o640, 0o604, 0o660])('is refused when others may use its file (%o)', (mode) => {
    openDataKey(directory, { hasSecrets: false });
    chmodSync(file(), mode);
    expect(() => openDataKey(directory, { hasSecrets: true })).toThrow(/may be used by others.*chmod 600/);
  });

  it('is refused when its file belongs to somebody else', () => {
    // Only root can give a file away; for anybody else a file of root's is somebody else's.
    const foreign = process.getuid?.() === 0 ? file() : '/etc/passwd';
    if (foreign === file()) {
      openDataKey(directory, { hasSecrets: false });
      chownSync(foreign, 65_534, 65_534);
    }
    expect(() => readPrivateFile(foreign, 'key file')).toThrow(/belongs to another user/);
  });

  it('is not read through a link', () => {
    writeFileSync(join(directory, 'elsewhere'), key(1).toString('base64'), { mode: 0o600 });
    symlinkSync(join(directory, 'elsewhere'), file());
    expect(() => openDataKey(directory, { hasSecrets: false })).toThrow(/cannot be read/);
  });

  it('is refused when it has another length', () => {
    writeFileSync(file(), 'c2hvcnQ=\n', { mode: 0o600 });
    expect(() => openDataKey(directory, { hasSecrets: false })).toThrow(/holds no key of 32 bytes/);
  });

  it('is the one that the window hands over, and then makes no file', () => {
    const opened = openDataKey(directory, { handedOver: key(3).toString('base64'), hasSecrets: true });
    expect(opened).toEqual({ key: key(3), kept: 'wrapped' });
    expect(existsSync(file())).toBe(false);
  });

  it('says how to go on without the window when only the window can open it', () => {
    writeFileSync(join(directory, 'key.wrapped'), 'x');
    expect(() => openDataKey(directory, { hasSecrets: false })).toThrow(/only the window can open.*Export Data Key/);
    writeFileSync(file(), key(4).toString('base64'), { mode: 0o600 });
    expect(openDataKey(directory, { hasSecrets: true }).key).toEqual(key(4));
  });

  it('is never made anew over secrets that only the lost one opens', () => {
    expect(() => openDataKey(directory, { hasSecrets: true })).toThrow(/is missing.*Bring it back/);
    expect(existsSync(file())).toBe(false);
  });
});

/** Of every table that holds something of a task: of which tasks. */
function tasksByTable(database: DatabaseSync): Record<string, string[]> {
  const tables = database
    .prepare(
      "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'task_id'",
    )
    .all()
    .map((row) => String(row['name']));
  const ids = (table: string): string[] =>
    database
      .prepare(`SELECT DISTINCT task_id FROM ${table} ORDER BY task_id`)
      .all()
      .map((row) => String(row['task_id']));
  return Object.fromEntries(tables.map((table) => [table, ids(table)]));
}

describe('the store', () => {
  const connection = (id: string) => ({
    id,
    name: id,
    isLab: false,
    parts: { milvus: { address: 'a:1' } },
    secrets: { 'milvus.password': 'hunter2' },
  });

  it('keeps connections across openings, their secrets in no file', () => {
    {
      using store = openStore(directory);
      store.connections.put(connection('a'));
      expect(readFileSync(join(directory, 'lifeline.sqlite-wal')).includes('hunter2')).toBe(false);
    }
    using store = openStore(directory);
    expect(store.connections.list()).toEqual([connection('a')]);
    expect(readFileSync(join(directory, 'lifeline.sqlite')).includes('hunter2')).toBe(false);
  });

  it('refuses another key and stays usable with its own', () => {
    openStore(directory)[Symbol.dispose]();
    expect(() => openStore(directory, key(9).toString('base64'))).toThrow(/does not belong to the store/);
    openStore(directory)[Symbol.dispose]();
  });

  it('is opened by one at a time', () => {
    const first = openStore(directory);
    expect(() => openStore(directory)).toThrow(`served by process ${process.pid} already`);
    first[Symbol.dispose]();
    openStore(directory)[Symbol.dispose]();
  });

  it('removes a protection with all that the engine knows of it, and nothing of another', () => {
    using store = openStore(directory);
    store.connections.put(connection('a'));
    const protection = (id: string) => ({
      id,
      name: id,
      sourceId: 'a',
      targetId: 'a',
      desired: 'running' as const,
      start: { kind: 'copy', mayLoad: true } as const,
      createdAt: 1,
      pausedAt: undefined,
      lastStatus: undefined,
    });
    store.protections.add(protection('gone'));
    store.protections.add(protection('kept'));
    store.protections.setDesired('kept', 'paused', 5);
    expect(() => store.connections.remove('a')).toThrow(/FOREIGN KEY/);
    using database = openDatabase(join(directory, STORE_FILE));
    for (const id of ['gone', 'kept']) fillStore(new SqliteTaskStore(database, asTaskId(id)));
    const before = tasksByTable(database);
    expect(before).toMatchObject({ task: ['gone', 'kept'], made_database: ['gone', 'kept'] });
    store.protections.remove('gone');
    expect(tasksByTable(database)).toEqual(
      Object.fromEntries(Object.entries(before).map(([table, ids]) => [table, ids.filter((id) => id === 'kept')])),
    );
    expect(store.protections.list()).toEqual([{ ...protection('kept'), desired: 'paused', pausedAt: 5 }]);
  });
});
