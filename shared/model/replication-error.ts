/**
 * The one error class of the product. Throw sites state what happened; what to do about it stands in one table
 * (`electron/engine/errors/policy.ts`). Messages are sentences for a person: the side, the cause, the next step. They
 * never hold credentials, tokens, vectors or row values.
 */

import type { ErrorContext, ErrorData } from './error-data.ts';

export type { ErrorContext, ErrorData } from './error-data.ts';

const ERROR_SIDES = ['source', 'wal', 'target', 'store', 'config', 'lab', 'internal'] as const;
export type ErrorSide = (typeof ERROR_SIDES)[number];

/** Closed: a new code needs a row in the policy table, or it does not compile. */
export const ERROR_CODES = [
  'unreachable',
  'unauthenticated',
  'permissionDenied',
  'timeout',
  'rateLimited',
  'writeRefused',
  'notReady',
  'notFound',
  'notReadable',
  'importNotCopied',
  'alreadyExists',
  'invalidRequest',
  'unsupported',
  'unknown',
  'rootPathNotFound',
  'channelsNotFound',
  'positionLost',
  'sourceChanged',
  'sourceGone',
  'targetChanged',
  'doubledRows',
  'decisionNeeded',
  'malformedMessage',
  'messageTooLarge',
  'storeFailed',
  'storeFull',
  'storeOutdated',
  'leaseLost',
  'targetInUse',
  'replicationLoop',
  'invalidConfig',
  'prerequisiteMissing',
  'downloadFailed',
  'labFailed',
  'bug',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export class ReplicationError extends Error {
  readonly code: ErrorCode;
  readonly side: ErrorSide;
  readonly context: ErrorContext;

  constructor(
    code: ErrorCode,
    side: ErrorSide,
    message: string,
    options?: { cause?: unknown; context?: ErrorContext },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ReplicationError';
    this.code = code;
    this.side = side;
    this.context = options?.context ?? {};
  }

  toData(): ErrorData {
    const causes: string[] = [];
    let cause: unknown = this.cause;
    // Four levels say enough, and a cycle of causes cannot hang us.
    for (let depth = 0; depth < 4 && cause instanceof Error; depth += 1) {
      causes.push(cause.message);
      cause = cause.cause;
    }
    return { code: this.code, side: this.side, message: this.message, context: this.context, causes };
  }

  static fromData(data: ErrorData): ReplicationError {
    let cause: Error | undefined;
    for (const message of data.causes.toReversed()) cause = new Error(message, cause === undefined ? {} : { cause });
    // Of another version, or a refusal of the core.
    const code = ERROR_CODES.find((known) => known === data.code) ?? 'unknown';
    const side = ERROR_SIDES.find((known) => known === data.side) ?? 'internal';
    return new ReplicationError(code, side, data.message, { context: data.context, cause });
  }
}

/** Any thrown value as a `ReplicationError`; what is not ours is a bug of ours until a classifier says otherwise. */
export function toReplicationError(thrown: unknown): ReplicationError {
  if (thrown instanceof ReplicationError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ReplicationError('bug', 'internal', `Lifeline failed unexpectedly: ${message}`, { cause: thrown });
}
