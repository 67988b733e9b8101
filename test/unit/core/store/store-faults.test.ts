/**
 * A store whose disk is full, that may only be read, or that is damaged: one sentence that names file and cause, nothing is
 * damaged further, and it goes on once the cause is mended. Full and read-only disks are real ones where this user may mount.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import { contentOf } from '../../../support/store-dump.ts';
import { checkpointAt, FIRST_STATE, fillCopies, fillStore, SHARD, TICK } from '../../../support/store-samples.ts';

const mayMount = process.platform === 'linux' && process.getuid?.() === 0;

let folder: string;
let file: string;
let database: DatabaseSync | undefined;
const mounted: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-faults-'));
  file = join(folder, 'lifeline.db');
});
afterEach(() => {
  if (database?.isOpen === true) database.close();
  database = undefined;
  for (const place of mounted.splice(0)) execFileSync('umount', [place]);
  rmSync(folder, { recursive: true, force: true });
});

function open(): SqliteTaskStore {
  database = openDatabase(file);
  return new SqliteTaskStore(database, asTaskId('one'));
}

const content = (): unknown => (database === undefined ? undefined : contentOf(database));
const save = (store: SqliteTaskStore, step: bigint): void =>
  store.saveCheckpoints(1, { shards: new Map([[SHARD, checkpointAt(5n + step, TICK + step)]]), channels: new Map() });
/** Larger than what is left of any page. */
const addMuch = (store: SqliteTaskStore, name: string): void => store.addDatabase(name.repeat(40_000));

/** A small disk of its own. */
function mountSmall(): string {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]);
  mounted.push(folder);
  return folder;
}

/** Takes all the room there is. */
function fill(place: string): string {
  const filler = join(place, 'filler');
  for (const bytes of [1 << 16, 1 << 12, 1]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  return filler;
}

describe('a full disk', () => {
  test('is said with the file and what to do; what was stored stays, and it goes on when there is room', () => {
    const store = open();
    store.begin(FIRST_STATE);
    const pages = Number(database?.prepare('PRAGMA page_count').get()?.['page_count']);
    database?.exec(`PRAGMA max_page_count = ${pages}`);
    const before = content();
    expect(() => addMuch(store, 'x')).toThrow(
      expect.objectContaining({
        code: 'storeFull',
        side: 'store',
        message: `The store could not record a database in ${file}: its disk is full. Make room there; it goes on by itself, at its last checkpoint.`,
      }),
    );
    expect(content()).toEqual(before);
    database?.exec('PRAGMA max_page_count = 100000');
    addMuch(store, 'x');
    save(store, 1n);
  });

  test.runIf(mayMount)(
    'of its own is met at every kind of write, and at the next start, and left behind unharmed',
    () => {
      const place = mountSmall();
      const store = open();
      store.begin(FIRST_STATE);
      save(store, 1n);
      const filler = fill(place);
      const before = content();
      const full = expect.objectContaining({ code: 'storeFull', message: expect.stringContaining(file) });
      // The log beside the file has pages to spare at first.
      expect(() => {
        for (let step = 2n; step < 2_000n; step += 1n) save(store, step);
      }).toThrow(full);
      expect(() => addMuch(store, 'y')).toThrow(full);
      expect(content()).not.toEqual([]);
      const stopped = store.load();
      database?.close();

      expect(() => open().begin({ ...FIRST_STATE })).toThrow();
      if (database?.isOpen === true) database.close();

      rmSync(filler);
      const again = open();
      expect(again.load()).toEqual(stopped);
      save(again, 5_000n);
      addMuch(again, 'z');
      expect(before).toBeDefined();
    },
  );
});

describe('a store that may only be read', () => {
  test.runIf(mayMount)('is said while it runs and at its start, and goes on when it may be written', () => {
    const place = mountSmall();
    const store = open();
    store.begin(FIRST_STATE);
    database?.close();
    execFileSync('mount', ['-o', 'remount,ro', place]);
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'storeFailed', message: expect.stringMatching(/may only be read/) }),
    );
    expect(() => open()).toThrow(file);
    execFileSync('mount', ['-o', 'remount,rw', place]);
    save(open(), 1n);
  });

  test('is said when another has taken away the right', () => {
    const store = open();
    store.begin(FIRST_STATE);
    database?.exec('PRAGMA query_only = ON');
    expect(() => save(store, 1n)).toThrow(
      expect.objectContaining({
        code: 'storeFailed',
        message: expect.stringMatching(/in .*lifeline\.db: it, or its folder, may only be read\./),
      }),
    );
    database?.exec('PRAGMA query_only = OFF');
    save(store, 1n);
  });
});

describe('a damaged store', () => {
  beforeEach(() => {
    const store = open();
    fillStore(store);
    fillCopies(store);
    // Some pages more than the first.
    for (let index = 0; index < 50; index += 1) store.addDatabase(`database ${index} ${'x'.repeat(500)}`);
    database?.close();
  });

  const damages: Record<string, () => void> = {
    'was cut off': () => truncateSync(file, readFileSync(file).byteLength / 2),
    'was cut off within a page': () => truncateSync(file, 5_000),
    'was overwritten in the middle': () => {
      const bytes = readFileSync(file);
      bytes.fill(0xa5, bytes.byteLength / 2, bytes.byteLength / 2 + 8_192);
      writeFileSync(file, bytes);
    },
    'was overwritten at its beginning': () => {
      const bytes = readFileSync(file);
      bytes.fill(0, 0, 100);
      writeFileSync(file, bytes);
    },
  };
  test.each(Object.entries(damages))('that %s is refused, and not written to', (_what, damage) => {
    damage();
    const before = readFileSync(file);
    expect(() => open()).toThrow(
      expect.objectContaining({
        code: 'storeFailed',
        side: 'store',
        message: expect.stringMatching(/^The store .*lifeline\.db is damaged \(.*\)\. It was left as it is: /),
      }),
    );
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('with a value that cannot be what it should be is refused when it is read', () => {
    const store = open();
    database?.exec("UPDATE shard SET tick = 'soon'");
    expect(() => store.load()).toThrow(/The store .* is damaged \(Cannot convert soon to a BigInt\)/);
  });
});

test('a store whose log was lost after a crash is at an earlier state, and whole', () => {
  const store = open();
  store.begin(FIRST_STATE);
  database?.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  save(store, 7n);
  const main = join(folder, 'copied.db');
  copyFileSync(file, main);
  using opened = openDatabase(main);
  const found = new SqliteTaskStore(opened, asTaskId('one')).load();
  // What says so is the marker in the target: it has been told of more beats than this store knows of.
  expect(found?.shards[0]?.checkpoint.tick).toBe(TICK - 1n);
});

test('many threads may open a new store at the same time', async () => {
  const module = new URL('../../../../electron/core/store/database.ts', import.meta.url).href;
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ openDatabase }) => {
      parentPort.postMessage('ready');
      Atomics.wait(workerData.gate, 0, 0);
      try { openDatabase(workerData.file).close(); parentPort.postMessage('open'); }
      catch (error) { parentPort.postMessage(error.message); }
    });`;
  for (let round = 0; round < 3; round += 1) {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { module, gate, file: join(folder, `new-${round}`, 'lifeline.db') };
    const workers = Array.from({ length: 6 }, () => new Worker(code, { eval: true, workerData }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const outcomes = Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as unknown));
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    expect(await outcomes).toEqual(workers.map(() => 'open'));
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}, 60_000);
