/** What comes for a pull request: messages of the stream and, as headers with an HTTP-like code, what the server says. */
import type { Msg } from '@nats-io/transport-node';
import type { ErrorCode } from '../../../../shared/model/replication-error.ts';

/** `ended`: nothing more comes for this request, and nothing is wrong. */
export type PullStatus =
  'heartbeat' | 'ended' | 'messageTooLarge' | { readonly code: ErrorCode; readonly sentence: string };

export function readPullStatus(message: Msg): PullStatus {
  const code = message.headers?.code ?? 0;
  const text = message.headers?.description ?? '';
  // Read from nats-server 2.9.17, server/consumer.go. 408 "Request Timeout": expired, or at the log's end (newer servers say 404 there). 409 "Batch Completed": newer ones.
  if (code === 100) return 'heartbeat';
  if (code === 404 || (code === 408 && /timeout/i.test(text)) || (code === 409 && /batch completed/i.test(text))) {
    return 'ended';
  }
  if (code === 409 && /message size exceeds/i.test(text)) return 'messageTooLarge';
  if (code === 503 || (code === 409 && /consumer deleted|server shutdown|leadership change/i.test(text))) {
    const cause = code === 503 ? 'its consumer at the broker is gone' : `the broker said "${text}"`;
    return {
      code: 'unreachable',
      sentence: `${cause}. Reading goes on from the last message when it is opened again.`,
    };
  }
  return {
    code: 'unknown',
    sentence: `the broker answered a request with ${code} "${text}". See the broker's own log.`,
  };
}

/**
 * The stream sequence out of the reply subject, which is `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream
 * sequence>.…`, in newer servers with domain and account before the stream (ADR-15). `undefined` for anything else.
 */
export function sequenceOf(reply: string): bigint | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const token = tokens[tokens.length === 9 ? 5 : 7];
  return token !== undefined && /^\d+$/.test(token) ? BigInt(token) : undefined;
}

/** As the server counts a request's bytes: subject, reply subject, headers and payload (loopAndGatherMsgs). */
export const sizeOnTheWire = (message: Msg): number => (message as Msg & { size(): number }).size();
