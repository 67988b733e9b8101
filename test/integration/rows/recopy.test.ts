/** Filled collections that are copied again under load, after changes of which the log was never read. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad } from '../../../electron/core/drill/load/run-load.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../electron/core/store/sqlite-task-store.ts';
import { systemClock } from '../../../electron/engine/runtime/clock.ts';
import { newRun } from '../../../electron/engine/task/run-lease.ts';
import { STORE_FILE } from '../../../shared/contract/desktop.ts';
import { asTaskId } from '../../../shared/model/ids.ts';
import type { JoinCertificate } from '../../../shared/model/task-state.ts';
import { LoadSteps } from '../../support/load-steps.ts';
import { ServedTask } from '../../support/served-task.ts';

const ROWS = 9_000;
/** The load drops it and makes another of that name: there is no such collection to be copied again. */
const REMADE = 'sessions';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
});
afterAll(() => lab.stop());

describe('collections that were not followed for a while', () => {
  it('end equal after a copy onto what is there, though it is killed meanwhile', { timeout: 200_000 }, async () => {
    await using task = await ServedTask.create({
      source: { ...lab.source.asSource, milvus: lab.source.asTarget.milvus },
      target: lab.target.asTarget,
      start: { kind: 'copy', mayLoad: true },
    });
    const ledgerFile = join(task.directory, 'ledger.jsonl');
    const { signal } = new AbortController();
    let recopied = 0;
    const steps = new LoadSteps([
      {
        // What was written since the pause is behind nobody's checkpoint any more.
        rows: (ROWS / 4) * 3,
        run: async () => {
          recopied = beginRecopies(task.directory);
          task.start();
        },
      },
      { rows: (ROWS / 4) * 3 + 900, run: () => task.kill() },
    ]);
    const { onProgress } = steps;
    const source = lab.source.asTarget.milvus;
    let followed: number | null = -1;
    await startLoad({
      source,
      rows: ROWS,
      seconds: 20,
      seed: 12,
      ledgerFile,
      signal,
      onProgress,
      pauseAtShare: 0.3,
      onPaused: (order) => {
        steps.queue(async () => {
          followed = await task.untilLevel();
          order('goOn');
          order('copied');
        });
      },
    });
    await steps.ended();
    expect(followed).toBe(0);
    expect(recopied).toBeGreaterThan(0);
    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);

    const report = await compareClusters({ source, target: lab.target.asTarget.milvus, ledgerFile, signal });
    expect(report.differences).toEqual([]);
    expect(report.equal).toBe(true);
    const joins = joinsOf(task.directory).filter(({ isRecopy }) => isRecopy === true);
    expect(joins.length).toBeGreaterThan(0);
  });
});

function inStore<T>(directory: string, use: (store: SqliteTaskStore) => T): T {
  using database = openDatabase(join(directory, STORE_FILE));
  return use(new SqliteTaskStore(database, asTaskId('served')));
}

const joinsOf = (directory: string): readonly JoinCertificate[] => inStore(directory, (store) => store.joins());

/** @returns how many collections. */
function beginRecopies(directory: string): number {
  return inStore(directory, (store) => {
    // The task is stopped: this is its run for a moment.
    const there =
      store
        .takeLease(newRun(directory, systemClock))
        ?.task.collections.filter(({ phase, name }) => phase === 'created' && name !== REMADE) ?? [];
    for (const { id } of there) store.beginRecopy(id, 'created');
    return there.length;
  });
}
