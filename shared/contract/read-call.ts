/**
 * A call as it comes over a line, read against the contract: the core and the desktop's shell refuse alike, so that a
 * window is told the same whichever of them looks first.
 */
import { z } from 'zod';
import { procedures, type ContractErrorData, type ProcedureName } from './procedures.ts';

/** Enough of a name that is not ours to recognise it by. */
const SHOWN_NAME_CHARS_MAX = 100;

export type ReadCall =
  /** `input`: as it was parsed, defaults filled in. */
  | { readonly ok: true; readonly name: ProcedureName; readonly input: unknown }
  | { readonly ok: false; readonly error: ContractErrorData };

/** Never throws. What it says of a wrong input names the field and the rule, never the value: that may be a password. */
export function readCall(name: unknown, input: unknown): ReadCall {
  if (typeof name !== 'string' || !isProcedure(name)) {
    return refused(
      'unknownProcedure',
      `There is no procedure named "${String(name).slice(0, SHOWN_NAME_CHARS_MAX)}".`,
      'Use a window or client of the same version as the core.',
    );
  }
  const parsed = procedures[name].input.safeParse(input);
  if (parsed.success) return { ok: true, name, input: parsed.data };
  const { field, message } = firstIssue(parsed.error);
  const place = field === '' ? 'The input' : `The field "${field}"`;
  return refused('invalidInput', `${place} does not fit: ${message}`, 'Correct the named field.', { field });
}

/** Of a schema of the contract: where what was said does not fit, as a dotted path, and the rule. */
export function firstIssue(error: z.ZodError): { readonly field: string; readonly message: string } {
  const [issue] = error.issues;
  if (issue === undefined) return { field: '', message: 'unknown' };
  return { field: z.core.toDotPath(issue.path), message: issue.message };
}

// Not `Object.hasOwn`: the oldest Electron's Node has none.
const isProcedure = (name: string): name is ProcedureName => Object.prototype.hasOwnProperty.call(procedures, name);

function refused(code: string, message: string, hint: string, context: ContractErrorData['context'] = {}): ReadCall {
  return { ok: false, error: { code, side: 'config', message, context, causes: [], hint } };
}
