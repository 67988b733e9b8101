/** Brings copied collections from S to where their channels are read, and through the join. */
import type { CollectionId, PChannel, VChannel } from '../../../shared/model/ids.ts';
import { firstOrdinal, ORDINAL_NONE, type MessageOrdinal } from '../../../shared/model/position.ts';
import type { StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { retrying, type RetryObserver } from '../runtime/retry.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { CollectionReplica } from './collection-replica.ts';
import type { CopiedReplica } from './copy-runner.ts';
import { joinCertificate } from './join-certificate.ts';
import { lastChange } from './log-end.ts';
import type { ShardLane } from './shard-lane.ts';

export interface CopyJoinsContext {
  readonly wal: Wal;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observer: (place: PChannel) => RetryObserver;
  /** `logEnd`: nothing behind it has been written. */
  follow(replica: CollectionReplica, shard: StoredShard, logEnd: MessageOrdinal | undefined): Promise<void>;
  shardFailed(replica: CollectionReplica, shard: StoredShard, error: unknown): Promise<void>;
}

export class CopyJoins {
  readonly #context: CopyJoinsContext;
  readonly #pending = new Map<CollectionId, CopiedReplica>();

  constructor(context: CopyJoinsContext) {
    this.#context = context;
  }

  /** Its trouble is the collection's own. */
  async follow(copy: CopiedReplica): Promise<void> {
    const { replica, shards } = copy;
    try {
      this.#pending.set(replica.id, copy);
      const following = shards.map((shard) =>
        this.#context
          .follow(replica, shard, copy.ends.get(shard.vchannel))
          .catch((error: unknown) => this.#context.shardFailed(replica, shard, error)),
      );
      this.due(replica);
      await Promise.all(following);
    } catch (error) {
      replica.fail(error);
    }
  }

  /** A copy that an earlier run ended. What it wrote since may have moved the intent behind E: the join is later then. */
  async followAgain(replica: CollectionReplica, shards: readonly StoredShard[]): Promise<void> {
    const { wal, clock, signal, observer } = this.#context;
    const ends = new Map<VChannel, MessageOrdinal>();
    for (const { vchannel, channel, intent } of shards) {
      const last = () => lastChange(wal, channel, intent ?? ORDINAL_NONE, signal);
      ends.set(vchannel, await retrying(last, signal, observer(channel)));
    }
    const now = clock.now();
    await this.follow({ replica, shards, ends, copyBeganMs: now, copyEndedMs: now });
  }

  /** A shard has joined when it resumes behind E: at the first tick there, or where nothing was written meanwhile. */
  due(replica: CollectionReplica): void {
    const pending = this.#pending.get(replica.id);
    if (pending?.replica !== replica) return;
    const lanes = [...replica.lanes()];
    const hasJoined = ({ vchannel, confirmed }: ShardLane): boolean =>
      firstOrdinal(confirmed.resume) > (pending.ends.get(vchannel) ?? ORDINAL_NONE);
    if (lanes.length < pending.shards.length || !lanes.every(hasJoined)) return;
    this.#pending.delete(replica.id);
    try {
      this.#context.store.recordJoin(replica.id, joinCertificate(pending, this.#context));
      replica.copyMoved('joined');
    } catch (error) {
      // Told from within a lane's progress, where nobody else would hear of it.
      replica.fail(error);
    }
  }

  forget(id: CollectionId): void {
    this.#pending.delete(id);
  }
}
