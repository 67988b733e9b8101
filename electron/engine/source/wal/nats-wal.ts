/**
 * The log of a Milvus that keeps it in NATS JetStream (`mq.type: natsmq`).
 *
 * One stream per physical channel; stream name, subject and channel name are the same (Milvus 2.3.5,
 * pkg/mq/msgstream/mqwrapper/nmq/nmq_client.go). The ordinal is the stream sequence, which counts from 1. The
 * incarnation is the stream's creation time in the full precision the server gives.
 */
import { DiscardPolicy } from '@nats-io/jetstream';
import type { StreamInfo } from '@nats-io/jetstream';
import { millis } from '@nats-io/transport-node';
import type { NatsEndpoint } from '../../../../shared/model/connection.ts';
import { asPChannel } from '../../../../shared/model/ids.ts';
import type { PChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import type { MessageOrdinal, ResumePoint } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyNats } from '../../errors/classify-nats.ts';
import type { Logger } from '../../runtime/logger.ts';
import { orAborted } from '../../runtime/waiting.ts';
import { firstOrdinal, positionLost, proveStart, rangeOf } from './continuity.ts';
import { NatsReader } from './nats-reader.ts';
import { NatsDialer } from './nats-session.ts';
import type { ChannelBounds, ChannelRetention, Wal, WalMessage, WalReader } from './wal.ts';

/** A person waits no longer than this for the answer that an address is wrong. */
const TIMEOUT_MS = 5_000;
/** How long a request waits for a message before what is kept is looked at once more. */
const PULL_EXPIRES_MS = 30_000;
/** The sequence of a stream's first message. */
const FIRST_SEQUENCE = 1n;
const MESSAGE_ID_BYTES = 8;

export interface NatsWalOptions {
  readonly logger: Logger;
  /** For connecting and for each request; 5 s by default. */
  readonly timeoutMs?: number;
  /** For tests; 30 s by default, not below 4 s. */
  readonly pullExpiresMs?: number;
}

/**
 * The first call connects. A connection that is lost fails what is under way with `unreachable`; the next call dials
 * again. Every call may throw unreachable, unauthenticated, permissionDenied, unsupported (no JetStream), invalidConfig.
 */
export function openNatsWal(endpoint: NatsEndpoint, options: NatsWalOptions): Wal {
  const dialer = new NatsDialer(endpoint, options.timeoutMs ?? TIMEOUT_MS, options.logger);
  return new NatsWal(endpoint.channelPrefix, dialer, options);
}

class NatsWal implements Wal {
  readonly #prefix: string;
  readonly #dialer: NatsDialer;
  readonly #options: NatsWalOptions;

  constructor(prefix: string, dialer: NatsDialer, options: NatsWalOptions) {
    this.#prefix = prefix;
    this.#dialer = dialer;
    this.#options = options;
  }

  /**
   * The creation time of the first data channel's stream: Milvus makes it at its first start and never again, it lies on
   * the broker's disk, and a cluster that was set up anew has another. The server's own id changes with every start.
   */
  async identity(): Promise<string> {
    const [first] = await this.listDataChannels();
    if (first === undefined) {
      throw new ReplicationError(
        'channelsNotFound',
        'wal',
        `The source's log has no channel "${this.#prefix}-rootcoord-dml_<number>". Check the channel prefix (Milvus' ` +
          'common.chanNamePrefix.cluster) and that Milvus has been started on this log.',
        { context: { channelPrefix: this.#prefix } },
      );
    }
    const { incarnation } = await this.bounds(first);
    return `nats:${first}:${incarnation}`;
  }

  async listDataChannels(): Promise<readonly PChannel[]> {
    const prefix = `${this.#prefix}-rootcoord-dml_`;
    const indexes: number[] = [];
    for (const name of await this.#streamNames()) {
      const index = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      if (/^\d+$/.test(index)) indexes.push(Number(index));
    }
    return indexes.sort((a, b) => a - b).map((index) => asPChannel(`${prefix}${index}`));
  }

  async operationChannel(): Promise<PChannel | undefined> {
    const name = `${this.#prefix}-replicate-msg`;
    return (await this.#streamNames()).includes(name) ? asPChannel(name) : undefined;
  }

  async bounds(channel: PChannel): Promise<ChannelBounds> {
    const { state, created } = await this.#info(channel);
    const { messages, first_seq: first, last_seq: last } = state;
    // A stream that never had a message says 0 for both.
    return {
      incarnation: created,
      earliest: asOrdinal(messages === 0 ? BigInt(last) + 1n : BigInt(first)),
      latest: asOrdinal(BigInt(last)),
    };
  }

  async retention(channel: PChannel): Promise<ChannelRetention> {
    const { config, state } = await this.#info(channel);
    // 0 and -1 stand for no limit. One that discards new messages refuses them instead of removing old ones.
    const isLimit = (value: number): boolean => value > 0 && config.discard !== DiscardPolicy.New;
    return {
      ageMsMax: config.max_age > 0 ? millis(config.max_age) : undefined,
      bytesMax: isLimit(config.max_bytes) ? config.max_bytes : undefined,
      messagesMax: isLimit(config.max_msgs) ? config.max_msgs : undefined,
      bytesUsed: state.bytes,
    };
  }

  async assertKept(channel: PChannel, start: ResumePoint): Promise<void> {
    proveStart(channel, start, await this.bounds(channel), FIRST_SEQUENCE);
  }

  async open(channel: PChannel, start: ResumePoint, signal: AbortSignal): Promise<WalReader> {
    signal.throwIfAborted();
    const { incarnation } = start;
    const session = await this.#dialer.session();
    const first = firstOrdinal(start, FIRST_SEQUENCE);
    let isOpen = false;
    const reader = await NatsReader.open({
      session,
      channel,
      first,
      pullExpiresMs: this.#options.pullExpiresMs ?? PULL_EXPIRES_MS,
      logger: this.#options.logger,
      prove: async (next) => {
        const bounds = await this.bounds(channel);
        // While it waits, the reader stands after a message it has had, of which nothing need be kept any more.
        const point: ResumePoint = isOpen ? { kind: 'after', ordinal: asOrdinal(next - 1n), incarnation } : start;
        proveStart(channel, point, bounds, FIRST_SEQUENCE);
      },
    });
    isOpen = true;
    if (signal.aborted) {
      await reader.close();
      throw signal.reason;
    }
    return reader;
  }

  async readAt(channel: PChannel, ordinal: MessageOrdinal, signal: AbortSignal): Promise<WalMessage> {
    return orAborted(this.#readAt(channel, ordinal), signal);
  }

  async #readAt(channel: PChannel, ordinal: MessageOrdinal): Promise<WalMessage> {
    const { manager } = await this.#dialer.session();
    try {
      // Sequence 0 would mean "no sequence" to the server.
      const seq = Number(ordinal);
      const message = ordinal < FIRST_SEQUENCE ? null : await manager.streams.getMessage(channel, { seq });
      if (message !== null) return { ordinal, payload: new Uint8Array(message.data) };
    } catch (error) {
      throw classifyNats(error, `Message ${ordinal} of channel ${channel} could not be read`, { pchannel: channel });
    }
    const bounds = await this.bounds(channel);
    throw positionLost(channel, `message ${ordinal} is wanted; the log ${rangeOf(bounds)}`, {
      ordinal: ordinal.toString(),
      earliest: bounds.earliest.toString(),
      latest: bounds.latest.toString(),
    });
  }

  /** Unsigned, little-endian (pkg/mq/msgstream/mqwrapper/nmq/nmq_id.go with common.Endian; Milvus 2.3.5). */
  encodeMessageId(ordinal: MessageOrdinal): Uint8Array {
    const bytes = new Uint8Array(MESSAGE_ID_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, ordinal, true);
    return bytes;
  }

  decodeMessageId(bytes: Uint8Array): MessageOrdinal {
    if (bytes.length !== MESSAGE_ID_BYTES) {
      throw new ReplicationError(
        'malformedMessage',
        'wal',
        `A message id of ${bytes.length} bytes is not one of NATS, which has ${MESSAGE_ID_BYTES}. Check that the source's log is kept in NATS.`,
        { context: { length: bytes.length } },
      );
    }
    return asOrdinal(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true));
  }

  close(): Promise<void> {
    return this.#dialer.close();
  }

  async #info(channel: PChannel): Promise<StreamInfo> {
    const { manager } = await this.#dialer.session();
    try {
      return await manager.streams.info(channel);
    } catch (error) {
      throw classifyNats(error, `Channel ${channel} could not be looked up in the source's log`, { pchannel: channel });
    }
  }

  async #streamNames(): Promise<string[]> {
    const { manager } = await this.#dialer.session();
    const names: string[] = [];
    try {
      for await (const name of manager.streams.names()) names.push(name);
    } catch (error) {
      throw classifyNats(error, "The channels of the source's log could not be listed");
    }
    return names;
  }
}
