/**
 * Job: inserts rows of the bench as fast as a server takes them, or at a given pace. The requests are the engine's own,
 * their vectors made beforehand, so that the client costs next to nothing and the server alone is measured.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { FieldSlice } from '../codec/records.ts';
import type { BenchRowsInput, BenchRowsResult } from '../host/bench-jobs.ts';
import type { JobMessage } from '../host/job-host.ts';
import { machineCpuSeconds } from '../host/machine-cpu.ts';
import { pause } from '../runtime/waiting.ts';
import { openMilvusTarget } from '../target/milvus-target.ts';
import { keyColumn, vectorColumn } from './bench-columns.ts';

const PROGRESS_INTERVAL_MS = 250;
/** Random vectors do not shrink, as real ones do not; so many batches of them lie further apart than a packer looks back. */
const VECTOR_BLOCKS = 8;

const say = (message: JobMessage): void => parentPort?.postMessage(message);

async function writeRows(input: BenchRowsInput): Promise<BenchRowsResult> {
  const { milvus, collections, dimension, batchRows, concurrency, firstKey } = input;
  const { rowsMax = Infinity, durationMs = Infinity, rowsPerSecond } = input;
  const target = openMilvusTarget(milvus);
  const blocks = Array.from({ length: VECTOR_BLOCKS }, () => randomVectors(batchRows * dimension));
  const whole = blocks.map((block) => vectorColumn(block, dimension));
  const vectorsOf = (batch: number, rowCount: number): FieldSlice => {
    const place = batch % VECTOR_BLOCKS;
    const [block, column] = [blocks[place], whole[place]];
    if (block === undefined || column === undefined) throw new ReplicationError('bug', 'internal', 'No vectors.');
    return rowCount === batchRows ? column : vectorColumn(block.subarray(0, rowCount * dimension), dimension);
  };
  const { signal } = new AbortController();
  const cpuBefore = machineCpuSeconds();
  const startedMs = performance.now();
  let batches = 0;
  let begun = 0;
  let rows = 0;
  const write = async (): Promise<void> => {
    while (begun < rowsMax && performance.now() - startedMs < durationMs) {
      const batch = batches++;
      const rowCount = Math.min(batchRows, rowsMax - begun);
      const first = firstKey + begun;
      begun += rowCount;
      if (rowsPerSecond !== undefined) {
        const dueMs = startedMs + ((first - firstKey) * 1_000) / rowsPerSecond;
        const leftMs = dueMs - performance.now();
        if (leftMs > 0) await pause(leftMs, signal);
      }
      const collection = collections[batch % collections.length] ?? '';
      await target.insert(
        {
          database: 'default',
          collection,
          partition: '_default',
          rowCount,
          fields: [keyColumn(first, rowCount), vectorsOf(batch, rowCount)],
        },
        signal,
      );
      rows += rowCount;
    }
  };
  const timer = setInterval(() => say({ progress: rows }), PROGRESS_INTERVAL_MS);
  try {
    await Promise.all(Array.from({ length: concurrency }, write));
    return { rows, elapsedMs: performance.now() - startedMs, machineCpuSeconds: machineCpuSeconds() - cpuBefore };
  } finally {
    clearInterval(timer);
    await target.close();
  }
}

function randomVectors(length: number): Float32Array {
  const values = new Float32Array(length);
  for (let at = 0; at < length; at += 1) values[at] = Math.random() - 0.5;
  return values;
}

try {
  say({ result: await writeRows(workerData as BenchRowsInput) });
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
