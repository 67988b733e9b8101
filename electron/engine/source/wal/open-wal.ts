/** The adapter for each kind of log. */
import { assertNever } from '../../../../shared/assert-never.ts';
import type { WalEndpoint } from '../../../../shared/model/connection.ts';
import type { Logger } from '../../runtime/logger.ts';
import { openKafkaWal } from './kafka-wal.ts';
import { openNatsWal } from './nats-wal.ts';
import type { Wal } from './wal.ts';

/** Connects at the first call. */
export function openWal(endpoint: WalEndpoint, logger: Logger): Wal {
  switch (endpoint.kind) {
    case 'nats':
      return openNatsWal(endpoint, { logger });
    case 'kafka':
      return openKafkaWal(endpoint, { logger });
    default:
      return assertNever(endpoint);
  }
}
