/** Job: how far back the log of a source goes. Reads only; leaves no trace. */
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { JobMessage } from '../host/job-host.ts';
import type { OldestKeptInput } from '../host/oldest-kept.ts';
import { openWal } from '../source/wal/open-wal.ts';
import { keptSince } from './kept-since.ts';

const say = (message: JobMessage): void => parentPort?.postMessage(message);
const { wal: endpoint, logLevel, timeoutMs } = workerData as OldestKeptInput;

try {
  const logger = pino({ level: logLevel, base: { job: 'oldest-kept' } }, pino.destination(2));
  const wal = await openWal(endpoint, logger, { timeoutMs });
  try {
    say({ result: await keptSince(wal, AbortSignal.timeout(timeoutMs)) });
  } finally {
    await wal.close();
  }
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
