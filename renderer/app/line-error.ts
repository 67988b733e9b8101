/** What goes wrong on the way to the core, told apart from what goes wrong in the window itself. */
import { ContractError, type ContractClient } from '../../shared/contract/client.ts';

/** The core was not reached, or was not understood. The cause says what the line said. */
export class LineError extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'LineError';
  }
}

/** The same client, whose every other failure than the core's own answers is a `LineError`. */
export function withLineErrors(client: ContractClient): ContractClient {
  return {
    ...client,
    async call(name, input) {
      try {
        return await client.call(name, input);
      } catch (thrown) {
        throw thrown instanceof ContractError ? thrown : new LineError(thrown);
      }
    },
  };
}
