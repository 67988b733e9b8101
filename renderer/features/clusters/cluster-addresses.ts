/** Where a cluster is reached. Pure. */
import type { ConnectionView } from '../../../shared/contract/procedures.ts';

const logAddresses = ({ wal }: ConnectionView): readonly string[] => {
  if (wal === undefined) return [];
  return wal.kind === 'kafka' ? wal.brokers : wal.servers;
};

export function addressesOf(cluster: ConnectionView, role: 'source' | 'target' | 'any'): readonly string[] {
  const source = [...(cluster.etcd?.endpoints ?? []), ...logAddresses(cluster)];
  const target = cluster.milvus === undefined ? [] : [cluster.milvus.address];
  if (role === 'any') return [...target, ...source];
  return role === 'source' ? source : target;
}

const LOG_NAMES = { nats: 'NATS', kafka: 'Kafka' } as const;

/** Proper names: the same in every language. `undefined`: none is known. */
export const logNameOf = ({ wal }: ConnectionView): string | undefined =>
  wal === undefined ? undefined : LOG_NAMES[wal.kind];
