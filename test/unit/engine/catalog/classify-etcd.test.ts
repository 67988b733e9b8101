import {
  EtcdAuthenticationFailedError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCFailedPreconditionError,
  GRPCGenericError,
  GRPCInvalidArgumentError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnavailableError,
} from 'etcd3';
import { describe, expect, test } from 'vitest';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyEtcdError, isCompacted } from '../../../../electron/engine/errors/classify-etcd.ts';

const classify = (error: unknown): ReplicationError => classifyEtcdError(error, ['10.0.0.1:2379', '10.0.0.2:2379']);

// As etcd3 1.1.2 threw them, against the etcd inside Milvus 2.3.5 and against things that are no etcd.
const captured: readonly (readonly [what: string, error: Error, code: string, says: string])[] = [
  [
    'nobody listens',
    new GRPCUnavailableError(
      '14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
    ),
    'unreachable',
    'cannot be reached',
  ],
  [
    'a name that does not exist',
    new GRPCUnavailableError('14 UNAVAILABLE: Name resolution failed for target dns:no.such.host.invalid:2379'),
    'unreachable',
    'cannot be reached',
  ],
  [
    'something that takes the connection and stays silent',
    new GRPCDeadlineExceededError(
      '4 DEADLINE_EXCEEDED: Deadline exceeded after 4.001s,name resolution: 0.012s,metadata filters: 0.002s,Waiting for LB pick',
    ),
    'unreachable',
    'cannot be reached',
  ],
  [
    'TLS to a server without',
    new GRPCUnavailableError(
      '14 UNAVAILABLE: No connection established. Last error: Error: Client network socket disconnected before secure TLS connection was established. Resolution note: ',
    ),
    'unreachable',
    'TLS',
  ],
  [
    'TLS to a server that resets what it does not understand',
    new GRPCUnavailableError(
      '14 UNAVAILABLE: No connection established. Last error: Error: read ECONNRESET. Resolution note: ',
    ),
    'unreachable',
    'TLS',
  ],
  [
    'a server that resets what is not TLS',
    new GRPCUnavailableError(
      '14 UNAVAILABLE: No connection established. Last error: read ECONNRESET (2026-11-24T15:26:34.073Z). Resolution note: ',
    ),
    'unreachable',
    'whether it wants TLS',
  ],
  [
    'the port of the NATS server',
    new GRPCUnavailableError(
      '14 UNAVAILABLE: No connection established. Last error: Protocol error (2026-11-23T07:09:51.831Z). Resolution note: ',
    ),
    'unreachable',
    'something else than an etcd',
  ],
  [
    'the port of Milvus',
    new GRPCNotImplementedError('12 UNIMPLEMENTED: unknown service etcdserverpb.KV'),
    'unreachable',
    'something else than an etcd',
  ],
  [
    'a web proxy',
    new GRPCNotImplementedError('12 UNIMPLEMENTED: Received HTTP status code 404'),
    'unreachable',
    'proxy',
  ],
  ['an address that is none', new GRPCGenericError('Could not parse target name ""'), 'invalidConfig', 'host:port'],
  [
    'a wrong password',
    new EtcdAuthenticationFailedError(
      '3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password',
    ),
    'unauthenticated',
    'refuses the user name or password',
  ],
  [
    'no user name',
    new GRPCInvalidArgumentError('3 INVALID_ARGUMENT: etcdserver: user name is empty'),
    'unauthenticated',
    'wants a user name',
  ],
  [
    'a user name where there are no users',
    new GRPCFailedPreconditionError('9 FAILED_PRECONDITION: etcdserver: authentication is not enabled'),
    'unauthenticated',
    'knows no users',
  ],
  [
    'a user without grants',
    new EtcdPermissionDeniedError('7 PERMISSION_DENIED: etcdserver: permission denied'),
    'permissionDenied',
    'Grant it a role',
  ],
  [
    'a revision that is gone',
    new GRPCOutOfRangeError('11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted'),
    'notReady',
    'read again',
  ],
];

describe('classifyEtcdError', () => {
  test.each(captured)('%s', (_, error, code, says) => {
    const classified = classify(error);
    expect(classified).toMatchObject({ code, side: 'source', cause: error });
    expect(classified.message).toContain(says);
    expect(classified.message).toMatch(/^The source's etcd at 10\.0\.0\.1:2379, 10\.0\.0\.2:2379 .*\.$/);
  });

  // From etcd's and grpc-js' sources; not captured.
  const fromSources: readonly (readonly [error: Error, code: string])[] = [
    [new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: no leader'), 'notReady'],
    [new GRPCUnavailableError('14 UNAVAILABLE: etcdserver: leader changed'), 'notReady'],
    [new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: etcdserver: too many requests'), 'rateLimited'],
    [
      new GRPCResourceExhastedError('8 RESOURCE_EXHAUSTED: Received message larger than max (70000000 vs 67108864)'),
      'messageTooLarge',
    ],
    [new GRPCUnavailableError('14 UNAVAILABLE: Last error: Error: self-signed certificate'), 'unreachable'],
    [
      new GRPCDeadlineExceededError(
        '4 DEADLINE_EXCEEDED: Deadline exceeded after 4s,LB pick: 0.002s,remote_addr=1.2.3.4:2379',
      ),
      'timeout',
    ],
  ];
  test.each(fromSources)('%s', (error, code) => {
    expect(classify(error).code).toBe(code);
  });

  test.each([new Error('never seen'), 'a string', undefined, null, { code: 14 }])(
    'an unknown error (%s) classifies as unknown',
    (error) => {
      expect(classify(error)).toMatchObject({ code: 'unknown', side: 'source' });
    },
  );

  test('an error that is classified already stays as it is', () => {
    const error = new ReplicationError('rootPathNotFound', 'source', 'No Milvus there.');
    expect(classify(error)).toBe(error);
  });

  test('only a compacted revision is compacted', () => {
    expect(captured.filter(([, error]) => isCompacted(error)).map(([what]) => what)).toEqual([
      'a revision that is gone',
    ]);
  });
});
