/** Starts the load generator in a process of its own and waits for its end. */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { LoadAnswer, LoadOrder, LoadProgress, LoadRequest } from './load-protocol.ts';
import { readLedger, type OperationKind } from './ledger.ts';
import { replayLedger } from './ledger-replay.ts';

export type { LoadProgress } from './load-protocol.ts';

export interface LoadOptions extends LoadRequest {
  /** Ends the load process at once; the returned promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** With `pauseAtShare`: all have stopped, and wait for `order`. It may be called when the load has ended already. */
  readonly onPaused?: (order: (order: LoadOrder['kind']) => void) => void;
}

export interface LoadResult {
  readonly durationMs: number;
  /** Rows over all acknowledged inserts and upserts. */
  readonly rowsWritten: number;
  /** Acknowledged operations. */
  readonly operations: Partial<Record<OperationKind, number>>;
  /** Operations whose answer was lost. */
  readonly operationsUnknown: number;
  /** Unix milliseconds of the last acknowledgement. */
  readonly lastAckMs: number;
}

const ENTRY = new URL(`./load-main${extname(import.meta.url)}`, import.meta.url);
/** The last words of a process that died without an answer: enough for one stack trace. */
const STDERR_CHARACTERS_MAX = 4_000;

/** Throws what made the load fail: side `source` for its server, `store` for the ledger, `internal` for the process. */
export async function startLoad({ signal, onProgress, onPaused, ...request }: LoadOptions): Promise<LoadResult> {
  signal.throwIfAborted();
  const durationMs = await runProcess(request, signal, { onProgress, onPaused });
  const { rowsWritten, operations, operationsUnknown, lastAckMs } = await replayLedger(readLedger(request.ledgerFile));
  return { durationMs, rowsWritten, operations, operationsUnknown, lastAckMs };
}

function runProcess(
  request: LoadRequest,
  signal: AbortSignal,
  { onProgress, onPaused }: { [N in 'onProgress' | 'onPaused']: LoadOptions[N] | undefined },
): Promise<number> {
  const child = fork(fileURLToPath(ENTRY), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARACTERS_MAX);
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', kill, { once: true });

  const order = (kind: LoadOrder['kind']): void => {
    if (child.connected) child.send({ kind } satisfies LoadOrder);
  };
  let answer: LoadAnswer | undefined;
  child.on('message', (message: LoadAnswer) => {
    if (message.kind === 'progress') onProgress?.(message.progress);
    else if (message.kind === 'paused') onPaused?.(order);
    else answer = message;
  });
  child.send(request);

  return new Promise<number>((resolve, reject) => {
    const settle = (code: number | null, killedBy: string | null): void => {
      signal.removeEventListener('abort', kill);
      if (answer?.kind === 'done') resolve(answer.durationMs);
      else if (answer?.kind === 'failed') reject(ReplicationError.fromData(answer.error));
      else if (signal.aborted) reject(signal.reason as Error);
      else reject(processDied(code, killedBy, stderr));
    };
    child.once('close', settle);
    child.once('error', (error) => {
      stderr = error.message;
      // A process that never started does not close.
      if (child.pid === undefined) settle(null, null);
    });
  });
}

function processDied(code: number | null, killedBy: string | null, stderr: string): ReplicationError {
  const how = killedBy === null ? `with exit code ${String(code)}` : `by ${killedBy}`;
  return new ReplicationError('bug', 'internal', `The load generator ended ${how} before its work was done.`, {
    cause: new Error(stderr.trim() === '' ? 'It left no message.' : stderr.trim()),
  });
}
