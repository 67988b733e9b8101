/**
 * What went wrong between us and the source's etcd. etcd3 gives its errors classes and keeps the gRPC status only in
 * the text (`14 UNAVAILABLE: ...`), so: class first, text last. Unknown errors classify as unknown.
 */
import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  GRPCUnavailableError,
} from 'etcd3';
import { ReplicationError, type ErrorCode } from '../../../shared/model/replication-error.ts';
import { ENDED_AT_ONCE, findTlsFault, RESET_IN_TLS, type TlsFault } from './tls-faults.ts';

interface Verdict {
  readonly code: ErrorCode;
  /** Cause and next step, to stand after "The source's etcd at <addresses> ". */
  readonly sentence: string;
}

const UNAUTHENTICATED: Verdict = {
  code: 'unauthenticated',
  sentence: 'refuses the user name or password. Correct them in the source connection.',
};
const UNREACHABLE: Verdict = {
  code: 'unreachable',
  sentence: 'cannot be reached. Check the address, that etcd runs, and that no firewall stands between.',
};

const TLS_NOT_AGREED: Verdict = {
  code: 'unreachable',
  sentence: 'could not be reached with TLS as it is set. Check the certificates, and whether etcd speaks TLS at all.',
};

/** Classes that say it all. */
const BY_CLASS: readonly (readonly [new (...args: never[]) => Error, Verdict])[] = [
  [EtcdAuthenticationFailedError, UNAUTHENTICATED],
  [EtcdInvalidAuthTokenError, UNAUTHENTICATED],
  [GRPCUnauthenticatedError, UNAUTHENTICATED],
  [
    EtcdPermissionDeniedError,
    {
      code: 'permissionDenied',
      sentence: "does not let this user read Milvus' keys. Grant it a role that reads everything under the root path.",
    },
  ],
];

/** Texts of real errors; each stands in the tests as it was captured. The first that matches decides. */
const BY_TEXT: readonly (readonly [RegExp, Verdict])[] = [
  [
    /user name is empty/,
    { code: 'unauthenticated', sentence: 'wants a user name and a password. Give them in the source connection.' },
  ],
  [
    /authentication is not enabled/,
    {
      code: 'unauthenticated',
      sentence: 'knows no users. Leave user name and password empty in the source connection.',
    },
  ],
  [/certificate|SSL routines|secure TLS connection/, TLS_NOT_AGREED],
  [RESET_IN_TLS, TLS_NOT_AGREED],
  [
    ENDED_AT_ONCE,
    {
      code: 'unreachable',
      sentence:
        'takes connections and ends them at once. Check address and port, and whether it wants TLS or a client certificate.',
    },
  ],
  [
    /Protocol error|unknown service|Received HTTP status code/,
    {
      code: 'unreachable',
      sentence: 'is something else than an etcd. Check address and port, and whether a proxy stands between.',
    },
  ],
  [
    /Could not parse target name/,
    { code: 'invalidConfig', sentence: 'is no address. Give it as host:port in the source connection.' },
  ],
  [
    /no leader|leader changed|not capable|server stopped/,
    { code: 'notReady', sentence: 'has no leader at the moment. It is asked again.' },
  ],
  [/larger than max/, { code: 'messageTooLarge', sentence: 'sent an answer that is larger than Lifeline takes.' }],
];

/** Classes that leave room; asked after the texts. */
const BY_BROAD_CLASS: readonly (readonly [new (...args: never[]) => Error, Verdict])[] = [
  [GRPCUnavailableError, UNREACHABLE],
  [GRPCResourceExhastedError, { code: 'rateLimited', sentence: 'has too much to do. It is asked again.' }],
  [GRPCOutOfRangeError, { code: 'notReady', sentence: 'has moved on while it was being read. It is read again.' }],
  [ClientClosedError, { code: 'bug', sentence: 'was asked after its connection was closed.' }],
];

/** Whether a range asked for a revision that etcd has thrown away (`mvcc: required revision has been compacted`). */
export const isCompacted = (error: unknown): boolean =>
  error instanceof GRPCOutOfRangeError && error.message.includes('compacted');

/**
 * Never throws. `addresses` stand in the sentence; nothing else of the connection does.
 *
 * @param hasClientCertificate Whether the connection has one, which some servers do not say when they refuse it.
 */
export function classifyEtcdError(
  error: unknown,
  addresses: readonly string[],
  hasClientCertificate = false,
): ReplicationError {
  if (error instanceof ReplicationError) return error;
  const verdict = judge(error, hasClientCertificate);
  const message = `The source's etcd at ${addresses.join(', ')} ${verdict.sentence}`;
  return new ReplicationError(verdict.code, 'source', message, { cause: error });
}

function judge(error: unknown, hasClientCertificate: boolean): Verdict {
  if (!(error instanceof Error)) return unknownVerdict(String(error));
  for (const [type, verdict] of BY_CLASS) if (error instanceof type) return verdict;
  // A connection that is still being tried when the time is up never was one; grpc-js says so with the stage it was in.
  if (error instanceof GRPCDeadlineExceededError) {
    return /remote_addr/.test(error.message)
      ? { code: 'timeout', sentence: 'did not answer in time. Check its load and its disk.' }
      : UNREACHABLE;
  }
  const fault = findTlsFault(error.message, '', hasClientCertificate);
  if (fault !== undefined) return tlsVerdict(fault);
  for (const [pattern, verdict] of BY_TEXT) if (pattern.test(error.message)) return verdict;
  for (const [type, verdict] of BY_BROAD_CLASS) if (error instanceof type) return verdict;
  return unknownVerdict(error.message);
}

// Either side may mend it while it is tried again.
const tlsVerdict = ({ cause, nextStep }: TlsFault): Verdict => ({
  code: 'unreachable',
  sentence: `cannot be reached with TLS: ${cause}. ${nextStep}.`,
});

const unknownVerdict = (text: string): Verdict => ({
  code: 'unknown',
  sentence: `failed in a way that Lifeline does not know: ${text}`,
});
