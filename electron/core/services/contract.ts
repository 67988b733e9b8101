/**
 * The services as the contract's procedures. Every front door (HTTP, IPC, later the CLI's own) goes through `dispatch`,
 * so that all of them parse, refuse and answer alike.
 */
import type { z } from 'zod';
import type { ContractAnswer } from '../../../shared/contract/client.ts';
import {
  procedures,
  type ContractErrorData,
  type ProcedureName,
  type ProcedureOutput,
} from '../../../shared/contract/procedures.ts';
import { firstIssue, readCall } from '../../../shared/contract/read-call.ts';
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
    const call = readCall(name, input);
    if (!call.ok) return call;
    try {
      return { ok: true, output: await perform(handlers, call.name, call.input) };
    } catch (error) {
      return { ok: false, error: toErrorData(error, name, logger) };
    }
  };
}

async function perform(handlers: Handlers, name: ProcedureName, input: unknown): Promise<unknown> {
  // The compiler cannot follow one name from the input to its handler.
  const handler = handlers[name] as (input: unknown) => unknown;
  const output = procedures[name].output.safeParse(await handler(input));
  if (output.success) return output.data;
  throw new ReplicationError(
    'bug',
    'internal',
    `Lifeline's answer to ${name} does not fit its own contract (at "${firstIssue(output.error).field}").`,
  );
}

export function toErrorData(thrown: unknown, procedure: string, logger: Logger): ContractErrorData {
  if (thrown instanceof Refusal) return thrown.toData();
  const { causes, context, ...data } = errorDataWithHint(thrown);
  if (data.code === 'bug') logger.error({ err: thrown, procedure }, 'A call failed unexpectedly.');
  return { ...data, causes: [...causes], context: { ...context } };
}
