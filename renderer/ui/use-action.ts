/** One deed of a person: that it is under way, and the sentence that its failure is. */
import { computed, ref, type ComputedRef, type Ref } from 'vue';
import { toShownError, type ShownError } from './shown-error.ts';

export interface Action {
  readonly isBusy: Readonly<Ref<boolean>>;
  /** Of the last attempt; `undefined` while there is none. */
  readonly error: ComputedRef<ShownError | undefined>;
  /** True: it was done. Never rejects: what is thrown becomes `error`. */
  readonly run: (deed: () => Promise<unknown>) => Promise<boolean>;
  /** Takes the error away. */
  readonly forget: () => void;
}

/** @param thrown what has failed before anything was tried here */
export function useAction(thrown?: unknown): Action {
  const isBusy = ref(false);
  const failure = ref<unknown>(thrown);
  const error = computed(() => (failure.value === undefined ? undefined : toShownError(failure.value)));

  function forget(): void {
    failure.value = undefined;
  }

  async function run(deed: () => Promise<unknown>): Promise<boolean> {
    isBusy.value = true;
    forget();
    try {
      await deed();
      return true;
    } catch (reason) {
      failure.value = reason;
      return false;
    } finally {
      isBusy.value = false;
    }
  }

  return { isBusy, error, run, forget };
}
