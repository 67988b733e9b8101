/** Starts and ends the bench's load, which is a process of its own: `bulk-load-main`. */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { BulkLoadAnswer, BulkLoadRequest } from './bulk-load-main.ts';

export interface Load {
  /** The collection is there and rows are on their way. */
  readonly loading: Promise<void>;
  /** @returns the rows that the source acknowledged. */
  stop(): Promise<number>;
}

export function startLoad(source: Extract<BulkLoadRequest, { kind: 'start' }>['source']): Load {
  const entry = new URL(`./bulk-load-main${extname(import.meta.url)}`, import.meta.url);
  const child = fork(fileURLToPath(entry), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const loading = Promise.withResolvers<void>();
  const done = Promise.withResolvers<number>();
  // Whoever asks next hears of it; a failure between the questions must not end the process.
  done.promise.catch(() => undefined);
  child.on('message', (answer: BulkLoadAnswer) => {
    if (answer.kind === 'loading') loading.resolve();
    else if (answer.kind === 'done') done.resolve(answer.rows);
    else fail(answer.message);
  });
  child.once('exit', () => fail('its process ended'));
  const fail = (message: string): void => {
    const error = new ReplicationError('labFailed', 'lab', `The bench's load failed: ${message}.`);
    loading.reject(error);
    done.reject(error);
  };
  child.send({ kind: 'start', source } satisfies BulkLoadRequest);
  return {
    loading: loading.promise,
    stop: () => {
      if (child.connected) child.send({ kind: 'stop' } satisfies BulkLoadRequest);
      return done.promise;
    },
  };
}
