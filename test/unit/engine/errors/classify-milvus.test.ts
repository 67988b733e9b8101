import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  classifyMilvusError,
  presentableReason,
  type MilvusFault,
} from '../../../../electron/engine/errors/classify-milvus.ts';

interface RecordedFault {
  readonly name: string;
  readonly call: string;
  readonly fault: MilvusFault;
  readonly expected: { readonly code: string; readonly outcome: string; readonly object?: string };
}

const { faults } = JSON.parse(readFileSync(new URL('./milvus-faults.json', import.meta.url), 'utf8')) as {
  readonly faults: readonly RecordedFault[];
};

const origin = (call: string) => ({ side: 'target', address: '10.0.0.7:19530', call, deadlineMs: 2_000 }) as const;

describe('a failure recorded from a real Milvus', () => {
  it.each(faults)('is known for what it is: $name ($call)', ({ call, fault, expected }) => {
    const error = classifyMilvusError(fault, origin(call));
    expect({ code: error.code, outcome: error.context['outcome'], object: error.context['object'] }).toEqual({
      object: undefined,
      ...expected,
    });
  });

  it.each(faults)('is told in sentences that name side and next step: $name ($call)', ({ call, fault }) => {
    const { message, side } = classifyMilvusError(fault, origin(call));
    expect(side).toBe('target');
    expect(message).toMatch(/^The target at 10\.0\.0\.7:19530 .+\. [A-Z].+\.$/s);
    expect(message).not.toMatch(/[{}\n]/);
  });
});

describe('a failure of Milvus', () => {
  it('that nobody has seen yet is unknown and leaves the outcome open', () => {
    const fault = { kind: 'status', code: 65_535, errorCode: 1, reason: 'something new' } as const;
    expect(classifyMilvusError(fault, origin('Insert'))).toMatchObject({
      code: 'unknown',
      message: 'The target at 10.0.0.7:19530 failed in Insert: something new. See its log for the cause.',
      context: { outcome: 'unknown', call: 'Insert', milvusCode: 65_535, milvusErrorCode: 1 },
    });
  });

  // As grpc-js 1.14 says it of a server that resets what it does not understand.
  it.each([
    [
      'while TLS is agreed on',
      'No connection established. Last error: Error: read ECONNRESET. Resolution note: ',
      'it does not speak TLS as asked',
    ],
    [
      'without TLS',
      'No connection established. Last error: read ECONNRESET (2026-11-24T15:26:34.073Z). Resolution note: ',
      'something other than Milvus answers, or it wants TLS',
    ],
  ])('that resets the connection %s is told by where it did', (_, details, cause) => {
    const error = classifyMilvusError({ kind: 'grpc', code: 14, details }, origin('GetVersion'));
    expect(error).toMatchObject({ code: 'unreachable', context: { outcome: 'refused' } });
    expect(error.message).toContain(`cannot be reached (${cause}).`);
  });

  it('never crashes the classifier', () => {
    const anyFault: fc.Arbitrary<MilvusFault> = fc.oneof(
      fc.record({
        kind: fc.constant('status' as const),
        code: fc.integer(),
        errorCode: fc.integer(),
        reason: fc.string(),
      }),
      fc.record({ kind: fc.constant('grpc' as const), code: fc.integer(), details: fc.string() }),
    );
    fc.assert(
      fc.property(anyFault, (fault) => {
        expect(classifyMilvusError(fault, origin('Insert')).side).toBe('target');
      }),
    );
  });

  it.each(['read ETIMEDOUT', 'read ECONNRESET', 'Connection dropped', 'TLS socket closed'])(
    'leaves the outcome open when the connection broke after the call was sent: %s',
    (details) => {
      expect(classifyMilvusError({ kind: 'grpc', code: 14, details }, origin('Insert'))).toMatchObject({
        code: 'unreachable',
        context: { outcome: 'unknown' },
      });
    },
  );

  it('of an old server, which knows only the old codes, is known as well', () => {
    const fault = { kind: 'status', code: 0, errorCode: 4, reason: "can't find collection: c" } as const;
    expect(classifyMilvusError(fault, origin('Insert'))).toMatchObject({
      code: 'notFound',
      context: { object: 'collection' },
    });
  });

  it('carries what the caller knows, and its cause', () => {
    const cause = new Error('14 UNAVAILABLE');
    const error = classifyMilvusError({ kind: 'grpc', code: 14, details: 'read ECONNRESET' }, origin('Insert'), {
      context: { collection: 'orders', rowCount: 5 },
      cause,
    });
    expect(error).toMatchObject({ cause, context: { collection: 'orders', rowCount: 5, grpcCode: 14 } });
  });

  it('says nothing of the keys that an expression named', () => {
    const fault = {
      kind: 'status',
      code: 65_535,
      errorCode: 1,
      reason: 'failed to create expr plan, expr = id in ["secret\nkey", 7]',
    } as const;
    expect(JSON.stringify(classifyMilvusError(fault, origin('Delete')).toData())).not.toMatch(/secret|key"/);
  });
});

describe("the server's words", () => {
  it.each([
    ['cannot parse expression: id in ["a"], error: bad', 'cannot parse expression: …'],
    ['two\n  lines', 'two lines'],
    ['', 'no reason given'],
    ['x'.repeat(400), `${'x'.repeat(300)}…`],
  ])('are fit to be shown: %j', (reason, shown) => {
    expect(presentableReason(reason)).toBe(shown);
  });
});
