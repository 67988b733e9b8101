/** The shell's part in `npm run bench`: how late its event loop comes to its work while the engine is at full speed. */
import { connect } from 'net';
import { monitorEventLoopDelay } from 'perf_hooks';
import { answerBench } from '../../shared/bench/bench-line.ts';
import { LOOP_RESOLUTION_MS, readLoopDelay } from '../../shared/bench/loop-delay.ts';

/** To be called when the window's page is there. `onGone`: the bench has ended, and nobody else will end this window. */
export function measureForBench(path: string, onGone: () => void): void {
  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  const socket = connect(path).setEncoding('utf8');
  const { electron, node } = process.versions;
  socket.once('connect', () =>
    answerBench(
      socket,
      { kind: 'hello', from: 'shell', electron, node },
      {
        measure() {
          loop.reset();
          loop.enable();
        },
        report() {
          loop.disable();
          return { loopDelayMs: readLoopDelay(loop) };
        },
      },
    ),
  );
  socket.on('error', (error) => process.stderr.write(`The bench cannot be reached: ${error.message}\n`));
  socket.once('close', onGone);
}
