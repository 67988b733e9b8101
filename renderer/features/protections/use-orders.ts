/** Pause and resume of several protections at once, and how to take that back. */
import { computed, ref, type ComputedRef, type Ref } from 'vue';
import { useProblems } from '../../app/problems.store.ts';
import type { TaskView } from '../../../shared/contract/procedures.ts';
import { needsPerson } from './protection-view.ts';
import { useProtections } from './protections.store.ts';

export type Order = 'pause' | 'resume';

export interface Outcome {
  readonly order: Order;
  /** Of those that obeyed. */
  readonly ids: readonly string[];
  readonly failedCount: number;
}

export interface Orders {
  readonly busyWith: Ref<Order | undefined>;
  /** Of the last order, until it is dismissed. */
  readonly outcome: Ref<Outcome | undefined>;
  readonly canUndo: ComputedRef<boolean>;
  /** Those for whom the order would change nothing are left alone. Failures are shown as problems. */
  readonly give: (order: Order, tasks: readonly TaskView[]) => Promise<void>;
  readonly undo: () => Promise<void>;
}

export const obeys = (order: Order, task: TaskView): boolean =>
  order === 'pause'
    ? task.desired === 'running' && task.origin !== 'file'
    : task.desired === 'paused' || needsPerson(task);

export function useOrders(): Orders {
  const protections = useProtections();
  const problems = useProblems();
  const busyWith = ref<Order>();
  const outcome = ref<Outcome>();

  async function give(order: Order, tasks: readonly TaskView[]): Promise<void> {
    const asked = tasks.filter((task) => obeys(order, task));
    if (asked.length === 0 || busyWith.value !== undefined) return;
    busyWith.value = order;
    outcome.value = undefined;
    const answers = await Promise.all(asked.map(({ id }) => problems.guard(() => protections[order](id))));
    const ids = asked.filter((_, index) => answers[index] === true).map(({ id }) => id);
    outcome.value = { order, ids, failedCount: asked.length - ids.length };
    busyWith.value = undefined;
  }

  return {
    busyWith,
    outcome,
    canUndo: computed(() => outcome.value !== undefined && outcome.value.ids.length > 0),
    give,
    async undo() {
      const done = outcome.value;
      if (done === undefined) return;
      const tasks = protections.tasks.filter(({ id }) => done.ids.includes(id));
      await give(done.order === 'pause' ? 'resume' : 'pause', tasks);
    },
  };
}
