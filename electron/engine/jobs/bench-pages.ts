/** Job: reads the rows of one collection page by page, as a copy does, with no target behind. */
import { parentPort, workerData } from 'node:worker_threads';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import { parseCollectionSchema } from '../codec/collection-schema.ts';
import type { BenchPagesInput, BenchPagesResult } from '../host/bench-jobs.ts';
import type { JobMessage } from '../host/job-host.ts';
import { machineCpuSeconds } from '../host/machine-cpu.ts';
import { openEtcdCatalog } from '../source/catalog/etcd-catalog.ts';
import { openMilvusRowSource } from '../source/rows/milvus-row-source.ts';
import type { RowKey } from '../source/rows/row-source.ts';

const say = (message: JobMessage): void => parentPort?.postMessage(message);

async function readPages({ source, collection }: BenchPagesInput): Promise<BenchPagesResult> {
  if (source.milvus === undefined) throw notThere(collection);
  const catalog = openEtcdCatalog(source.etcd);
  const rows = openMilvusRowSource(source.milvus);
  const { signal } = new AbortController();
  try {
    const found = (await catalog.snapshot()).collections.find(({ name }) => name === collection);
    const schema = found === undefined ? undefined : parseCollectionSchema(found.schema);
    if (found === undefined || schema === undefined || 'kind' in schema) throw notThere(collection);
    const guarantee = await rows.now(signal);
    const cpuBefore = machineCpuSeconds();
    const startedMs = performance.now();
    let count = 0;
    for (const { name: partition } of found.partitions) {
      let after: RowKey | undefined;
      for (;;) {
        const read = { database: found.database, collection, partition, schema, after, guarantee };
        const page = await rows.readPage(read, signal);
        if (page === undefined) break;
        count += page.rowCount;
        after = page.keys.values.at(-1);
        say({ progress: count });
      }
    }
    const elapsedMs = performance.now() - startedMs;
    return { rows: count, elapsedMs, machineCpuSeconds: machineCpuSeconds() - cpuBefore };
  } finally {
    await Promise.allSettled([catalog.close(), rows.close()]);
  }
}

const notThere = (collection: string): ReplicationError =>
  new ReplicationError('labFailed', 'source', `The bench's collection ${collection} cannot be read.`);

try {
  say({ result: await readPages(workerData as BenchPagesInput) });
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
