import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareClusters } from '../../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad } from '../../../electron/core/drill/load/run-load.ts';
import { startLab, type Lab } from '../../../electron/core/lab/lab.ts';
import type { SourceConnection, TargetConnection } from '../../../shared/model/connection.ts';
import { ServedTask, type TaskInput } from '../../support/served-task.ts';

/** What a person waits for an answer, from the start of the process on. */
const ANSWER_TIMEOUT_MS = 5_000;

let lab: Lab;
let source: SourceConnection;
let target: TargetConnection;
let closedPort: number;

beforeAll(async () => {
  // Quotas are what makes a Milvus refuse writes; they are looked at only when switched on at the start.
  lab = await startLab({ purpose: 'throwaway', settings: { target: { 'quotaAndLimits.enabled': true } } });
  source = lab.source.asSource;
  target = lab.target.asTarget;
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closedPort = (server.address() as AddressInfo).port;
  await new Promise((resolve) => server.close(resolve));
});
afterAll(() => lab.stop());

describe('a task with bad input says what is wrong in one sentence, in time', () => {
  const nowhere = (): string => `127.0.0.1:${closedPort}`;
  const cases: [string, () => TaskInput, RegExp][] = [
    [
      'an unreachable etcd',
      () => ({ source: { ...source, etcd: { ...source.etcd, endpoints: [nowhere()] } }, target }),
      /source's etcd at 127\.0\.0\.1:\d+ .*Check/,
    ],
    [
      'an unreachable log',
      () => ({ source: { ...source, wal: { ...source.wal, servers: [nowhere()] } }, target }),
      /source's log at 127\.0\.0\.1:\d+ .*Check/,
    ],
    [
      'an unreachable target',
      () => ({ source, target: { milvus: { ...target.milvus, address: nowhere() } } }),
      /The target at 127\.0\.0\.1:\d+ cannot be reached.*Check/,
    ],
    [
      'a wrong password',
      () => ({ source, target: { milvus: { ...target.milvus, password: 'wrong' } } }),
      /target .*password/i,
    ],
    [
      'a wrong root path',
      () => ({ source: { ...source, etcd: { ...source.etcd, rootPath: 'by-dev' } }, target }),
      /no Milvus under the root path by-dev.*lab-source/,
    ],
    [
      'missing streams',
      () => ({ source: { ...source, wal: { ...source.wal, channelPrefix: 'by-dev' } }, target }),
      /log has no channel "by-dev-rootcoord-dml_.*Check the channel prefix/,
    ],
  ];
  it.each(cases)('%s', async (_name, input, sentence) => {
    await using task = await ServedTask.create(input());
    task.start();
    const line = await task.line(sentence, ANSWER_TIMEOUT_MS);
    expect(line).not.toMatch(/\bat .*\.(js|ts):\d+/);
    const everything = task.lines.join('\n');
    expect(everything).not.toContain(target.milvus.password);
  });

  it('a task file that does not fit', async () => {
    await using task = await ServedTask.create({ source, target });
    const file = join(task.directory, 'task.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"endpoints"', '"endpoint"'));
    task.start();
    await task.line(/task file .* does not fit at "source\.etcd/, ANSWER_TIMEOUT_MS);
  });
});

describe('a task that meets trouble later', () => {
  it('is held when another cluster answers at the address of its source', async () => {
    await using task = await ServedTask.create({ source, target });
    expect(await task.untilLevel()).toBe(0);
    await task.configure({ source: lab.target.asSource, target });
    task.start();
    await task.line(/Another cluster answers at the source's address/, ANSWER_TIMEOUT_MS);
  });

  it('is blocked while the target refuses writes, goes on by itself, and loses nothing', async () => {
    await using task = await ServedTask.create({ taskId: 'refused', source, target });
    const ledgerFile = join(task.directory, 'ledger.jsonl');
    const { signal } = new AbortController();
    const settingsFile = join(lab.target.instance.directory, 'configs', 'milvus.yaml');
    const settings = await readFile(settingsFile, 'utf8');
    task.start();
    await task.line(/refused: following/, 20_000);

    await writeFile(
      settingsFile,
      settings.replace('quotaAndLimits:\n', 'quotaAndLimits:\n  limitWriting:\n    forceDeny: true\n'),
    );
    const load = startLoad({
      source: lab.source.asTarget.milvus,
      rows: 2_000,
      seconds: 12,
      seed: 3,
      ledgerFile,
      signal,
    });
    const line = await task.line(/takes no writes.*Retrying by itself/, 20_000);
    expect(line).toMatch(/forceDeny to false/);
    await load;
    await writeFile(settingsFile, settings);
    await task.stop();

    expect(await task.untilLevel(), task.lines.join('\n')).toBe(0);
    const report = await compareClusters({
      source: lab.source.asTarget.milvus,
      target: target.milvus,
      ledgerFile,
      signal,
    });
    expect(report.differences).toEqual([]);
  });
});
