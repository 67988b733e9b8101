/** The embedded lab and its drill. */
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { DrillView, LabView, ProcedureInput } from '../../../shared/contract/procedures.ts';
import { useClient } from '../../app/client.ts';
import { createLatest, type LoadState } from '../../app/latest.ts';
import { useLink } from '../../app/link.store.ts';

export const useLab = defineStore('lab', () => {
  const client = useClient();
  const latestLab = createLatest();
  const latestDrill = createLatest();
  const lab = shallowRef<LabView>();
  const drill = shallowRef<DrillView>();
  const loading = ref<LoadState>({ kind: 'loading' });

  function takeLab(next: LabView): void {
    lab.value = next;
    loading.value = { kind: 'ready' };
  }

  const fail = (thrown: unknown): void => {
    loading.value = { kind: 'failed', thrown };
  };

  async function reload(): Promise<void> {
    await Promise.all([
      latestLab.ask(
        () => client.call('lab.get', {}),
        (answer) => takeLab(answer.lab),
        fail,
      ),
      latestDrill.ask(
        () => client.call('drill.get', {}),
        (answer) => (drill.value = answer.drill),
        fail,
      ),
    ]);
  }

  client.on('lab.changed', (payload) => {
    latestLab.supersede();
    takeLab(payload.lab);
  });
  client.on('drill.changed', (payload) => {
    latestDrill.supersede();
    drill.value = payload.drill;
  });
  useLink().onHeard(() => void reload());
  void reload();

  /** Progress may have come as an event before the answer; then the answer is old. */
  const orderLab = (name: 'lab.start' | 'lab.stop' | 'lab.remove'): Promise<void> =>
    new Promise((resolve, reject) => {
      void latestLab
        .ask(
          () => client.call(name, {}),
          (answer) => takeLab(answer.lab),
          reject,
        )
        .then(resolve);
    });
  const orderDrill = (question: () => Promise<{ drill: DrillView }>): Promise<void> =>
    new Promise((resolve, reject) => {
      void latestDrill.ask(question, (answer) => (drill.value = answer.drill), reject).then(resolve);
    });

  return {
    lab,
    drill,
    loading,
    reload,
    /** The calls below throw what the core answers. */
    start: () => orderLab('lab.start'),
    stop: () => orderLab('lab.stop'),
    remove: () => orderLab('lab.remove'),
    startDrill: (input: ProcedureInput<'drill.start'>) => orderDrill(() => client.call('drill.start', input)),
    cancelDrill: () => orderDrill(() => client.call('drill.cancel', {})),
  };
});
