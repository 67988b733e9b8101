/** A screen of our own in memory, so that windows of the bench and of tests appear on nobody's desktop. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const START_LIMIT_MS = 10_000;

export interface Display extends AsyncDisposable {
  /** For the variable DISPLAY. */
  readonly name: string;
}

/** Throws where Xvfb is missing or does not start. */
export async function startDisplay(): Promise<Display> {
  // It takes a free number itself and writes it to the third descriptor.
  const args = ['-displayfd', '3', '-screen', '0', '1400x900x24', '-nolisten', 'tcp'];
  const server = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const exited = once(server, 'exit');
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  const lines = createInterface({ input: server.stdio[3] as Readable });
  const failed = exited.then(() => Promise.reject(new Error('Xvfb ended at once')));
  try {
    const [number] = (await Promise.race([once(lines, 'line', { signal: limit }), failed])) as [string];
    // Its end is no failure from here on.
    failed.catch(() => undefined);
    return {
      name: `:${number}`,
      async [Symbol.asyncDispose]() {
        server.kill();
        await exited;
      },
    };
  } catch (error) {
    server.kill('SIGKILL');
    throw error;
  } finally {
    lines.close();
  }
}
