/** What has ended at the source by its own word, and not by the log's: collections and partitions. */
import type { CatalogCollection, CatalogSnapshot } from '../../source/catalog/catalog.ts';
import type { CollectionReplica } from '../collection-replica.ts';
import type { Seen } from './seen.ts';
import type { StepJournal } from './step-journal.ts';

/** Its word of the end, not its absence. */
export function endOf(replica: CollectionReplica, { ended }: CatalogSnapshot, journal: StepJournal): Seen | undefined {
  if (!ended.collections.has(replica.id)) return undefined;
  return {
    object: `collection ${replica.id}`,
    state: 'ended',
    replicas: [replica],
    close: async () => {
      const asked = { operation: 'dropCollection', id: `drop/${replica.id}` };
      const isApplied = await journal.run(asked, replica, () => replica.endProven('drop'));
      if (!isApplied) await replica.endProven('leave');
      return true;
    },
  };
}

/** The same of partitions. */
export function* endsOfPartitions(
  replica: CollectionReplica,
  collection: CatalogCollection | undefined,
  { ended }: CatalogSnapshot,
  journal: StepJournal,
): Iterable<Seen> {
  for (const [id, name] of ended.partitions.get(replica.id) ?? []) {
    // A later one of the name has its own rows there.
    const isTaken = collection?.partitions.some((partition) => partition.name === name) !== false;
    if (isTaken || !replica.hasPartition(id, name)) continue;
    yield {
      object: `partition ${replica.id}/${id}`,
      state: 'ended',
      replicas: [replica],
      close: async () => {
        const asked = { operation: 'dropPartition', object: name, id: `drop/${replica.id}/${id}` };
        const isApplied = await journal.inLine(asked, replica, () => replica.partitionEndProven(id, name));
        if (!isApplied) replica.leaveEndedPartition(id);
        return true;
      },
    };
  }
}
