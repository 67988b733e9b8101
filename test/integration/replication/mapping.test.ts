/** Everything under other names, with everything running: a load of all kinds, kills in between, and the judge at the end. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad } from '../../../electron/core/drill/load/run-load.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import { nameMappingSchema } from '../../../shared/model/name-mapping.ts';
import { begunLateAndKilledTwice } from '../../support/load-steps.ts';
import { ServedTask } from '../../support/served-task.ts';

const ROWS = 6_000;

/** Every collection has another name, and `default` goes elsewhere as a whole. */
const MAPPING = {
  rules: [{ from: { database: 'default' }, to: { database: 'dr_default' } }],
  databasePrefix: 'dr_',
  collectionSuffix: '_copy',
};

let lab: Lab;
beforeAll(async () => {
  // Another number of channels on the other side.
  lab = await startLab({ purpose: 'throwaway', settings: { target: { 'rootCoord.dmlChannelNum': 3 } } });
});
afterAll(() => lab.stop());

describe('a task with other names on the target', () => {
  it(
    'ends equal under the names of the source, with nothing twice, though it is killed while it copies and after',
    { timeout: 240_000 },
    async () => {
      await using task = await ServedTask.create({
        source: { ...lab.source.asSource, milvus: lab.source.asTarget.milvus },
        target: lab.target.asTarget,
        start: { kind: 'copy', mayLoad: true },
        mapping: MAPPING,
      });
      const ledgerFile = join(task.directory, 'ledger.jsonl');
      const { signal } = new AbortController();
      const steps = begunLateAndKilledTwice(task, ROWS);
      const { onProgress } = steps;
      const source = lab.source.asTarget.milvus;
      await startLoad({ source, rows: ROWS, seconds: 12, seed: 12, ledgerFile, signal, onProgress });
      await steps.ended();
      await task.kill();
      expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);

      const scope = { mapping: nameMappingSchema.parse(MAPPING) };
      const target = lab.target.asTarget.milvus;
      const report = await compareClusters({ source, target, ledgerFile, scope, signal });
      expect(report.differences).toEqual([]);
      expect(report.equal).toBe(true);
      expect(report.rowsTarget).toBeGreaterThan(0);
    },
  );
});
