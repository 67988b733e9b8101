/** The adapter for each kind of log. */
import { assertNever } from '../../../../shared/assert-never.ts';
import type { WalEndpoint } from '../../../../shared/model/connection.ts';
import type { Logger } from '../../runtime/logger.ts';
import { openKafkaWal } from './kafka-wal.ts';
import { openNatsWal } from './nats-wal.ts';
import type { Wal } from './wal.ts';

export interface WalOptions {
  /** For connecting and for each request; the adapter's own unless given. */
  readonly timeoutMs?: number;
}

/** Connects at the first call. */
export function openWal(endpoint: WalEndpoint, logger: Logger, options: WalOptions = {}): Wal {
  switch (endpoint.kind) {
    case 'nats':
      return openNatsWal(endpoint, { ...options, logger });
    case 'kafka':
      return openKafkaWal(endpoint, { ...options, logger });
    default:
      return assertNever(endpoint);
  }
}
