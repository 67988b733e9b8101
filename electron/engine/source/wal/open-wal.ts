/** The adapter for each kind of log. */
import type { WalEndpoint } from '../../../../shared/model/connection.ts';
import type { Logger } from '../../runtime/logger.ts';
import { openNatsWal } from './nats-wal.ts';
import type { Wal } from './wal.ts';

/** Connects at the first call. */
export function openWal(endpoint: WalEndpoint, logger: Logger): Wal {
  return openNatsWal(endpoint, { logger });
}
