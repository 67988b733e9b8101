/** Whatever was thrown, as what a person needs: what happened, and what to do. */
import { ContractError } from '../../shared/contract/client.ts';
import { LineError } from '../app/line-error.ts';

export interface ShownError {
  /** A code of the core; `line`: the core was not reached; `bug`: the window itself failed. */
  readonly code: string;
  readonly side: string;
  /** One sentence of the core, in English; empty where the window has its own words. */
  readonly message: string;
  /** The core's advice, in English. */
  readonly hint: string;
  readonly causes: readonly string[];
  /** The dotted path of the input that is wrong, as the contract has it. */
  readonly field?: string | undefined;
}

export function toShownError(thrown: unknown): ShownError {
  if (thrown instanceof ContractError) {
    const { code, side, message, hint, causes, context } = thrown.data;
    return { code, side, message, hint, causes, field: context.field };
  }
  return {
    code: thrown instanceof LineError ? 'line' : 'bug',
    side: 'internal',
    message: '',
    hint: '',
    causes: [thrown instanceof Error ? thrown.message : String(thrown)],
  };
}

/** For the clipboard: everything that is known, line by line. */
export function errorText({ code, side, message, hint, causes }: ShownError): string {
  return [message, hint, `${side}: ${code}`, ...causes.map((cause) => `  ${cause}`)]
    .filter((line) => line !== '')
    .join('\n');
}
