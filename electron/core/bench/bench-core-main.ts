/**
 * The core that the bench's window starts in place of `main`: the very core that it would start, which measures itself
 * when the bench asks for it.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { answerBench, BENCH_LINE_VARIABLE } from '../../../shared/bench/bench-line.ts';
import { desktop } from '../commands/desktop.ts';
import type { Core } from '../services/core.ts';
import { MeasuredCore } from './measured-core.ts';

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());

async function answer(core: Core): Promise<void> {
  const socket = connect(process.env[BENCH_LINE_VARIABLE] ?? '').setEncoding('utf8');
  // The bench is gone: then the window ends, and this with it.
  socket.on('error', () => undefined);
  // Ends with the core, whose other line is the one that counts.
  socket.unref();
  await once(socket, 'connect');
  answerBench(socket, { kind: 'hello', from: 'core' }, new MeasuredCore(core));
}

const logLevel = process.env['LIFELINE_LOG_LEVEL'] ?? 'warn';
process.exitCode = await desktop({ logLevel }, stopping.signal, (core) => {
  answer(core).catch((error: unknown) => process.stderr.write(`The bench cannot be reached: ${String(error)}\n`));
});
