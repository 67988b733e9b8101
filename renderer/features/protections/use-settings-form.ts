/** A form over settings that hold as soon as they are applied. */
import { computed, ref, watch, type ComputedRef, type Ref } from 'vue';
import { useAction, type Action } from '../../ui/use-action.ts';

interface SettingsFormOptions<Settings, Form extends object> {
  /** What holds now; `undefined`: nothing was ever set. */
  readonly held: () => Settings | undefined;
  readonly toForm: (settings: Settings | undefined) => Form;
  /** `undefined` while something in the form is wrong. */
  readonly toSettings: (form: Form) => Settings | undefined;
  readonly isSame: (one: Settings, other: Settings | undefined) => boolean;
  readonly apply: (settings: Settings) => Promise<unknown>;
}

interface SettingsForm<Form> extends Pick<Action, 'isBusy' | 'error'> {
  readonly form: Ref<Form>;
  /** It is right, and differs from what holds. */
  readonly canApply: ComputedRef<boolean>;
  /** Until something is changed again. */
  readonly isApplied: Readonly<Ref<boolean>>;
  readonly apply: () => Promise<void>;
}

export function useSettingsForm<Settings, Form extends object>(
  options: SettingsFormOptions<Settings, Form>,
): SettingsForm<Form> {
  const { held, toForm, toSettings, isSame } = options;
  const { isBusy, error, run } = useAction();
  const form = ref(toForm(held())) as Ref<Form>;
  const isApplied = ref(false);
  const settings = computed(() => toSettings(form.value));
  const canApply = computed(() => settings.value !== undefined && !isSame(settings.value, held()));

  // Somebody else may have changed it; what is being chosen here stays.
  watch(held, (next, before) => {
    if (settings.value !== undefined && isSame(settings.value, before)) form.value = toForm(next);
  });
  watch(form, () => (isApplied.value = false), { deep: true });

  async function apply(): Promise<void> {
    const chosen = settings.value;
    if (chosen !== undefined && (await run(() => options.apply(chosen)))) isApplied.value = true;
  }

  return { form, isBusy, error, canApply, isApplied, apply };
}
