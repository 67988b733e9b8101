/** How far back the log of the chosen source goes: asked for once for each source, while the form can be filled in. */
import { ref, watch, type Ref } from 'vue';
import { createLatest } from '../../app/latest.ts';
import { toShownError } from '../../ui/shown-error.ts';
import { useClusters } from '../clusters/clusters.store.ts';

export type KeptLog =
  | { readonly kind: 'asking' }
  /** `oldestMs`: Unix ms; absent where no channel tells. */
  | { readonly kind: 'known'; readonly oldestMs?: number | undefined }
  | { readonly kind: 'failed'; readonly reason: string };

/** @param isWanted Nobody is kept busy before it is looked at. */
export function useKeptLog(sourceId: () => string | undefined, isWanted: () => boolean): Ref<KeptLog> {
  const clusters = useClusters();
  const latest = createLatest();
  const kept = ref<KeptLog>({ kind: 'asking' });
  let askedFor: string | undefined;

  watch(
    [sourceId, isWanted],
    ([id, wanted]) => {
      if (id === undefined || !wanted || id === askedFor) return;
      askedFor = id;
      kept.value = { kind: 'asking' };
      void latest.ask(
        () => clusters.oldestKept(id),
        ({ oldestMs }) => {
          kept.value = { kind: 'known', oldestMs };
        },
        (thrown) => {
          kept.value = { kind: 'failed', reason: toShownError(thrown).message };
          // Whoever comes back to the question asks again.
          askedFor = undefined;
        },
      );
    },
    { immediate: true },
  );
  return kept;
}
