/**
 * The drill's judge: source = ledger = target, by key and full content, and nothing doubled. It knows nothing of the
 * engine and asks both clusters through their public API only.
 *
 * Nothing may write to either side meanwhile. The source is read first, then the target.
 */
import { readLedger } from '../load/ledger.ts';
import { replayLedger, type ExpectedState } from '../load/ledger-replay.ts';
import { openMilvus, type DrillSide } from '../content/milvus-client.ts';
import type { MilvusEndpoint } from '../../../../shared/model/connection.ts';
import { snapshotCluster, type ClusterSnapshot, type SnapshotProgress } from './cluster-snapshot.ts';
import type { ComparisonReport } from './comparison-report.ts';
import { judge } from './judge.ts';
import { underSourceNames, type ComparedScope } from './under-source-names.ts';

export type { SnapshotProgress } from './cluster-snapshot.ts';

export interface ComparisonOptions {
  readonly source: MilvusEndpoint;
  readonly target: MilvusEndpoint;
  /** Without it, source and target are compared with each other only. */
  readonly ledgerFile?: string | undefined;
  /** What of the source was to be brought, and under which names; absent: everything, under its own. */
  readonly scope?: ComparedScope | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: SnapshotProgress) => void;
}

/** Throws when a side cannot be asked or the ledger cannot be read; every difference is part of the report. */
export async function compareClusters(options: ComparisonOptions): Promise<ComparisonReport> {
  const startedMs = performance.now();
  const expected: ExpectedState | undefined =
    options.ledgerFile === undefined ? undefined : await replayLedger(readLedger(options.ledgerFile));
  const snapshot = async (endpoint: MilvusEndpoint, side: DrillSide): Promise<ClusterSnapshot> => {
    const connection = await openMilvus(endpoint, side);
    try {
      return await snapshotCluster(connection, options.signal, (progress) => options.onProgress?.(progress));
    } finally {
      await connection.close();
    }
  };
  const source = await snapshot(options.source, 'source');
  const target = await snapshot(options.target, 'target');
  const compared = underSourceNames(source, target, options.scope ?? {});
  return {
    ...judge(compared.source, compared.target, expected),
    durationMs: Math.round(performance.now() - startedMs),
  };
}
