/** Whether a Kafka broker answers, asked in its own protocol: the question for its versions, which needs no client. */
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Between two questions. The server is up after about two seconds. */
const ASK_INTERVAL_MS = 50;
const ASK_TIMEOUT_MS = 2_000;

/** Length; then ApiVersions (18) in version 0, correlation id 1, no client id. */
const QUESTION = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
/** Of the answer: its length, the correlation id and the error code, 0 for none. */
const ANSWER_BYTES = 10;

/** Resolves once the broker answers. Throws the signal's reason when that comes first. */
export async function untilAnswering(port: number, signal: AbortSignal): Promise<void> {
  while (!(await answers(port, signal))) await delay(ASK_INTERVAL_MS, undefined, { signal });
}

function answers(port: number, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: ASK_TIMEOUT_MS }, () => socket.write(QUESTION));
    let answer = Buffer.alloc(0);
    const end = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.on('data', (data) => {
      answer = Buffer.concat([answer, data]);
      if (answer.length >= ANSWER_BYTES) end(answer.readInt32BE(4) === 1 && answer.readInt16BE(8) === 0);
    });
    socket.on('timeout', () => end(false));
    // Not listening yet, or not for long: whether there is any use in asking again is told by the signal.
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
