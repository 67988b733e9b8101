/** The protections (tasks of the core), live. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type {
  ProcedureInput,
  ProcedureOutput,
  QuarantinedRecordView,
  SelectionPreview,
  TaskView,
} from '../../../shared/contract/procedures.ts';
import { useClient } from '../../app/client.ts';
import { useClock } from '../../app/clock.store.ts';
import { createLatest, type LoadState } from '../../app/latest.ts';
import { useLink } from '../../app/link.store.ts';
import { worstOf } from '../../ui/states.ts';
import { describe, remember, sampleOf, type Memory, type ShownProtection, type Status } from './protection-view.ts';

export const useProtections = defineStore('protections', () => {
  const client = useClient();
  const clock = useClock();
  const latest = createLatest();
  const tasks = shallowRef<readonly TaskView[]>([]);
  const memories = shallowRef<ReadonlyMap<string, Memory>>(new Map());
  const loading = ref<LoadState>({ kind: 'loading' });

  const shown = computed<readonly ShownProtection[]>(() =>
    tasks.value.map((task) => describe(task, memories.value.get(task.id), clock.now)),
  );
  const worst = computed(() => worstOf(shown.value.map(({ state }) => state)));

  function reload(): Promise<void> {
    return latest.ask(
      () => client.call('tasks.list', {}),
      (answer) => take(answer.tasks),
      (thrown) => {
        loading.value = { kind: 'failed', thrown };
      },
    );
  }

  /** The whole list. A status that came meanwhile as an event stays if it is newer. */
  function take(next: readonly TaskView[]): void {
    const known = new Map(tasks.value.map((task) => [task.id, task.status]));
    tasks.value = next.map((task) => withNewer(task, known.get(task.id)));
    memories.value = new Map([...memories.value].filter(([id]) => next.some((task) => task.id === id)));
    for (const { id, status } of tasks.value) if (status !== undefined) keep(id, status);
    loading.value = { kind: 'ready' };
  }

  function keep(id: string, status: Status): void {
    const before = memories.value.get(id);
    const next: Memory = { samples: remember(before?.samples ?? [], sampleOf(status)), heardAt: Date.now() };
    memories.value = new Map(memories.value).set(id, next);
  }

  function put(task: TaskView): void {
    latest.supersede();
    take([...tasks.value.filter(({ id }) => id !== task.id), task].sort((a, b) => a.createdAt - b.createdAt));
  }

  client.on('tasks.changed', (payload) => {
    latest.supersede();
    take(payload.tasks);
  });
  client.on('task.status', ({ id, status }) => {
    if (!tasks.value.some((task) => task.id === id)) return;
    tasks.value = tasks.value.map((task) => (task.id === id ? withNewer({ ...task, status }, task.status) : task));
    keep(id, status);
  });
  useLink().onHeard(() => void reload());
  void reload();

  return {
    tasks,
    shown,
    worst,
    loading,
    memories,
    reload,
    byId: (id: string): ShownProtection | undefined => shown.value.find(({ task }) => task.id === id),
    /** The calls below throw what the core answers. */
    async create(input: ProcedureInput<'tasks.create'>): Promise<TaskView> {
      const { task } = await client.call('tasks.create', input);
      put(task);
      return task;
    },
    preview: (input: ProcedureInput<'tasks.preview'>): Promise<SelectionPreview> => client.call('tasks.preview', input),
    /** Resolves when it holds, where the task runs. */
    async select(id: string, selection: ProcedureInput<'tasks.select'>['selection']): Promise<void> {
      put((await client.call('tasks.select', { id, selection })).task);
    },
    /** The newest first. */
    history: (id: string): Promise<ProcedureOutput<'tasks.history'>> => client.call('tasks.history', { id }),
    async pause(id: string): Promise<void> {
      put((await client.call('tasks.pause', { id })).task);
    },
    async resume(id: string): Promise<void> {
      put((await client.call('tasks.resume', { id })).task);
    },
    /** As `resume`, and from now on its copies may load what is not loaded on the source. */
    async resumeLoading(id: string): Promise<void> {
      put((await client.call('tasks.resume', { id, mayLoad: true })).task);
    },
    /** As `resume`, and whoever else writes into the target is displaced. */
    async resumeTakingOver(id: string): Promise<void> {
      put((await client.call('tasks.resume', { id, takeOver: true })).task);
    },
    async retryCollection(id: string, collectionId: string): Promise<void> {
      await client.call('tasks.retryCollection', { id, collectionId });
    },
    /** Resolves when the copies have begun. */
    async copyAgain(id: string, collectionIds: readonly string[]): Promise<void> {
      await client.call('tasks.recopy', { id, collectionIds: [...collectionIds] });
    },
    async setCopyBudget(id: string, budget: NonNullable<TaskView['copyBudget']>): Promise<void> {
      put((await client.call('tasks.copyBudget', { id, budget })).task);
    },
    async setGapPolicy(id: string, onGap: NonNullable<TaskView['onGap']>): Promise<void> {
      put((await client.call('tasks.gapPolicy', { id, onGap })).task);
    },
    async setOperationSettings(id: string, settings: NonNullable<TaskView['operations']>): Promise<void> {
      put((await client.call('tasks.operationSettings', { id, settings })).task);
    },
    operations: (id: string, collectionId?: string): Promise<ProcedureOutput<'tasks.operations'>> =>
      client.call('tasks.operations', { id, ...(collectionId === undefined ? {} : { collectionId }) }),
    async decideOperation(id: string, operationId: string, decision: 'apply' | 'skip'): Promise<void> {
      await client.call('tasks.decideOperation', { id, operationId, decision });
    },
    async quarantine(id: string): Promise<readonly QuarantinedRecordView[]> {
      return (await client.call('tasks.quarantine', { id })).records;
    },
    quarantineRecord: (id: string, recordId: string): Promise<ProcedureOutput<'tasks.quarantineRecord'>> =>
      client.call('tasks.quarantineRecord', { id, recordId }),
    async skipRecord(id: string, recordId: string, reason: string): Promise<void> {
      await client.call('tasks.skipRecord', { id, recordId, reason });
    },
    async remove(id: string): Promise<void> {
      await client.call('tasks.remove', { id });
      latest.supersede();
      take(tasks.value.filter((task) => task.id !== id));
    },
  };
});

function withNewer(task: TaskView, other: Status | undefined): TaskView {
  if (other === undefined || (task.status !== undefined && task.status.at >= other.at)) return task;
  return { ...task, status: other };
}
