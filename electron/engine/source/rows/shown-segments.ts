/**
 * Waits until a cluster's queries show what was imported. An import is completed when its segments are flushed; what is loaded takes
 * them up when the query coordinator next looks what there is (queryCoord.updateNextTargetInterval, 10 s): until then queries answer
 * without them, at any consistency level. Seen with 2.3.5: 11 to 19 s. GetQuerySegmentInfo names what queries answer from; it
 * never named one of 12 segments before a count had its rows (150 looks).
 */
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { pause } from '../../runtime/waiting.ts';
import type { MilvusRpc, RpcOptions } from '../../milvus/milvus-rpc.ts';
import type { ImportedRows } from './row-source.ts';

const DEADLINE_MS = 15_000;
const LOOK_INTERVAL_MS = 500;
/** Then it is said that it takes long, and looked for again by whoever repeats what is not ready. */
const WAIT_MS = 5_000;
/** `common.SegmentState`. */
const FLUSHED = 4;

export type SegmentCalls = Pick<MilvusRpc, 'call'>;

/** @throws notReady where it takes longer; to be called again then. */
export async function whenShown(rpc: SegmentCalls, imported: ImportedRows, signal: AbortSignal): Promise<void> {
  const { database, collection } = imported;
  const name = { dbName: database, collectionName: collection };
  const options: RpcOptions = { deadlineMs: DEADLINE_MS, signal, context: { database, collection } };
  const partitions = new Set<bigint>(imported.partitions);
  let awaited = imported.segments.length === 0 ? undefined : imported.segments;
  for (const endsAtMs = performance.now() + WAIT_MS; ;) {
    const { infos } = await rpc.call('GetPersistentSegmentInfo', name, options);
    // A partition that was dropped leaves its segments for a while.
    const flushed = infos
      .filter(
        ({ state, numRows, partitionID }) =>
          state === FLUSHED && numRows !== '0' && partitions.has(BigInt(partitionID)),
      )
      .map(({ segmentID }) => BigInt(segmentID));
    const shown = new Set(
      (await rpc.call('GetQuerySegmentInfo', name, options)).infos.map((one) => BigInt(one.segmentID)),
    );
    const isMissing = (id: bigint): boolean => !shown.has(id);
    // One that was compacted is part of another, which nothing names: then all must be shown that there is.
    if (awaited?.some((id) => isMissing(id) && !flushed.includes(id)) !== false) awaited = flushed;
    if (!awaited.some(isMissing)) return;
    if (performance.now() > endsAtMs) throw notShown(imported);
    await pause(LOOK_INTERVAL_MS, signal);
  }
}

function notShown({ database, collection }: ImportedRows): ReplicationError {
  return new ReplicationError(
    'notReady',
    'source',
    `Rows that were imported into ${database}.${collection} are not shown by the source's queries yet. The copy goes on when they are, some seconds after the import as a rule; if they never are, release and load the collection there.`,
    { context: { database, collection, outcome: 'refused' } },
  );
}
