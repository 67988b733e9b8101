/**
 * The gaps of a task: found at its start, by a reader, or by the watch before a reader comes to them. Each is recorded in the
 * history, and shown until its collection is copied anew. Who is concerned is the caller's to know and to hold.
 */
import type { CollectionId, PChannel } from '../../../shared/model/ids.ts';
import { toReplicationError, type ReplicationError } from '../../../shared/model/replication-error.ts';
import type { Gap } from '../../../shared/model/task-history.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { GapStatus } from '../../../shared/model/task-status.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { oldestKept } from '../source/wal/oldest-kept.ts';
import type { Wal } from '../source/wal/wal.ts';
import { gapError, gapOf, gapStatuses, reasonLost, type KeptLog, type LostShard } from './gap.ts';

export interface GapKeeperParts {
  readonly wal: Pick<Wal, 'bounds' | 'readAt'>;
  readonly store: Pick<TaskStore, 'recordGap'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class GapKeeper {
  readonly #parts: GapKeeperParts;
  readonly #open = new Map<CollectionId, Gap[]>();

  constructor(parts: GapKeeperParts) {
    this.#parts = parts;
  }

  /**
   * A shard's place is gone, says `cause` (`positionLost`). @returns what its collection is to be held with. @throws
   * storeFailed.
   */
  declare(lost: LostShard, kept: KeptLog | undefined, cause: ReplicationError): ReplicationError {
    const { store, clock } = this.#parts;
    const gap = gapOf(lost, kept, reasonLost(cause), clock.now());
    store.recordGap(gap);
    const { id } = lost.collection;
    const others = (this.#open.get(id) ?? []).filter(({ vchannel }) => vchannel !== lost.vchannel);
    this.#open.set(id, [...others, gap]);
    return gapError(gap, cause);
  }

  /** What a channel keeps now; `undefined` where the log does not answer: a gap is declared without an end then. */
  async kept(channel: PChannel, signal: AbortSignal): Promise<KeptLog | undefined> {
    const { wal, logger } = this.#parts;
    try {
      return { bounds: await wal.bounds(channel), oldest: await oldestKept(wal, channel, signal) };
    } catch (error) {
      signal.throwIfAborted();
      const failure = toReplicationError(error);
      logger.warn({ channel, code: failure.code }, `Up to where changes are missing is not known: ${failure.message}`);
      return undefined;
    }
  }

  /** It is copied anew, or is gone. */
  closed(id: CollectionId): void {
    this.#open.delete(id);
  }

  /** `undefined`: there is none. */
  status(): readonly GapStatus[] | undefined {
    return this.#open.size === 0 ? undefined : gapStatuses([...this.#open.values()].flat());
  }
}
