/** The adapter for each kind of log. */
import { assertNever } from '../../../../shared/assert-never.ts';
import type { WalEndpoint } from '../../../../shared/model/connection.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Wal } from './wal.ts';

export interface WalOptions {
  /** For connecting and for each request; the adapter's own unless given. */
  readonly timeoutMs?: number;
}

/** Connects at the first call. Clients of the other brokers are not loaded: that takes longer than all else here. */
export async function openWal(endpoint: WalEndpoint, logger: Logger, options: WalOptions = {}): Promise<Wal> {
  switch (endpoint.kind) {
    case 'nats': {
      const { openNatsWal } = await import('./nats-wal.ts');
      return openNatsWal(endpoint, { ...options, logger });
    }
    case 'kafka': {
      const { openKafkaWal } = await import('./kafka-wal.ts');
      return openKafkaWal(endpoint, { ...options, logger });
    }
    default:
      return assertNever(endpoint);
  }
}
