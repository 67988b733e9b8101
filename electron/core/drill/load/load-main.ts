/** The load generator's process: writes into the source and keeps the ledger. It ends when its parent goes away. */
import { toReplicationError } from '../../../../shared/model/replication-error.ts';
import { openMilvus } from '../content/milvus-client.ts';
import { LedgerWriter } from './ledger.ts';
import type { LoadAnswer, LoadOrder, LoadRequest } from './load-protocol.ts';
import { seededRandom } from './random.ts';
import { SourceSession } from './source-session.ts';
import { runWorkload, type WorkloadPause } from './workload.ts';

/** Often enough for a bar that moves, seldom enough to cost nothing. */
const PROGRESS_INTERVAL_MS = 200;

/** Resolves when the message is on its way, so that a last one is not lost with the channel. */
const send = (answer: LoadAnswer): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(answer, () => resolve());
  });

/** The pause as this process sees it. */
function pauseAt(atShare: number): WorkloadPause {
  const orders = { goOn: Promise.withResolvers<void>(), copied: Promise.withResolvers<void>() };
  process.on('message', ({ kind }: LoadOrder) => orders[kind].resolve());
  return {
    atShare,
    untilGoOn: async () => {
      await send({ kind: 'paused' });
      await orders.goOn.promise;
    },
    untilCopied: () => orders.copied.promise,
  };
}

async function run({ source, rows, seconds, seed, ledgerFile, pauseAtShare }: LoadRequest): Promise<void> {
  const startedMs = performance.now();
  const stopping = new AbortController();
  const ledger = new LedgerWriter(ledgerFile);
  let rowsInserted = 0;
  let reportedMs = 0;
  const onRowsInserted = (count: number): void => {
    rowsInserted += count;
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs - reportedMs < PROGRESS_INTERVAL_MS && rowsInserted < rows) return;
    reportedMs = elapsedMs;
    void send({ kind: 'progress', progress: { rowsInserted, rowsTotal: rows, elapsedMs: Math.round(elapsedMs) } });
  };
  try {
    ledger.write({ op: 'start', version: 1, seed });
    const connection = await openMilvus(source, 'source');
    try {
      const session = new SourceSession(connection, ledger, stopping.signal);
      const pause = pauseAtShare === undefined ? {} : { pause: pauseAt(pauseAtShare) };
      await runWorkload(session, seededRandom(seed), { rows, seconds, onRowsInserted, ...pause });
    } finally {
      // Also ends the other lanes when one has failed.
      stopping.abort();
      await connection.close();
    }
    ledger.end();
  } finally {
    ledger.close();
  }
  await send({ kind: 'done', durationMs: Math.round(performance.now() - startedMs) });
}

process.once('message', (request: LoadRequest) => {
  run(request)
    .catch((error: unknown) => send({ kind: 'failed', error: toReplicationError(error).toData() }))
    .finally(() => process.disconnect());
});
// A load without anybody to watch it must not go on writing.
process.once('disconnect', () => process.exit());
