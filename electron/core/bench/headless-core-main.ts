/** The core in a process of its own and without a window, as `serve` runs it, which measures itself when the bench asks. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { answerBench, BENCH_LINE_VARIABLE } from '../../../shared/bench/bench-line.ts';
import { openDataFolder } from '../data-folder.ts';
import { openCore } from '../services/core.ts';
import { MeasuredCore } from './measured-core.ts';

const logLevel = process.env['LIFELINE_LOG_LEVEL'] ?? 'warn';
const core = openCore({
  folder: openDataFolder(undefined),
  logLevel,
  logger: pino({ level: logLevel, base: null }, pino.destination(2)),
});
// Ctrl-C reaches both; the bench ends this in its order.
process.on('SIGINT', () => undefined);
const socket = connect(process.env[BENCH_LINE_VARIABLE] ?? '').setEncoding('utf8');
await once(socket, 'connect');
core.start();
answerBench(socket, { kind: 'hello', from: 'core' }, new MeasuredCore(core));
// The bench has ended, or has gone.
await once(socket, 'close');
await core.close();
