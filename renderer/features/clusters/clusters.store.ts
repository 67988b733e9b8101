/** The clusters (connections of the core). Secrets never come here but from the keyboard. */
import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type {
  ConnectionDraft,
  ConnectionView,
  EventPayload,
  Hop,
  OldestKept,
  TaskView,
} from '../../../shared/contract/procedures.ts';
import { useClient } from '../../app/client.ts';
import { createLatest, type LoadState } from '../../app/latest.ts';
import { useLink } from '../../app/link.store.ts';

export const useClusters = defineStore('clusters', () => {
  const client = useClient();
  const latest = createLatest();
  const clusters = shallowRef<readonly ConnectionView[]>([]);
  const loading = ref<LoadState>({ kind: 'loading' });

  const take = (next: readonly ConnectionView[]): void => {
    clusters.value = next;
    loading.value = { kind: 'ready' };
  };

  function reload(): Promise<void> {
    return latest.ask(
      () => client.call('connections.list', {}),
      ({ connections }) => take(connections),
      (thrown) => {
        loading.value = { kind: 'failed', thrown };
      },
    );
  }

  client.on('connections.changed', ({ connections }) => {
    latest.supersede();
    take(connections);
  });
  useLink().onHeard(() => void reload());
  void reload();

  return {
    clusters,
    loading,
    reload,
    byId: (id: string): ConnectionView | undefined => clusters.value.find((cluster) => cluster.id === id),
    /** A cluster that is gone is shown by its id. */
    nameOf: (id: string): string => clusters.value.find((cluster) => cluster.id === id)?.name ?? id,
    /** Whether the source's Milvus is known. Of a task file the core alone knows. */
    canReadRows: ({ origin, sourceId }: TaskView): boolean =>
      origin === 'file' || clusters.value.find(({ id }) => id === sourceId)?.milvus !== undefined,
    /** The calls below throw what the core answers. */
    async save(draft: ConnectionDraft): Promise<ConnectionView> {
      const { connection } = await client.call('connections.save', draft);
      latest.supersede();
      const isKnown = clusters.value.some(({ id }) => id === connection.id);
      take(
        isKnown
          ? clusters.value.map((cluster) => (cluster.id === connection.id ? connection : cluster))
          : [...clusters.value, connection],
      );
      return connection;
    },
    async remove(id: string): Promise<void> {
      await client.call('connections.remove', { id });
      latest.supersede();
      take(clusters.value.filter((cluster) => cluster.id !== id));
    },
    /** @param testId the window's own choice: each hop comes to `onHop` with it. */
    async test(draft: ConnectionDraft, testId: string): Promise<readonly Hop[]> {
      return (await client.call('connections.test', { ...draft, testId })).hops;
    },
    onHop: (listener: (payload: EventPayload<'connections.hop'>) => void): (() => void) =>
      client.on('connections.hop', listener),
    /** How far back its log goes. Takes seconds. */
    oldestKept: (sourceId: string): Promise<OldestKept> => client.call('connections.oldestKept', { sourceId }),
    async cancelTest(testId: string): Promise<void> {
      await client.call('connections.cancelTest', { testId });
    },
  };
});
