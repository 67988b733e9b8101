/** Which core this is. */
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import type { SystemInfo } from '../../shared/contract/procedures.ts';
import { useClient } from './client.ts';
import { createLatest } from './latest.ts';
import { useLink } from './link.store.ts';

export const useSystem = defineStore('system', () => {
  const client = useClient();
  const latest = createLatest();
  const info = shallowRef<SystemInfo>();

  const reload = (): Promise<void> =>
    latest.ask(
      () => client.call('system.info', {}),
      (answer) => (info.value = answer),
      // Shown in a corner only: the banner of the line says why it is missing.
      () => (info.value = undefined),
    );

  useLink().onHeard(() => void reload());
  void reload();
  return { info, reload };
});
