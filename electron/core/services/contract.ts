/**
 * The services as the contract's procedures. Every front door (HTTP, IPC, later the CLI's own) goes through `dispatch`,
 * so that all of them parse, refuse and answer alike.
 */
import { z } from 'zod';
import type { ContractAnswer } from '../../../shared/contract/client.ts';
import {
  procedures,
  type ContractErrorData,
  type ProcedureName,
  type ProcedureOutput,
} from '../../../shared/contract/procedures.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { errorDataWithHint } from '../../engine/host/error-data.ts';
import type { Logger } from '../../engine/runtime/logger.ts';
import { Refusal } from './refusal.ts';

/** Input as it is after parsing: defaults filled in. */
export type ParsedInput<N extends ProcedureName> = z.output<(typeof procedures)[N]['input']>;

export type Handlers = {
  readonly [N in ProcedureName]: (input: ParsedInput<N>) => ProcedureOutput<N> | Promise<ProcedureOutput<N>>;
};

export type Dispatch = (name: string, input: unknown) => Promise<ContractAnswer>;

/** The result never rejects: whatever goes wrong is an answer. */
export function createDispatch(handlers: Handlers, logger: Logger): Dispatch {
  return async (name, input) => {
    try {
      return { ok: true, output: await perform(handlers, name, input) };
    } catch (error) {
      return { ok: false, error: toErrorData(error, name, logger) };
    }
  };
}

async function perform(handlers: Handlers, name: string, input: unknown): Promise<unknown> {
  if (!Object.hasOwn(procedures, name)) {
    throw new Refusal(
      'unknownProcedure',
      `There is no procedure named "${name.slice(0, 100)}".`,
      'Use a window or client of the same version as the core.',
    );
  }
  const known = name as ProcedureName;
  const parsed = procedures[known].input.safeParse(input);
  if (!parsed.success) throw invalidInput(parsed.error);
  // The compiler cannot follow one name from the input to its handler.
  const handler = handlers[known] as (input: unknown) => unknown;
  const output = procedures[known].output.safeParse(await handler(parsed.data));
  if (output.success) return output.data;
  throw new ReplicationError(
    'bug',
    'internal',
    `Lifeline's answer to ${known} does not fit its own contract (at "${issueOf(output.error).field}").`,
  );
}

export function toErrorData(thrown: unknown, procedure: string, logger: Logger): ContractErrorData {
  if (thrown instanceof Refusal) return thrown.toData();
  const { causes, context, ...data } = errorDataWithHint(thrown);
  if (data.code === 'bug') logger.error({ err: thrown, procedure }, 'A call failed unexpectedly.');
  return { ...data, causes: [...causes], context: { ...context } };
}

/** Names the field and the rule, never the value: that may be a password. */
function invalidInput(error: z.ZodError): Refusal {
  const { field, message } = issueOf(error);
  const place = field === '' ? 'The input' : `The field "${field}"`;
  return new Refusal('invalidInput', `${place} does not fit: ${message}`, 'Correct the named field.', { field });
}

function issueOf(error: z.ZodError): { field: string; message: string } {
  const [issue] = error.issues;
  if (issue === undefined) return { field: '', message: 'unknown' };
  return { field: z.core.toDotPath(issue.path), message: issue.message };
}
