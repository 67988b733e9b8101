/** What a selection and a mapping would do, asked for anew whenever they change and stand still for a moment. */
import { onScopeDispose, shallowRef, watch, type Ref } from 'vue';
import type { ProcedureInput, SelectionPreview } from '../../../shared/contract/procedures.ts';
import { createLatest } from '../../app/latest.ts';
import { toShownError } from '../../ui/shown-error.ts';
import { useProtections } from './protections.store.ts';

/** While somebody types. */
const STILL_MS = 300;

export interface ShownPreview {
  /** The last that was answered; it stays while the next one is asked for. */
  readonly preview: SelectionPreview | undefined;
  readonly isAsking: boolean;
  readonly problem: string | undefined;
}

/** @param request `undefined`: there is nothing to ask yet. */
export function useSelectionPreview(request: () => ProcedureInput<'tasks.preview'> | undefined): {
  readonly shown: Ref<ShownPreview>;
  readonly again: () => void;
} {
  const protections = useProtections();
  const latest = createLatest();
  const shown = shallowRef<ShownPreview>({ preview: undefined, isAsking: false, problem: undefined });
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = (input: ProcedureInput<'tasks.preview'>): Promise<void> =>
    latest.ask(
      () => protections.preview(input),
      (preview) => {
        shown.value = { preview, isAsking: false, problem: undefined };
      },
      (thrown) => {
        shown.value = { ...shown.value, isAsking: false, problem: toShownError(thrown).message };
      },
    );

  function again(): void {
    clearTimeout(timer);
    const input = request();
    if (input === undefined) {
      latest.supersede();
      shown.value = { ...shown.value, isAsking: false };
      return;
    }
    shown.value = { ...shown.value, isAsking: true, problem: undefined };
    // The first one is waited for already.
    if (shown.value.preview === undefined) void ask(input);
    else timer = setTimeout(() => void ask(input), STILL_MS);
  }

  watch(() => JSON.stringify(request()), again, { immediate: true });
  onScopeDispose(() => {
    clearTimeout(timer);
    latest.supersede();
  });
  return { shown, again };
}
