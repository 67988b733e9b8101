/**
 * A request that is not done because of what was asked: a fault of input, not of a cluster or of Lifeline. The message
 * says what is wrong, the hint what to do.
 */
import type { ContractErrorData } from '../../../shared/contract/procedures.ts';
import type { ErrorContext } from '../../../shared/model/replication-error.ts';

export type RefusalCode =
  | 'invalidInput'
  | 'unknownProcedure'
  | 'unauthenticated'
  | 'forbidden'
  | 'notFound'
  /** It cannot be done in the state that things are in. */
  | 'conflict';

export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly hint: string;
  /** `field`: the dotted path of the input that is wrong. */
  readonly context: ErrorContext;

  constructor(code: RefusalCode, message: string, hint: string, context: ErrorContext = {}) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.hint = hint;
    this.context = context;
  }

  toData(): ContractErrorData {
    const { code, message, hint, context } = this;
    return { code, side: 'config', message, context: { ...context }, causes: [], hint };
  }
}
