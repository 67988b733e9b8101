/**
 * Milvus' failures as our error codes. By type and number first, by text last; every text below was seen coming from a
 * real server (test/unit/engine/errors/milvus-faults.json). What matches nothing is `unknown`, never an exception.
 *
 * Numbers: servers since 2.3 answer with both an old `common.ErrorCode` and a new `code` (pkg/util/merr/errors.go); the
 * new one is the more exact of the two, but 65535 there means "not sorted yet", and then the text decides.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { ErrorCode, ErrorContext, ErrorSide } from '../../../shared/model/replication-error.ts';
import type { Outcome } from './policy.ts';

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
}

/** What an object is that the server says is not there, or is there already. */
export type MilvusObject = 'database' | 'collection' | 'partition' | 'index' | 'alias' | 'field';

interface Verdict {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly object?: MilvusObject;
  /** The sentences after "The target at host:port". `{reason}` stands for what the server said. */
  readonly says: string;
}

const refused = (code: ErrorCode, says: string, object?: MilvusObject): Verdict => ({
  code,
  outcome: 'refused',
  says,
  ...(object === undefined ? {} : { object }),
});
const open = (code: ErrorCode, says: string): Verdict => ({ code, outcome: 'unknown', says });

const missing = (object: MilvusObject): Verdict =>
  refused(
    'notFound',
    `does not have the ${object} that {call} names ({reason}). Check whether it was dropped there by hand.`,
    object,
  );

const NOT_READY = refused('notReady', 'is not ready to serve yet ({reason}). Wait until Milvus has started in full.');
const NOT_READY_MIDWAY = open(
  'notReady',
  'has a part that does not serve at present ({reason}). Wait until all of Milvus runs.',
);
const RATE_LIMITED = refused(
  'rateLimited',
  'limits the rate of {call} ({reason}). Raise quotaAndLimits there if this lasts.',
);
const FENCED = refused(
  'writeRefused',
  'takes no writes: {reason}. Set quotaAndLimits.limitWriting.forceDeny to false there.',
);
// Memory and late ticks mend themselves once the target has caught up, which the other quotas do not.
const MEMORY_FULL = refused(
  'rateLimited',
  'takes no writes because its memory is full ({reason}). Give it more memory if this lasts.',
);
const DISK_FULL = refused(
  'writeRefused',
  'takes no writes because its disk quota is used up ({reason}). Free space or raise the quota there.',
);
const TICK_DELAYED = refused(
  'rateLimited',
  'takes no writes because its own time ticks are late ({reason}). Check its data and query nodes.',
);
const QUOTA = refused('writeRefused', 'refused {call} because of a quota ({reason}). Check quotaAndLimits there.');
const MIRROR = refused(
  'writeRefused',
  'is in mirror mode and takes no writes ({reason}). Set common.ttMsgEnabled to true there and restart it.',
);
const TOO_LARGE = refused(
  'messageTooLarge',
  'refused a message of {call} as too large ({reason}). Raise the limits of message size there.',
);
const UNAUTHENTICATED = refused('unauthenticated', 'refused the sign-in ({reason}). Check user name and password.');
const FORBIDDEN = refused(
  'permissionDenied',
  'does not allow {call} to this user ({reason}). Grant the privilege there.',
);
const INVALID = refused(
  'invalidRequest',
  'refused {call} as not valid ({reason}). Compare schema and settings with those of the source.',
);
const UNSUPPORTED = refused(
  'unsupported',
  'does not offer {call} ({reason}). Check that this is Milvus, and its version.',
);
const TOO_FEW_NODES = refused(
  'invalidRequest',
  'has too few query nodes for {call} ({reason}). Add nodes there or load with fewer replicas.',
);
const UNKNOWN = open('unknown', 'failed in {call}: {reason}. See its log for the cause.');

/** By `code`, new servers. Names in comments are those of pkg/util/merr/errors.go. */
const BY_CODE: Readonly<Record<number, Verdict>> = {
  1: NOT_READY, // ErrServiceNotReady
  2: NOT_READY_MIDWAY, // ErrServiceUnavailable
  3: MEMORY_FULL, // ErrServiceMemoryLimitExceeded
  4: RATE_LIMITED, // ErrServiceRequestLimitExceeded
  7: DISK_FULL, // ErrServiceDiskLimitExceeded
  8: RATE_LIMITED, // ErrServiceRateLimit
  9: QUOTA, // ErrServiceQuotaExceeded
  10: UNSUPPORTED, // ErrServiceUnimplemented
  11: TICK_DELAYED, // ErrServiceTimeTickLongDelay
  12: TOO_FEW_NODES, // ErrServiceResourceInsufficient
  100: missing('collection'),
  101: refused('invalidRequest', 'refused {call} because the collection is not loaded ({reason}). Load it there.'),
  103: refused('notReady', 'has not loaded the collection in full yet ({reason}). Wait until it has.'),
  106: NOT_READY_MIDWAY, // ErrCollectionOnRecovering
  200: missing('partition'),
  503: NOT_READY_MIDWAY, // ErrChannelNotAvailable
  700: missing('index'),
  702: refused(
    'alreadyExists',
    'has another index in that place ({reason}). Drop it there if it is not wanted.',
    'index',
  ),
  800: missing('database'),
  901: NOT_READY_MIDWAY, // ErrNodeNotFound
  902: NOT_READY_MIDWAY, // ErrNodeOffline
  905: NOT_READY_MIDWAY, // ErrNodeNotAvailable
  1100: INVALID, // ErrParameterInvalid
  1101: INVALID, // ErrParameterMissing
  1102: TOO_LARGE, // ErrParameterTooLarge
  1303: MIRROR, // ErrDenyProduceMsg
  1400: UNAUTHENTICATED,
  1401: FORBIDDEN,
  1600: missing('alias'),
  1700: missing('field'),
  1900: refused('unsupported', 'takes no {call}, being no mirror ({reason}). Write to it in the ordinary way.'), // ErrDenyReplicateMessage
};

/** By `errorCode`, for servers that know no other. */
const BY_ERROR_CODE: Readonly<Record<number, Verdict>> = {
  3: FORBIDDEN, // PermissionDenied
  4: missing('collection'), // CollectionNotExists
  5: INVALID, // IllegalArgument
  7: INVALID, // IllegalDimension
  8: INVALID, // IllegalIndexType
  9: INVALID, // IllegalCollectionName
  25: missing('index'), // IndexNotExist
  28: missing('collection'), // CollectionNameNotFound
  48: FENCED, // ForceDeny
  49: RATE_LIMITED, // RateLimit
  53: MEMORY_FULL, // MemoryQuotaExhausted
  54: DISK_FULL, // DiskQuotaExhausted
  55: TICK_DELAYED, // TimeTickLongDelay
  56: NOT_READY, // NotReadyServe
  57: NOT_READY, // NotReadyCoordActivating
};

/** One code for all quotas; 2.3.5 sets `ForceDeny` beside it whichever it was, so that only the text tells. */
const QUOTA_CODE = 9;
const BY_QUOTA: readonly (readonly [RegExp, Verdict])[] = [
  [/deactivated by the administrator/, FENCED],
  [/memory quota exceeded/, MEMORY_FULL],
  [/disk quota exceeded/, DISK_FULL],
  [/time tick/, TICK_DELAYED],
];

/** Statuses that came with nothing better than 65535 or `UnexpectedError`. */
const BY_REASON: readonly (readonly [RegExp, Verdict])[] = [
  [
    /^database already exist\b/,
    refused('alreadyExists', 'has that database already. Use it as it is, or drop it there.', 'database'),
  ],
  [
    /^create duplicate collection with different parameters\b/,
    refused('alreadyExists', 'has another collection of that name ({reason}). Drop or rename it there.', 'collection'),
  ],
  [/^database:.* not found$/, missing('database')],
  [
    /at most one distinct index is allowed per field|creating multiple indexes on same field is not supported/,
    refused('alreadyExists', 'has another index on that field ({reason}). Drop it there if it is not wanted.', 'index'),
  ],
  // Of the shards of a write, some may have been within the limit.
  [/maximum payload exceeded/, { ...TOO_LARGE, outcome: 'unknown' }],
  [/^nodes not enough$/, TOO_FEW_NODES],
  [
    /please release it first$/,
    refused('invalidRequest', 'refused {call} while it is loaded ({reason}). Release it there.'),
  ],
  ...[
    /should divide the dim/,
    /cannot create index on non-exist field/,
    /not empty, must drop all collections/,
    /can not drop default database/,
    /default partition cannot be deleted/,
    /cannot drop the collection via alias/,
    /not support manually specifying the partition names/,
    /cannot parse invalid wire-format data/,
    /failed to create expr plan/,
  ].map((pattern) => [pattern, INVALID] as const),
];

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

function reachability(details: string): Verdict {
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
  if (/certificate|CERT_|altnames/i.test(details)) {
    return unreachable('its certificate is not trusted', 'Check the CA certificate and the server name.');
  }
  if (/SSL routines|wrong version number|tls/i.test(details)) {
    return unreachable(
      'it does not speak TLS as asked',
      'Check whether TLS is on there, and the scheme of the address.',
    );
  }
  if (/Protocol error/.test(details)) {
    return unreachable('something other than Milvus answers, or it wants TLS', 'Check the port and the TLS settings.');
  }
  // The call had not left this machine yet.
  if (/^No connection established/.test(details))
    return unreachable('no connection', 'Check the address and that Milvus is running.');
  return open('unreachable', 'dropped the connection during {call}. Check that Milvus is running.');
}

function judgeGrpc(code: number, details: string): Verdict {
  switch (code) {
    case GRPC.unavailable:
      return reachability(details);
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
      return /message larger than max/.test(details) ? TOO_LARGE : RATE_LIMITED;
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

function judgeReason(reason: string): Verdict {
  return BY_REASON.find(([pattern]) => pattern.test(reason))?.[1] ?? UNKNOWN;
}

function judge(fault: MilvusFault): Verdict {
  if (fault.kind === 'grpc') return judgeGrpc(fault.code, fault.details);
  const { code, errorCode, reason } = fault;
  const byQuota = code === QUOTA_CODE ? BY_QUOTA.find(([pattern]) => pattern.test(reason))?.[1] : undefined;
  return byQuota ?? BY_CODE[code] ?? BY_ERROR_CODE[errorCode] ?? judgeReason(reason);
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
  const verdict = judge(fault);
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
