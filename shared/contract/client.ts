/** The contract as a client sees it, whichever line it runs over. */
import type {
  ContractErrorData,
  EventName,
  EventPayload,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
} from './procedures.ts';

/** A call that the core refused or could not do: its error, rebuilt on this side. */
export class ContractError extends Error {
  readonly data: ContractErrorData;

  constructor(data: ContractErrorData) {
    super(data.message);
    this.name = 'ContractError';
    this.data = data;
  }
}

/** `resumed`: events may have been missed; ask the lists again. */
export type LinkState = 'connected' | 'resumed' | 'lost';

export interface ContractClient {
  /** @throws ContractError: the core's answer; any other error: the line itself. */
  call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>>;
  /** Returns how to end it. Events arrive in order. */
  on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void): () => void;
  /** `message`: why it is lost, as a sentence, where that is known. */
  onLink(listener: (state: LinkState, message?: string) => void): () => void;
  close(): void;
}

/** What goes over Electron's IPC and between shell and core: plain JSON. */
export type ContractAnswer =
  { readonly ok: true; readonly output: unknown } | { readonly ok: false; readonly error: ContractErrorData };

/** Channel names of Electron's IPC; the bridge offers functions, never these. */
export const IPC_CALL = 'lifeline:call';
export const IPC_EVENT = 'lifeline:event';
