/**
 * What Milvus' error numbers and texts mean to us, and what a person is told. Every text was seen coming from a real
 * server (test/unit/engine/errors/milvus-faults.json).
 *
 * Numbers: servers since 2.3 answer with both an old `common.ErrorCode` and a new `code` (pkg/util/merr/errors.go); the
 * new one is the more exact of the two, but 65535 there means "not sorted yet", and then the text decides.
 */
import type { ErrorCode } from '../../../shared/model/replication-error.ts';
import type { Outcome } from './policy.ts';

/** What an object is that the server says is not there, or is there already. */
type MilvusObject = 'database' | 'collection' | 'partition' | 'index' | 'alias' | 'field' | 'load';

export interface Verdict {
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly object?: MilvusObject;
  /** The sentences after "The target at host:port". `{reason}` stands for what the server said. */
  readonly says: string;
}

export const refused = (code: ErrorCode, says: string, object?: MilvusObject): Verdict => ({
  code,
  outcome: 'refused',
  says,
  ...(object === undefined ? {} : { object }),
});
export const open = (code: ErrorCode, says: string): Verdict => ({ code, outcome: 'unknown', says });

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
export const RATE_LIMITED = refused(
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
export const TOO_LARGE = refused(
  'messageTooLarge',
  'refused a message of {call} as too large ({reason}). Raise the limits of message size there.',
);
export const UNAUTHENTICATED = refused(
  'unauthenticated',
  'refused the sign-in ({reason}). Check user name and password.',
);
export const FORBIDDEN = refused(
  'permissionDenied',
  'does not allow {call} to this user ({reason}). Grant the privilege there.',
);
export const INVALID = refused(
  'invalidRequest',
  'refused {call} as not valid ({reason}). Compare schema and settings with those of the source.',
);
export const UNSUPPORTED = refused(
  'unsupported',
  'does not offer {call} ({reason}). Check that this is Milvus, and its version.',
);
const TOO_FEW_NODES = refused(
  'invalidRequest',
  'has too few query nodes for {call} ({reason}). Add nodes there or load with fewer replicas.',
);
const STALLED = open(
  'timeout',
  'did not carry out {call} in time ({reason}). It is repeated; check the log that it writes to if this lasts.',
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
  1601: refused('alreadyExists', 'has a collection of the name that {call} asks for ({reason}).', 'alias'),
  1602: refused('alreadyExists', 'has the alias that {call} asks for already ({reason}).', 'alias'),
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

/** A repeated load that asks for other replicas, groups or fields than it is loaded with; comes with 1100, ErrParameterInvalid. */
const LOADED_OTHERWISE = /can't change the (?:replica number|resource groups|load field list) for loaded/;

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
  [
    /^duplicated new collection name\b/,
    refused('alreadyExists', 'has that name already ({reason}). Drop or rename what bears it there.', 'collection'),
  ],
  [/^database:.* not found$/, missing('database')],
  [
    /at most one distinct index is allowed per field|creating multiple indexes on same field is not supported/,
    refused('alreadyExists', 'has another index on that field ({reason}). Drop it there if it is not wanted.', 'index'),
  ],
  // Of the shards of a write, some may have been within the limit.
  [/maximum payload exceeded/, { ...TOO_LARGE, outcome: 'unknown' }],
  [/^nodes not enough$/, TOO_FEW_NODES],
  // Its log stands still, or its own deadline has passed while it waited for it: what it was asked for may come about yet.
  [/TaskCondition context Done$|context deadline exceeded$/, STALLED],
  // While a collection is loaded, released or moved between query nodes.
  [/fail(?:ed)? to (?:search\/)?[qQ]uery.*(?:channel not found|not available|not serviceable)/, NOT_READY_MIDWAY],
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

export function judgeReason(reason: string): Verdict {
  return BY_REASON.find(([pattern]) => pattern.test(reason))?.[1] ?? UNKNOWN;
}

/** Of a status inside an answer. */
export function judgeStatus(code: number, errorCode: number, reason: string): Verdict {
  const byQuota = code === QUOTA_CODE ? BY_QUOTA.find(([pattern]) => pattern.test(reason))?.[1] : undefined;
  if (LOADED_OTHERWISE.test(reason)) {
    return refused('alreadyExists', 'has it loaded in another way ({reason}). Release it there, then load it.', 'load');
  }
  return byQuota ?? BY_CODE[code] ?? BY_ERROR_CODE[errorCode] ?? judgeReason(reason);
}
