/** What the end-to-end stories share: a lab, a load on its source, and the proof that both sides are equal. */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { compareClusters } from '../../electron/core/drill/compare/compare-clusters.ts';
import { startLoad } from '../../electron/core/drill/load/run-load.ts';
import type { Lab } from '../../electron/core/lab/lab.ts';
import { addCluster, createProtection, readProtection } from './window-actions.ts';

export const PROTECTION = 'orders to standby';
/** Reading, checking and writing a few thousand rows takes seconds; a busy machine takes its time. */
const ARRIVE_LIMIT = { timeout: 60_000, interval: 500 };

/** Both clusters and a protection, by hand. */
export async function protectLab(page: Page, { source, target }: Lab): Promise<void> {
  const { etcd, wal } = source.asSource;
  if (wal.kind !== 'nats') throw new Error('These stories are told on NATS');
  const foundSource = await addCluster(page, { name: 'orders-prod', etcd, log: wal });
  expect(foundSource).toContain('Everything that was tested works');
  const foundTarget = await addCluster(page, { name: 'standby', milvus: target.asTarget.milvus });
  expect(foundTarget).toContain('Everything that was tested works');
  await createProtection(page, { source: 'orders-prod', target: 'standby', name: PROTECTION });
}

export interface Load {
  readonly ledgerFile: string;
  readonly rows: number;
  readonly seconds: number;
}

export function loadSource({ source }: Lab, { ledgerFile, rows, seconds }: Load): Promise<unknown> {
  const { signal } = new AbortController();
  return startLoad({ source: source.asTarget.milvus, rows, seconds, seed: 11, ledgerFile, signal });
}

export const untilRowsArrive = (page: Page): Promise<void> =>
  vi.waitFor(
    async () => expect((await readProtection(page, PROTECTION)).rowsWritten ?? 0).toBeGreaterThan(0),
    ARRIVE_LIMIT,
  );

export const untilState = (page: Page, state: string): Promise<void> =>
  vi.waitFor(async () => expect((await readProtection(page, PROTECTION)).state).toBe(state), ARRIVE_LIMIT);

/** What the log held has been written: rows, and what comes with them. */
const QUIET = { timeout: 60_000, interval: 3_000 };

export async function untilEqual(page: Page, { source, target }: Lab, ledgerFile: string): Promise<void> {
  const { signal } = new AbortController();
  const sides = { source: source.asTarget.milvus, target: target.asTarget.milvus };
  let before: number | undefined;
  const compare = async (): Promise<void> => {
    const { rowsWritten } = await readProtection(page, PROTECTION);
    const isQuiet = rowsWritten === before;
    before = rowsWritten;
    // The judge loads what it finds released, to read it, and releases it again: not beside a task that is about to load it.
    expect(isQuiet).toBe(true);
    const { equal, differences } = await compareClusters({ ...sides, ledgerFile, signal });
    expect(differences).toEqual([]);
    expect(equal).toBe(true);
  };
  await vi.waitFor(compare, QUIET);
}

export const ledgerIn = (directory: string): string => join(directory, 'ledger.jsonl');
