/** The source's log in memory: channels of messages that can be appended, expired, cut off, made anew, held and failed. */
import type { PChannel } from '../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal, type ResumePoint } from '../../shared/model/position.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { orAborted } from '../../electron/engine/runtime/waiting.ts';
import { firstOrdinal, positionLost, proveStart } from '../../electron/engine/source/wal/continuity.ts';
import type {
  ChannelBounds,
  ChannelRetention,
  Wal,
  WalMessage,
  WalReader,
} from '../../electron/engine/source/wal/wal.ts';

/** As in NATS. */
const FIRST_ORDINAL = 1n;

export type WalCall = 'identity' | 'listDataChannels' | 'bounds' | 'retention' | 'open' | 'read' | 'readAt';

interface Channel {
  incarnation: string;
  earliest: bigint;
  /** The message of the ordinal `FIRST_ORDINAL + index`. Removed ones keep their place. */
  messages: Uint8Array[];
  /** Readers wait here for more, or until the channel is no longer held. */
  changed: PromiseWithResolvers<void>;
  isHeld: boolean;
}

const NO_LIMITS: ChannelRetention = {
  ageMsMax: undefined,
  bytesMax: undefined,
  messagesMax: undefined,
  bytesUsed: undefined,
};

export class MemoryWal implements Wal {
  /** Part of the identity: another log at the same address. */
  name = 'memory';
  readonly calls: Record<string, number> = {};
  /** What every channel says; `undefined`: the broker does not tell. Nothing is removed by it: see `expire`. */
  kept: ChannelRetention | undefined = NO_LIMITS;
  /** A call has met a fault. */
  onFault: (call: WalCall | 'hold', channel: PChannel | undefined) => void = () => undefined;
  readonly #channels = new Map<PChannel, Channel>();
  #operationChannel: PChannel | undefined;
  readonly #faults: { call: WalCall; channel: PChannel | undefined; error: Error }[] = [];
  #openReaders = 0;

  addChannel(channel: PChannel): void {
    const made: Channel = {
      incarnation: `made-${this.#channels.size + 1}`,
      earliest: FIRST_ORDINAL,
      messages: [],
      changed: Promise.withResolvers(),
      isHeld: false,
    };
    this.#channels.set(channel, made);
  }

  addOperationChannel(channel: PChannel): void {
    this.addChannel(channel);
    this.#operationChannel = channel;
  }

  append(channel: PChannel, payload: Uint8Array): MessageOrdinal {
    const found = this.#channel(channel);
    found.messages.push(payload);
    this.#wake(found);
    return latestOf(found);
  }

  /** The last message's ordinal. */
  latest(channel: PChannel): MessageOrdinal {
    return latestOf(this.#channel(channel));
  }

  /** What is below `earliest` is no longer kept. */
  expire(channel: PChannel, earliest: bigint): void {
    this.#channel(channel).earliest = earliest;
  }

  /** The end is cut off: `latest` becomes the last message. */
  truncate(channel: PChannel, latest: bigint): void {
    this.#channel(channel).messages.length = Number(latest - FIRST_ORDINAL + 1n);
  }

  /** The channel is deleted and made again, empty. */
  recreate(channel: PChannel): void {
    const found = this.#channel(channel);
    found.incarnation = `${found.incarnation}-again`;
    found.messages = [];
    found.earliest = FIRST_ORDINAL;
  }

  /** Readers of the channel get nothing until it is released. */
  hold(channel: PChannel): void {
    this.#channel(channel).isHeld = true;
  }

  release(channel: PChannel): void {
    const found = this.#channel(channel);
    found.isHeld = false;
    this.#wake(found);
  }

  /** The next call of that kind (on that channel) fails. */
  failNext(call: WalCall, error: Error, channel?: PChannel): void {
    this.#faults.push({ call, channel, error });
  }

  get faultsLeft(): number {
    return this.#faults.length;
  }

  get openReaders(): number {
    return this.#openReaders;
  }

  messagesOf(channel: PChannel): readonly Uint8Array[] {
    return this.#channel(channel).messages;
  }

  async identity(): Promise<string> {
    await this.#called('identity', undefined);
    return this.name;
  }

  async listDataChannels(): Promise<readonly PChannel[]> {
    await this.#called('listDataChannels', undefined);
    return [...this.#channels.keys()].filter((channel) => channel !== this.#operationChannel);
  }

  operationChannel(): Promise<PChannel | undefined> {
    return Promise.resolve(this.#operationChannel);
  }

  async bounds(channel: PChannel): Promise<ChannelBounds> {
    await this.#called('bounds', channel);
    return boundsOf(this.#channel(channel));
  }

  async retention(channel: PChannel): Promise<ChannelRetention | undefined> {
    await this.#called('retention', channel);
    this.#channel(channel);
    return this.kept;
  }

  async assertKept(channel: PChannel, start: ResumePoint): Promise<void> {
    await Promise.resolve();
    proveStart(channel, start, boundsOf(this.#channel(channel)), FIRST_ORDINAL);
  }

  async open(channel: PChannel, start: ResumePoint, signal: AbortSignal): Promise<WalReader> {
    await this.#called('open', channel);
    signal.throwIfAborted();
    const found = this.#channel(channel);
    proveStart(channel, start, boundsOf(found), FIRST_ORDINAL);
    let next: bigint = firstOrdinal(start, FIRST_ORDINAL);
    let isOpen = true;
    let isReading = false;
    this.#openReaders += 1;
    return {
      read: async (bytesMax, stop) => {
        if (isReading) throw new Error('A reader was asked twice at once.');
        isReading = true;
        try {
          await this.#called('read', channel);
          stop.throwIfAborted();
          while (found.isHeld || latestOf(found) < next) await orAborted(found.changed.promise, stop);
          if (next < found.earliest) throw positionLost(channel, `message ${next} was removed`, {});
          const messages: WalMessage[] = [];
          let bytes = 0;
          while (next <= latestOf(found)) {
            const payload = payloadOf(found, next);
            if (messages.length > 0 && bytes + payload.length > bytesMax) break;
            messages.push({ ordinal: asOrdinal(next), payload });
            bytes += payload.length;
            next += 1n;
          }
          return messages;
        } finally {
          isReading = false;
        }
      },
      close: () => {
        if (isOpen) this.#openReaders -= 1;
        isOpen = false;
        return Promise.resolve();
      },
    };
  }

  async readAt(channel: PChannel, ordinal: MessageOrdinal, signal: AbortSignal): Promise<WalMessage> {
    await this.#called('readAt', channel);
    signal.throwIfAborted();
    const found = this.#channel(channel);
    if (ordinal < found.earliest || ordinal > latestOf(found)) {
      throw positionLost(channel, `message ${ordinal} is not kept`, {});
    }
    return { ordinal, payload: payloadOf(found, ordinal) };
  }

  encodeMessageId(ordinal: MessageOrdinal): Uint8Array {
    return memoryMessageId(ordinal);
  }

  decodeMessageId(bytes: Uint8Array): MessageOrdinal {
    return asOrdinal(Buffer.from(bytes).readBigUInt64LE());
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #called(call: WalCall, channel: PChannel | undefined): Promise<void> {
    this.calls[call] = (this.calls[call] ?? 0) + 1;
    await Promise.resolve();
    const at = this.#faults.findIndex(
      (fault) => fault.call === call && (fault.channel === undefined || fault.channel === channel),
    );
    const [fault] = at < 0 ? [] : this.#faults.splice(at, 1);
    if (fault === undefined) return;
    this.onFault(call, channel);
    throw fault.error;
  }

  #channel(channel: PChannel): Channel {
    const found = this.#channels.get(channel);
    if (found === undefined) {
      throw new ReplicationError('channelsNotFound', 'wal', `The source's log has no channel ${channel}.`);
    }
    return found;
  }

  #wake(channel: Channel): void {
    const { resolve } = channel.changed;
    channel.changed = Promise.withResolvers();
    resolve();
  }
}

export function memoryMessageId(ordinal: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(ordinal);
  return bytes;
}

const latestOf = (channel: Channel): MessageOrdinal => asOrdinal(FIRST_ORDINAL - 1n + BigInt(channel.messages.length));

const boundsOf = (channel: Channel): ChannelBounds => ({
  incarnation: channel.incarnation,
  earliest: asOrdinal(channel.earliest),
  latest: latestOf(channel),
});

/** A copy: the receiver owns it. */
function payloadOf(channel: Channel, ordinal: bigint): Uint8Array {
  const payload = channel.messages[Number(ordinal - FIRST_ORDINAL)];
  if (payload === undefined) throw new Error(`No message ${ordinal}.`);
  return payload.slice();
}
