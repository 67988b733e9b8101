/** Job: reads the log of the bench's source beside the task, and tells when each row's tick could be read. Until it is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import type { SourceConnection } from '../../../shared/model/connection.ts';
import type { PChannel } from '../../../shared/model/ids.ts';
import { ReplicationError, toReplicationError } from '../../../shared/model/replication-error.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { decodeRecord } from '../codec/decode.ts';
import { readKeyColumn } from '../codec/primary-keys.ts';
import type { InsertRecord } from '../codec/records.ts';
import type { BenchTicks } from '../host/bench-jobs.ts';
import type { JobMessage } from '../host/job-host.ts';
import { openWal } from '../source/wal/open-wal.ts';
import type { Wal, WalReader } from '../source/wal/wal.ts';

const READ_BYTES_MAX = 1024 * 1024;
const KEY_FIELD = 'id';

const say = (message: JobMessage): void => parentPort?.postMessage(message);
const tell = (progress: BenchTicks | 'reading'): void => say({ progress });
/** The thread is ended from outside. */
const { signal } = new AbortController();

interface WaitingRow {
  readonly key: number;
  readonly tick: TimeTick;
}

async function openAtEnd(wal: Wal, channel: PChannel): Promise<WalReader> {
  const { latest, incarnation } = await wal.bounds(channel);
  return wal.open(channel, { kind: 'after', ordinal: latest, incarnation }, signal);
}

async function follow(reader: WalReader): Promise<never> {
  let waiting: readonly WaitingRow[] = [];
  for (;;) {
    for (const { payload } of await reader.read(READ_BYTES_MAX, signal)) {
      const record = decodeRecord(payload);
      if (record.kind === 'insert') waiting = [...waiting, ...rowsOf(record)];
      if (record.kind !== 'timeTick') continue;
      const now = Date.now();
      const { beginTick } = record;
      tell(waiting.filter(({ tick }) => tick <= beginTick).map(({ key }) => [key, now] as const));
      waiting = waiting.filter(({ tick }) => tick > beginTick);
    }
  }
}

function rowsOf({ fields, endTick }: InsertRecord): WaitingRow[] {
  const column = fields.find(({ fieldName }) => fieldName === KEY_FIELD);
  const keys = column === undefined ? undefined : readKeyColumn(column);
  if (keys === undefined || 'kind' in keys) return [];
  return [...keys.values].map((key) => ({ key: Number(key), tick: endTick }));
}

try {
  const { wal: endpoint } = workerData as SourceConnection;
  const wal = await openWal(endpoint, pino({ level: 'silent' }));
  const readers = await Promise.all((await wal.listDataChannels()).map((channel) => openAtEnd(wal, channel)));
  if (readers.length === 0) throw new ReplicationError('labFailed', 'wal', 'The source has no channel yet.');
  tell('reading');
  await Promise.all(readers.map(follow));
} catch (error) {
  say({ error: toReplicationError(error).toData() });
}
