/** Operations of a protection, or of one of its collections, as the core has recorded them. */
import { ref, watch, type Ref } from 'vue';
import type { OperationRecordView, TaskView } from '../../../shared/contract/procedures.ts';
import { createLatest, type LoadState } from '../../app/latest.ts';
import { useProtections } from './protections.store.ts';

export interface Operations {
  /** Those that wait for a decision first, then the newest. */
  readonly operations: Ref<readonly OperationRecordView[]>;
  /** There are older ones. */
  readonly isCut: Ref<boolean>;
  readonly loading: Ref<LoadState>;
  readonly reload: () => Promise<void>;
}

/** @param occasion Asked again when it changes. */
export function useOperations(
  task: () => TaskView | undefined,
  collectionId: () => string | undefined,
  occasion: () => unknown,
): Operations {
  const protections = useProtections();
  const latest = createLatest();
  const operations = ref<readonly OperationRecordView[]>([]);
  const isCut = ref(false);
  const loading = ref<LoadState>({ kind: 'loading' });

  async function reload(): Promise<void> {
    const id = task()?.id;
    if (id === undefined) return;
    await latest.ask(
      () => protections.operations(id, collectionId()),
      (answer) => {
        operations.value = answer.operations;
        isCut.value = answer.isCut;
        loading.value = { kind: 'ready' };
      },
      (thrown) => {
        loading.value = { kind: 'failed', thrown };
      },
    );
  }

  watch([() => task()?.id, collectionId, occasion], () => void reload(), { immediate: true });
  return { operations, isCut, loading, reload };
}
