/**
 * Brings one shard from behind to where its channel is read: with a reader of its own, so that neither the channel's
 * other shards wait for it nor what they have had is read again for them. When it has read as far as the channel's
 * follower, the shard changes over, with all that waits for its next tick.
 *
 * Both readers live in one thread and take one message at a time, so "as far as" is a comparison of two numbers.
 */
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import { ChannelFollower, type FollowerContext } from './channel-follower.ts';
import type { ShardLane } from './shard-lane.ts';

export interface CatchUpParts {
  /** The follower's context; its births and its own checkpoint are not this reader's business. */
  readonly context: FollowerContext;
  readonly lane: ShardLane;
  /** Ends the reading apart: the shard's collection has stopped. */
  readonly signal: AbortSignal;
  /** The follower of the shard's channel. */
  readonly main: ChannelFollower;
  /** Who follows the shard from now on. */
  readonly followed: (by: ChannelFollower) => void;
}

/** Resolves when the shard has changed over, or has ended. Rejects as its reader does. */
export async function catchUp({ context, lane, signal, main, followed }: CatchUpParts): Promise<void> {
  const { confirmed, vchannel } = lane;
  const done = new AbortController();
  const changeOver = (side: ChannelFollower): void => {
    if (done.signal.aborted || !side.isLevelWith(main)) return;
    side.handOver(vchannel, main);
    // One that was dropped meanwhile is nobody's.
    if (lane.activity !== 'stopped') followed(main);
    done.abort(new Error('The shard has changed over.'));
  };
  if (!main.hasReadPast(confirmed.resume)) {
    main.addLane(lane);
    followed(main);
    return;
  }
  const side = new ChannelFollower(
    {
      ...context,
      signal: AbortSignal.any([context.signal, signal, done.signal]),
      collectionBorn: () => Promise.resolve(),
      channelConfirmed: () => undefined,
      messageRead: () => undefined,
      rowsPassed: () => undefined,
      taken: changeOver,
    },
    { channel: main.channel, checkpoint: confirmed },
  );
  side.addLane(lane);
  followed(side);
  try {
    await side.run();
  } catch (error) {
    if (!done.signal.aborted) throw toReplicationError(error);
  }
}
