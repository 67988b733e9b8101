/** The window's one line to the core. Stores ask for it by injection; nothing else knows which line it is. */
import { inject, type InjectionKey } from 'vue';
import type { ContractClient } from '../../shared/contract/client.ts';

export const clientKey: InjectionKey<ContractClient> = Symbol('client');

/** Only within a store's or a component's setup. */
export function useClient(): ContractClient {
  const client = inject(clientKey);
  if (client === undefined) throw new Error('No client is provided: the window was not started by startWindow.');
  return client;
}
