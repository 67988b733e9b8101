/** The contract over the desktop window's bridge. */
import { ContractError, type ContractClient, type LinkState } from '../../shared/contract/client.ts';
import { LINK_EVENT, type LifelineBridge } from '../../shared/contract/desktop.ts';
import type {
  EventName,
  EventPayload,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
} from '../../shared/contract/procedures.ts';

type Listener = (payload: unknown) => void;
type LinkListener = (state: LinkState, message?: string) => void;

export function createBridgeClient(bridge: LifelineBridge): ContractClient {
  const listeners = new Map<string, Set<Listener>>();
  const linkListeners = new Set<LinkListener>();
  let link: Parameters<LinkListener> | undefined;

  const unsubscribe = bridge.onEvent(({ name, payload, message }) => {
    if (name !== LINK_EVENT) {
      for (const listener of [...(listeners.get(name) ?? [])]) listener(payload);
      return;
    }
    link = [payload as LinkState, message];
    for (const listener of [...linkListeners]) listener(...link);
  });

  return {
    async call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>> {
      // Values of Vue's reactivity cannot cross the bridge; JSON is all that the contract carries.
      const answer = await bridge.call(name, JSON.parse(JSON.stringify(input)));
      if (!answer.ok) throw new ContractError(answer.error);
      return answer.output as ProcedureOutput<N>;
    },
    on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void) {
      const all = listeners.get(name) ?? new Set<Listener>();
      listeners.set(name, all);
      all.add(listener as Listener);
      return () => void all.delete(listener as Listener);
    },
    onLink(listener) {
      linkListeners.add(listener);
      if (link !== undefined) listener(...link);
      return () => void linkListeners.delete(listener);
    },
    close() {
      unsubscribe();
      listeners.clear();
      linkListeners.clear();
    },
  };
}
