import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { drillReportSchema, type DrillReport } from '../../../electron/core/drill/report.ts';
import { announceSeed } from '../../support/lab-figures.ts';
import { IS_FULL, labRandom } from '../../support/lab-seed.ts';
import { PROGRAM } from '../../support/served-task.ts';

interface Outcome {
  readonly code: number;
  readonly output: string;
  readonly report: DrillReport;
}

const DAMAGES = ['drop', 'double', 'flip'] as const;
/** `npm test` tries one of them. */
const TRIED = IS_FULL ? DAMAGES : [labRandom('sabotage').pick(DAMAGES)];

let folder: string;

beforeEach(announceSeed);

/** A drill here takes 25 s. One that hangs is ended before the test is, so that its own words are seen. */
const DRILL_MS_MAX = 105_000;

async function drill(...options: string[]): Promise<Outcome> {
  const name = options.join('');
  const json = join(folder, `report-${name}.json`);
  const seed = String(labRandom(`drill ${name}`).below(2 ** 31));
  const run = promisify(execFile)(
    process.execPath,
    [PROGRAM, 'drill', '--json', json, '--seed', seed, '--log-level', 'debug', ...options],
    { maxBuffer: 16 * 1024 * 1024, timeout: DRILL_MS_MAX, killSignal: 'SIGINT' },
  );
  const { code, stdout, stderr, killed } = await run.then(
    (done) => ({ ...done, code: 0, killed: false }),
    (error: unknown) => error as { code: number; killed: boolean; stdout: string; stderr: string },
  );
  if (killed) throw new Error(`The drill hung. What it said:\n${stdout}\n${stderr}`);
  const report = drillReportSchema.parse(JSON.parse(await readFile(json, 'utf8')));
  return { code, output: stdout, report };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lifeline-drills-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the drill', () => {
  it('ends equal, by key and full content, after every kind of operation', async () => {
    const { code, output, report } = await drill('--rows', '6000', '--seconds', '8');
    expect(report.failure).toBeUndefined();
    expect({ code, equal: report.equal }).toEqual({ code: 0, equal: true });
    expect(report.rows.target).toBe(report.rows.source);
    expect(report.rows.ledger).toBe(report.rows.source);
    // Some rows were there before the task began.
    expect(report.copy).toMatchObject({ sourceDoubles: 0 });
    expect(report.copy?.rows).toBeGreaterThanOrEqual(1_000);
    expect(report.copy?.collectionsJoined).toBeGreaterThanOrEqual(6);
    const kinds = ['createDatabase', 'dropDatabase', 'createCollection', 'dropCollection', 'createPartition'] as const;
    const more = ['dropPartition', 'createIndex', 'load', 'release', 'flush', 'insert', 'upsert', 'delete'] as const;
    for (const kind of [...kinds, ...more]) expect(report.operations.byKind[kind], kind).toBeGreaterThan(0);
    const names = report.collections.map(({ collection }) => collection);
    expect(new Set(names).size, 'equal names in two databases').toBeLessThan(names.length);
    expect(report.collections.every(({ doublesTarget }) => doublesTarget === 0)).toBe(true);
    expect(output).toContain('Equal');
  });

  it.each(TRIED)('fails, and says where, when the target is damaged by "%s"', async (kind) => {
    const { code, report } = await drill('--rows', '1500', '--seconds', '2', '--sabotage', kind);
    expect({ code, equal: report.equal }).toEqual({ code: 1, equal: false });
    expect(report.failure).toMatch(/[a-z]+\.[a-z_]+/);
    const [damaged, ...others] = report.collections.filter(({ equal }) => !equal);
    expect(others).toEqual([]);
    const found = { drop: damaged?.missing, double: damaged?.doublesTarget, flip: damaged?.different }[kind];
    expect(found).toBe(1);
  });
});
