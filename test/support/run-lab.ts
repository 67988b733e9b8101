/**
 * For trying things by hand: starts a throwaway lab, prints one line of JSON with both sides' connections, and stops it
 * on SIGTERM, SIGINT or the end of its input. Progress goes to stderr. Run it with Node 24:
 *
 *     node test/support/run-lab.ts
 */
import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import { startLab, type LabSide } from '../../electron/core/lab/lab.ts';

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort());
// Only an input that someone holds open: a job in the background has /dev/null, which ends at once.
const input = fstatSync(0);
if (input.isFIFO() || input.isSocket() || process.stdin.isTTY) {
  process.stdin
    .on('end', () => stopping.abort())
    .on('error', () => stopping.abort())
    .resume();
}

const describe = ({ instance, asSource, asTarget }: LabSide) => ({
  directory: instance.directory,
  pid: instance.pid,
  metricsPort: instance.ports.metrics,
  asSource,
  asTarget,
});

try {
  const lab = await startLab({
    purpose: 'throwaway',
    signal: stopping.signal,
    onProgress: ({ step, message, fraction }) =>
      process.stderr.write(`${step}: ${message}${fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`}\n`),
  });
  process.stdout.write(`${JSON.stringify({ source: describe(lab.source), target: describe(lab.target) })}\n`);
  // Neither a lab nor a signal handler keeps a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  if (!stopping.signal.aborted) await once(stopping.signal, 'abort');
  clearInterval(alive);
  await lab.stop();
} catch (error) {
  if (!stopping.signal.aborted) throw error;
}
// The input may still be open, and would keep the process.
process.exit(0);
