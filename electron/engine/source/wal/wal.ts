/**
 * The source's write-ahead log, whatever broker keeps it. Adapters (NATS, Kafka, Pulsar) implement this; nothing above
 * this interface knows a broker's types.
 *
 * The one rule of every adapter: **a reader never jumps.** Brokers silently begin elsewhere when the asked position is
 * gone; an adapter proves that what it returns continues exactly where it was asked to, at the start and after every
 * reconnection, and fails with `positionLost` otherwise.
 */
import type { PChannel } from '../../../../shared/model/ids.ts';
import type { MessageOrdinal, ResumePoint } from '../../../../shared/model/position.ts';

export interface WalMessage {
  readonly ordinal: MessageOrdinal;
  /** Owned by the receiver: the adapter neither keeps nor reuses the buffer. */
  readonly payload: Uint8Array;
}

export interface ChannelBounds {
  /** See `ResumePoint.incarnation`. */
  readonly incarnation: string;
  /** First message still kept. Greater than `latest` when nothing is kept. */
  readonly earliest: MessageOrdinal;
  /** Last message ever written; below every message's ordinal when none was. */
  readonly latest: MessageOrdinal;
}

/** When the broker removes a channel's messages, as far as it says so. Without any limit it never does. */
export interface ChannelRetention {
  /** A message is kept for so long at least. `undefined`: age removes nothing. */
  readonly ageMsMax: number | undefined;
  /** Above it the oldest messages go. `undefined`: size removes nothing. */
  readonly bytesMax: number | undefined;
  readonly messagesMax: number | undefined;
  /** What the kept messages take up now, by the broker's count; `undefined`: it does not say. */
  readonly bytesUsed: number | undefined;
}

export interface WalReader {
  /**
   * The next messages in order, without holes; at least one. Waits for the first. Together at most `bytesMax` bytes of
   * payload, except that a single message may be larger. Only one call at a time.
   * @throws positionLost when continuity cannot be proven; unreachable and other `wal` errors: open a new reader with
   *   `after` the last message received. An aborted signal rejects with the signal's reason.
   */
  read(bytesMax: number, signal: AbortSignal): Promise<readonly WalMessage[]>;
  /** Leaves nothing at the broker. May be called twice. */
  close(): Promise<void>;
}

export interface Wal {
  /** Identity of the broker's log as a whole, the same after a restart of the broker. */
  identity(): Promise<string>;
  /** Every data channel (`<prefix>-rootcoord-dml_<i>`) that exists now, sorted by index. */
  listDataChannels(): Promise<readonly PChannel[]>;
  /** `<prefix>-replicate-msg` where it exists. */
  operationChannel(): Promise<PChannel | undefined>;
  /** @throws channelsNotFound when the channel does not exist. */
  bounds(channel: PChannel): Promise<ChannelBounds>;
  /** `undefined`: the broker does not tell this user. @throws channelsNotFound when the channel does not exist. */
  retention(channel: PChannel): Promise<ChannelRetention | undefined>;
  /** Says what `open` would say, without opening. @throws positionLost. */
  assertKept(channel: PChannel, start: ResumePoint): Promise<void>;
  /**
   * `at`: the message must still be kept. `after`: the next message must still be kept, or not be written yet. Commits
   * nothing at the broker. @throws positionLost when `start` can no longer (or never could) be honoured.
   */
  open(channel: PChannel, start: ResumePoint, signal: AbortSignal): Promise<WalReader>;
  /** One message again, by its ordinal. @throws positionLost when it is no longer kept. */
  readAt(channel: PChannel, ordinal: MessageOrdinal, signal: AbortSignal): Promise<WalMessage>;
  /** Milvus' own bytes of a message id (`msg.MsgPosition.msgID`), and back. @throws malformedMessage. */
  encodeMessageId(ordinal: MessageOrdinal): Uint8Array;
  decodeMessageId(bytes: Uint8Array): MessageOrdinal;
  close(): Promise<void>;
}
