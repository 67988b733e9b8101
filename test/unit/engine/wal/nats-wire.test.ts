import type { Msg } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { readPullStatus, sequenceOf } from '../../../../electron/engine/source/wal/nats-wire.ts';

const status = (code: number, description: string): Msg => ({ headers: { code, description } }) as unknown as Msg;

describe("what NATS says to a reader's request", () => {
  it.each([
    [100, 'Idle Heartbeat', 'heartbeat'],
    [404, 'No Messages', 'ended'],
    [408, 'Request Timeout', 'ended'],
    [409, 'Batch Completed', 'ended'],
    [409, 'Message Size Exceeds MaxBytes', 'messageTooLarge'],
  ])('%i "%s" is %s', (code, description, meaning) => {
    expect(readPullStatus(status(code, description))).toBe(meaning);
  });

  it.each([
    [503, '', 'unreachable'],
    [409, 'Consumer Deleted', 'unreachable'],
    [409, 'Server Shutdown', 'unreachable'],
    [409, 'Leadership Change', 'unreachable'],
    [408, 'Requests Pending', 'unknown'],
    [400, 'Bad Request', 'unknown'],
    [409, 'Consumer is push based', 'unknown'],
    [299, 'Something new', 'unknown'],
  ])('%i "%s" ends the reader as %s', (code, description, meaning) => {
    expect(readPullStatus(status(code, description))).toMatchObject({ code: meaning });
  });

  it('finds the sequence in the reply subjects of old and new servers, exact beyond 53 bits', () => {
    expect(sequenceOf('$JS.ACK.by-dev-rootcoord-dml_0.lifeline-x.1.17.3.1700000000000000000.0')).toBe(17n);
    expect(sequenceOf('$JS.ACK._.ACCHASH.stream.consumer.1.9007199254740993.3.1700000000000000000.0.rnd')).toBe(
      9007199254740993n,
    );
  });

  it.each(['', '_INBOX.abc', '$JS.ACK.a.b.1.x.3.4.0', '$JS.ACK'])('finds none in "%s"', (reply) => {
    expect(sequenceOf(reply)).toBeUndefined();
  });
});
