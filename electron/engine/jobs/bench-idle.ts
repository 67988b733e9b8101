/**
 * Job: waits until the lab's servers have nothing left to do of what was asked of them before. A Milvus (2.3.5) goes on for
 * up to a minute after its last call: its data node takes up and gives back channels one after the other, and digests rows
 * of collections that are gone by then, with all that the processors have.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { BenchIdleInput } from '../host/bench-jobs.ts';
import type { JobMessage } from '../host/job-host.ts';
import { machineCpuSeconds } from '../host/machine-cpu.ts';
import { EtcdClient } from '../source/catalog/etcd-client.ts';
import { isTakenUp } from './bench-channels.ts';

const ETCD_TIMEOUT_MS = 5_000;
/** In a row. */
const QUIET_LOOKS = 2;
/** Of one processor. Two idle Milvus, their log and Lifeline take 0.15 to 0.25. */
const QUIET_CPU = 0.4;
/** Above what the bench makes. */
const CHANNELS_MAX = 100_000;

interface Cluster {
  readonly client: EtcdClient;
  readonly root: string;
}

const say = (message: JobMessage): void => parentPort?.postMessage(message);

/** Channels that the data node is still to take up or to give back. */
async function pendingChannels({ client, root }: Cluster): Promise<number> {
  const { entries } = await client.page(`${root}/channelwatch/`, { limit: CHANNELS_MAX });
  return entries.filter(({ value }) => !isTakenUp(value)).length;
}

async function waitUntilIdle({ etcds, lookMs, limitMs }: BenchIdleInput): Promise<boolean> {
  const clusters = etcds.map((etcd) => ({
    client: new EtcdClient(etcd, ETCD_TIMEOUT_MS),
    root: `${etcd.rootPath}/${etcd.metaSubPath}`,
  }));
  const startedMs = performance.now();
  try {
    for (let quiet = 0; performance.now() - startedMs < limitMs;) {
      const [cpuBefore, beforeMs] = [machineCpuSeconds(), performance.now()];
      await delay(lookMs);
      const cpu = ((machineCpuSeconds() - cpuBefore) * 1_000) / (performance.now() - beforeMs);
      const left = await Promise.all(clusters.map(pendingChannels));
      quiet = cpu < QUIET_CPU && left.every((count) => count === 0) ? quiet + 1 : 0;
      if (quiet === QUIET_LOOKS) return true;
    }
    return false;
  } finally {
    for (const { client } of clusters) client.close();
  }
}

try {
  say({ result: await waitUntilIdle(workerData as BenchIdleInput) });
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
