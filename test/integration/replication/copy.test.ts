/** A task that begins in the middle of a source's life: its rows are copied, and joined to what follows. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../electron/core/store/sqlite-task-store.ts';
import { STORE_FILE } from '../../../shared/contract/desktop.ts';
import { asTaskId } from '../../../shared/model/ids.ts';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad } from '../../../electron/core/drill/load/run-load.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { begunLateAndKilledTwice } from '../../support/load-steps.ts';
import { ServedTask } from '../../support/served-task.ts';

const ROWS = 9_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
});
afterAll(() => lab.stop());

describe('a task begun in the middle of a load', () => {
  it(
    'ends equal, with nothing twice, though it is killed while it copies and after',
    { timeout: 240_000 },
    async () => {
      await using task = await ServedTask.create({
        source: { ...lab.source.asSource, milvus: lab.source.asTarget.milvus },
        target: lab.target.asTarget,
        start: { kind: 'copy', mayLoad: true },
      });
      const ledgerFile = join(task.directory, 'ledger.jsonl');
      const { signal } = new AbortController();
      const steps = begunLateAndKilledTwice(task, ROWS);
      const { onProgress } = steps;
      const source = lab.source.asTarget.milvus;
      await startLoad({ source, rows: ROWS, seconds: 15, seed: 11, ledgerFile, signal, onProgress });
      await steps.ended();
      await task.kill();
      expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);

      const report = await compareClusters({ source, target: lab.target.asTarget.milvus, ledgerFile, signal });
      expect(report.differences).toEqual([]);
      expect(report.equal).toBe(true);
      expect(rowsCopied(task.directory)).toBeGreaterThan(0n);
    },
  );
});

/** What the certificates in the task's history say. */
function rowsCopied(directory: string): bigint {
  using database = openDatabase(join(directory, STORE_FILE));
  const joins = new SqliteTaskStore(database, asTaskId('served')).joins();
  return joins.reduce((sum, { rowsCopied: rows }) => sum + BigInt(rows), 0n);
}
