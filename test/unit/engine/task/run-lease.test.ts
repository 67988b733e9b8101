/** A run ends with the first thing that it cannot record, whoever wanted to record it. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import { endingRun, newRun } from '../../../../electron/engine/task/run-lease.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import type { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { FIRST_STATE } from '../../../support/store-samples.ts';

const clock = { now: () => 1_795_440_000_000 };
let folder: string;
let database: DatabaseSync;
const storeOf = (task: string): SqliteTaskStore => new SqliteTaskStore(database, asTaskId(task));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-lease-'));
  database = openDatabase(join(folder, 'lifeline.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a run', () => {
  test('has a name of its own each time, and says where it is', () => {
    const runs = [newRun('/data', clock), newRun('/data', clock)];
    expect(runs[0]?.id).not.toBe(runs[1]?.id);
    expect(runs[0]).toMatchObject({ folder: '/data', pid: process.pid, began: clock.now() });
    expect(runs[0]?.host).not.toBe('');
  });

  test('that is superseded ends before the caller of its refused write hears of it', () => {
    const heard: string[] = [];
    const end = vi.fn((error: ReplicationError) => heard.push(`end ${error.code}`));
    const store = endingRun(storeOf('one'), end);
    store.begin(FIRST_STATE);
    store.takeLease(newRun('/data', clock));
    store.setWritesUntil(1);
    expect(end).not.toHaveBeenCalled();
    storeOf('one').takeLease(newRun('/data', clock));
    for (let times = 0; times < 2; times += 1) {
      try {
        store.setWritesUntil(2);
      } catch (error) {
        heard.push(`caller ${(error as ReplicationError).code}`);
      }
    }
    // Once is enough.
    expect(heard).toEqual(['end leaseLost', 'caller leaseLost', 'caller leaseLost']);
    expect(store.load()?.writesUntilMs).toBe(1);
  });

  test('whose store fails ends; one that has made a mistake of its own does not end by that', () => {
    const end = vi.fn();
    const store = endingRun(storeOf('one'), end);
    store.begin(FIRST_STATE);
    expect(() => store.saveCheckpoints(7, { shards: new Map(), channels: new Map() })).toThrow(/epoch 7/);
    expect(end).not.toHaveBeenCalled();
    database.close();
    expect(() => store.addDatabase('shop')).toThrow(expect.objectContaining({ code: 'storeFailed' }));
    expect(end).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'storeFailed' }));
    database = openDatabase(join(folder, 'lifeline.db'));
  });
});
