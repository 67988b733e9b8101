/**
 * Milvus' failures as our error codes: gRPC's own status here, a status inside an answer in milvus-verdicts.ts. By type
 * and number first, by text last. What matches nothing is `unknown`, never an exception.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorContext, ErrorSide } from '../../../shared/model/replication-error.ts';
import { ENDED_AT_ONCE, findTlsFault, RESET_IN_TLS } from './tls-faults.ts';
import {
  FORBIDDEN,
  INVALID,
  judgeReason,
  judgeStatus,
  open,
  RATE_LIMITED,
  refused,
  TOO_LARGE,
  UNAUTHENTICATED,
  UNSUPPORTED,
  type Verdict,
} from './milvus-verdicts.ts';

/** What went wrong, as it came: a status inside an answer, or gRPC's own status. */
export type MilvusFault =
  | { readonly kind: 'status'; readonly errorCode: number; readonly code: number; readonly reason: string }
  | { readonly kind: 'grpc'; readonly code: number; readonly details: string };

export interface MilvusOrigin {
  readonly side: Extract<ErrorSide, 'source' | 'target'>;
  /** `host:port`. */
  readonly address: string;
  /** Name of the RPC. */
  readonly call: string;
  readonly deadlineMs: number;
  /** Whether the connection has one, which some servers do not say when they refuse it. */
  readonly hasClientCertificate?: boolean;
}

const GRPC = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What grpc-js says before a call has left this machine; a failure after that may have been preceded by the effect. */
const NOT_SENT = /^(?:No connection established|Name resolution failed)/;

function reachability(details: string, hasClientCertificate: boolean): Verdict {
  if (!NOT_SENT.test(details)) {
    return open('unreachable', 'dropped the connection during {call} ({reason}). Check that Milvus is running.');
  }
  const unreachable = (cause: string, next: string): Verdict =>
    refused('unreachable', `cannot be reached (${cause}). ${next}`);
  if (/ECONNREFUSED/.test(details)) {
    return unreachable('connection refused', 'Check the address and that Milvus is running.');
  }
  if (/Name resolution failed|ENOTFOUND/.test(details)) {
    return unreachable('its name is not known', 'Check the spelling of the address.');
  }
  if (/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/.test(details)) {
    return unreachable('no route to it', 'Check the address, the network and any firewall.');
  }
  const fault = findTlsFault(details, '', hasClientCertificate);
  if (fault !== undefined) {
    // Either side may mend it while it is tried again.
    return refused('unreachable', `cannot be reached with TLS: ${fault.cause}. ${fault.nextStep}.`);
  }
  if (/certificate|SSL routines|tls/i.test(details) || RESET_IN_TLS.test(details)) {
    return unreachable(
      'it does not speak TLS as asked',
      'Check whether TLS is on there, and the scheme of the address.',
    );
  }
  if (/Protocol error/.test(details) || ENDED_AT_ONCE.test(details)) {
    return unreachable(
      'something other than Milvus answers, or it wants TLS',
      'Check the port, and whether it wants TLS or a client certificate.',
    );
  }
  return unreachable('no connection', 'Check the address and that Milvus is running.');
}

function judgeGrpc(code: number, details: string, hasClientCertificate: boolean): Verdict {
  switch (code) {
    case GRPC.unavailable:
      return reachability(details, hasClientCertificate);
    case GRPC.deadlineExceeded:
      // grpc-js tells what it was waiting for; without a peer no byte of the call was sent.
      return /remote_addr=/.test(details)
        ? open('timeout', 'did not answer {call} within {deadline}. Check its load and its log.')
        : refused(
            'unreachable',
            'cannot be reached (no answer within {deadline}). Check the address and the firewall, and whether Milvus is still starting.',
          );
    case GRPC.unauthenticated:
      return UNAUTHENTICATED;
    case GRPC.permissionDenied:
      return FORBIDDEN;
    case GRPC.resourceExhausted:
      // Else HTTP/2's "enhance your calm", which may come in the middle.
      return /message larger than max/.test(details) ? TOO_LARGE : { ...RATE_LIMITED, outcome: 'unknown' };
    case GRPC.unimplemented:
      return UNSUPPORTED;
    case GRPC.invalidArgument:
      return INVALID;
    case GRPC.internal:
      if (/error unmarshalling request/.test(details)) return INVALID;
      return open('unreachable', 'broke off {call} ({reason}). Check that Milvus is running.');
    case GRPC.cancelled:
      return open('unreachable', 'broke off {call} ({reason}). Check that Milvus is running.');
    default:
      return judgeReason(details);
  }
}

function judge(fault: MilvusFault, hasClientCertificate: boolean): Verdict {
  return fault.kind === 'grpc'
    ? judgeGrpc(fault.code, fault.details, hasClientCertificate)
    : judgeStatus(fault.code, fault.errorCode, fault.reason);
}

/** Longest piece of the server's words that goes into an error: whole expressions with keys may follow it. */
const REASON_LENGTH_MAX = 300;

/** The server's words, without the keys of rows that it quotes, on one line and not too long. */
export function presentableReason(reason: string): string {
  const withoutRows = reason.replace(/(expr(?:ession)?\s*[=:]\s*).*$/is, '$1…');
  const oneLine = withoutRows.replace(/\s+/g, ' ').trim();
  if (oneLine === '') return 'no reason given';
  return oneLine.length <= REASON_LENGTH_MAX ? oneLine : `${oneLine.slice(0, REASON_LENGTH_MAX)}…`;
}

const SIDE_NAMES = { source: 'The source', target: 'The target' } as const;

/**
 * Context of the error: `outcome` as above, `call`, the server's numbers as `milvusCode` and `milvusErrorCode` or
 * `grpcCode`, and `object` where the server missed or found one; besides what the caller hands in.
 */
export function classifyMilvusError(
  fault: MilvusFault,
  origin: MilvusOrigin,
  options?: { readonly context?: ErrorContext; readonly cause?: unknown },
): ReplicationError {
  const verdict = judge(fault, origin.hasClientCertificate ?? false);
  const reason = presentableReason(fault.kind === 'grpc' ? fault.details : fault.reason);
  const says = verdict.says
    .replaceAll('{call}', origin.call)
    .replaceAll('{deadline}', `${origin.deadlineMs / 1000} s`)
    .replaceAll('{reason}', () => reason);
  return new ReplicationError(verdict.code, origin.side, `${SIDE_NAMES[origin.side]} at ${origin.address} ${says}`, {
    cause: options?.cause,
    context: {
      ...options?.context,
      call: origin.call,
      outcome: verdict.outcome,
      ...(fault.kind === 'grpc'
        ? { grpcCode: fault.code }
        : { milvusCode: fault.code, milvusErrorCode: fault.errorCode }),
      ...(verdict.object === undefined ? {} : { object: verdict.object }),
    },
  });
}
