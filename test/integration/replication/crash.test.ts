import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad, type LoadProgress } from '../../../electron/core/drill/load/run-load.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { ServedTask } from '../../support/served-task.ts';

const ROWS = 9_000;

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ purpose: 'throwaway' });
});
afterAll(() => lab.stop());

describe('a replication that is killed', () => {
  it('loses nothing and doubles nothing when it is killed three times in the middle of a mixed load', async () => {
    await using task = await ServedTask.create({ source: lab.source.asSource, target: lab.target.asTarget });
    const ledgerFile = join(task.directory, 'ledger.jsonl');
    const { signal } = new AbortController();
    const kills = [ROWS * 0.25, ROWS * 0.5, ROWS * 0.75];
    let restarts = Promise.resolve();
    const onProgress = ({ rowsInserted }: LoadProgress): void => {
      if (kills[0] === undefined || rowsInserted < kills[0]) return;
      kills.shift();
      restarts = restarts.then(() => task.kill()).then(() => task.start());
    };
    task.start();
    await task.line(/served: following/, 20_000);
    await startLoad({
      source: lab.source.asTarget.milvus,
      rows: ROWS,
      seconds: 12,
      seed: 7,
      ledgerFile,
      signal,
      onProgress,
    });
    await restarts;
    expect(kills).toEqual([]);
    await task.kill();

    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    const report = await compareClusters({
      source: lab.source.asTarget.milvus,
      target: lab.target.asTarget.milvus,
      ledgerFile,
      signal,
    });
    expect(report.differences).toEqual([]);
    expect(report.equal).toBe(true);
  });
});
