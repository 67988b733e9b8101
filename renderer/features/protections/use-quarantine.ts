/** The messages of one protection that can never be applied; asked for when something in it waits for a person. */
import { computed, ref, watch, type ComputedRef, type Ref } from 'vue';
import type { QuarantinedRecordView } from '../../../shared/contract/procedures.ts';
import { createLatest, type LoadState } from '../../app/latest.ts';
import { isStopped } from './health.ts';
import type { ShownProtection } from './protection-view.ts';
import { useProtections } from './protections.store.ts';

export interface Quarantine {
  /** Undecided and decided ones, the newest first. */
  readonly records: Ref<readonly QuarantinedRecordView[]>;
  readonly open: ComputedRef<readonly QuarantinedRecordView[]>;
  readonly loading: Ref<LoadState>;
  readonly reload: () => Promise<void>;
}

export function useQuarantine(protection: () => ShownProtection | undefined): Quarantine {
  const protections = useProtections();
  const latest = createLatest();
  const records = ref<readonly QuarantinedRecordView[]>([]);
  const loading = ref<LoadState>({ kind: 'loading' });

  async function reload(): Promise<void> {
    const task = protection()?.task;
    if (task === undefined) return;
    await latest.ask(
      () => protections.quarantine(task.id),
      (answer) => {
        records.value = answer;
        loading.value = { kind: 'ready' };
      },
      (thrown) => {
        loading.value = { kind: 'failed', thrown };
      },
    );
  }

  const occasion = computed(() => {
    const task = protection()?.task;
    if (task === undefined) return undefined;
    const stopped = (task.status?.collections ?? []).filter(isStopped).map(({ id }) => id);
    return `${task.id} ${stopped.join()}`;
  });
  watch(
    () => protection()?.task.id,
    () => {
      latest.supersede();
      records.value = [];
      loading.value = { kind: 'loading' };
    },
  );
  watch(occasion, () => void reload(), { immediate: true });

  return {
    records,
    open: computed(() => records.value.filter(({ decision }) => decision === undefined)),
    loading,
    reload,
  };
}
