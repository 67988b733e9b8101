/** Any failure as data for whoever operates the core, with what to do about it. */
import { toReplicationError, type ErrorData } from '../../../shared/model/replication-error.ts';
import { hintFor } from '../errors/policy.ts';

export interface ErrorDataWithHint extends ErrorData {
  readonly hint: string;
}

export function errorDataWithHint(thrown: unknown): ErrorDataWithHint {
  const error = toReplicationError(thrown);
  return { ...error.toData(), hint: hintFor(error) };
}
