import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { Catalog, CatalogSnapshot } from './catalog.ts';

/**
 * A reading for which absence counts, as for what belongs to a selection. A Milvus has at least its default database: what
 * shows none is an etcd that is being restored. @throws unreachable, which is repeated.
 */
export async function wholeSnapshot(catalog: Pick<Catalog, 'snapshot'>): Promise<CatalogSnapshot> {
  const snapshot = await catalog.snapshot();
  if (snapshot.databases.length > 0) return snapshot;
  throw new ReplicationError(
    'unreachable',
    'source',
    "The source's etcd shows no database at all, not even the default one. It is read again until it does: is it being restored?",
  );
}
