/**
 * Reads one JetStream stream in order, without holes, and never more than it was asked for.
 *
 * Each `read` is one pull request of its own with the credit it was given, so nothing is on its way that nobody asked
 * for. The client's `fetch` and `consume` do not serve: a fetch of many messages waits for all of them or for its end,
 * and `consume` keeps credit of its own open between the reads. So the request is made here, as
 * nats-architecture-and-design ADR-13 describes it. With `no_wait` and `expires` together the server waits for
 * the first message, sends what there is and says when the log's end is reached (nats-server 2.9.17,
 * server/consumer.go, processNextMsgRequest and processWaiting): batches while behind, no delay at the end.
 *
 * The end of a request is known exactly. The server says it with a status (408, 404, 409), or it lies in the count: all
 * messages were sent, or all bytes, for which the server ends a request without a word (nextWaiting, same file). Each request has a reply
 * subject of its own, so a status that comes late is not taken for the next request's.
 *
 * Continuity: the sequence of each message must be the expected one, the very first included. What the broker sends
 * after a hole is thrown away. A request that ended without a message is followed by a look at what is kept, since a log
 * may lose all that was not read yet and then stay silent.
 */
import { AckPolicy, DeliverPolicy, ReplayPolicy } from '@nats-io/jetstream';
import { createInbox, nanos, nuid } from '@nats-io/transport-node';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { PChannel } from '../../../../shared/model/ids.ts';
import { asOrdinal } from '../../../../shared/model/position.ts';
import type { MessageOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyNats } from '../../errors/classify-nats.ts';
import type { Logger } from '../../runtime/logger.ts';
import { orAborted } from '../../runtime/waiting.ts';
import { positionLost } from './continuity.ts';
import type { NatsSession } from './nats-session.ts';
import { readPullStatus, sequenceOf, sizeOnTheWire } from './nats-wire.ts';
import type { PullStatus } from './nats-wire.ts';
import type { WalMessage, WalReader } from './wal.ts';

/** The smallest messages (17 bytes of a time tick) cost about 120 bytes of a request, so this rarely counts. */
const PULL_MESSAGES_MAX = 16_384;
/** Twice the server's heartbeat and some more: silence for longer means that the consumer or the way to it is gone. */
const HEARTBEAT_INTERVAL_MS = 2_000;
const SILENCE_MAX_MS = 5_000;
/**
 * After this long without a read the server forgets the consumer: after a crash nothing stays, and a reader that was held
 * back for longer is opened again by its owner.
 */
const CONSUMER_INACTIVE_MS = 5 * 60_000;

export interface NatsReaderOptions {
  readonly session: NatsSession;
  readonly channel: PChannel;
  /** Of the first message to deliver. */
  readonly first: MessageOrdinal;
  /** Of a request that gets no message; at least two heartbeats. */
  readonly pullExpiresMs: number;
  /** Whether the log still is the one that was opened and keeps, or will get, the message; rejects with `positionLost`. */
  readonly prove: (next: MessageOrdinal) => Promise<void>;
  readonly logger: Logger;
}

interface Pull {
  readonly inbox: string;
  readonly bytesMax: number | undefined;
  readonly messagesMax: number;
  bytes: number;
  messages: number;
}

/** How the last request ended; `running` while one is out. */
type PullEnd = 'none' | 'running' | Extract<PullStatus, 'ended' | 'messageTooLarge'>;

export class NatsReader implements WalReader {
  readonly #options: NatsReaderOptions;
  readonly #consumer: string;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #forgetClosed: () => void;
  /** In order and proven, but not handed out yet. */
  #arrived: WalMessage[] = [];
  #arrivedBytes = 0;
  #next: bigint;
  #pull: Pull | undefined;
  #pullEnd: PullEnd = 'none';
  #pulls = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #silence: NodeJS.Timeout | undefined;
  #giveTurnBack: (() => void) | undefined;
  #isReading = false;
  #closing: Promise<void> | undefined;

  private constructor(options: NatsReaderOptions, consumer: string) {
    this.#options = options;
    this.#consumer = consumer;
    this.#next = options.first;
    const { session } = options;
    this.#subscription = session.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#onMessage(message);
        else
          this.#fail(
            classifyNats(error, `Channel ${options.channel} could not be read`, { pchannel: options.channel }),
          );
      },
    });
    session.credit.addReader();
    this.#forgetClosed = session.onClosed((error) => this.#fail(error));
  }

  /** Makes the consumer, then proves the start: what is removed later shows in the first message's sequence. */
  static async open(options: NatsReaderOptions): Promise<NatsReader> {
    const { session, channel, first } = options;
    const name = `lifeline-${nuid.next()}`;
    try {
      await session.manager.consumers.add(channel, {
        name,
        description: 'Lifeline reads this log; it acknowledges and removes nothing',
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Number(first),
        replay_policy: ReplayPolicy.Instant,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(CONSUMER_INACTIVE_MS),
      });
    } catch (error) {
      throw classifyNats(error, `Channel ${channel} could not be opened for reading`, { pchannel: channel });
    }
    const reader = new NatsReader(options, name);
    try {
      await options.prove(first);
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  async read(bytesMax: number, signal: AbortSignal): Promise<readonly WalMessage[]> {
    if (this.#isReading) throw new ReplicationError('bug', 'internal', 'Two reads of one log reader at a time.');
    this.#isReading = true;
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener('abort', onAbort);
    try {
      for (;;) {
        signal.throwIfAborted();
        // A request that is under way is waited for, so that its credit is used up before there is another one.
        if (this.#pullEnd !== 'running' || this.#failure !== undefined) {
          if (this.#arrived.length > 0) return this.#take(bytesMax);
          this.#throwFailure();
          if (this.#pullEnd === 'ended') await orAborted(this.#proveNothingLost(), signal);
          if (this.#pullEnd === 'messageTooLarge')
            this.#giveTurnBack = await this.#options.session.credit.takeTurn(signal);
          // It may have failed meanwhile.
          this.#throwFailure();
          this.#request(bytesMax);
        }
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#isReading = false;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { session, channel, logger } = this.#options;
    this.#fail(new DOMException(`The reader of channel ${channel} was closed.`, 'AbortError'));
    this.#forgetClosed();
    if (session.isClosed) return;
    try {
      await session.manager.consumers.delete(channel, this.#consumer);
    } catch (thrown) {
      const error = classifyNats(thrown, `The consumer of channel ${channel} could not be removed`);
      // Gone with its stream, with a restart of the broker or with the connection: nothing is left to remove.
      if (error.code === 'channelsNotFound' || error.code === 'unreachable') return;
      const fields = { pchannel: channel, consumer: this.#consumer, code: error.code };
      logger.warn(fields, `${error.message} The broker removes it after ${CONSUMER_INACTIVE_MS / 60_000} minutes.`);
    }
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    this.#giveTurnBack?.();
    throw this.#failure;
  }

  #take(bytesMax: number): readonly WalMessage[] {
    if (this.#arrivedBytes <= bytesMax) {
      const all = this.#arrived;
      this.#arrived = [];
      this.#arrivedBytes = 0;
      return all;
    }
    // More than is asked for now: the rest of a larger request whose read was aborted.
    let bytes = 0;
    let count = 0;
    for (const message of this.#arrived) {
      if (count > 0 && bytes + message.payload.length > bytesMax) break;
      bytes += message.payload.length;
      count += 1;
    }
    this.#arrivedBytes -= bytes;
    return this.#arrived.splice(0, count);
  }

  #request(bytesMax: number): void {
    const { session, channel, pullExpiresMs } = this.#options;
    // A message larger than the credit is refused by the server and stays where it is; then it is asked for alone.
    const isSingle = this.#pullEnd === 'messageTooLarge';
    const bytes = isSingle ? undefined : Math.max(1, Math.min(bytesMax, session.credit.share));
    this.#pulls += 1;
    const inbox = `${this.#inbox}.${this.#pulls}`;
    this.#pull = { inbox, bytesMax: bytes, messagesMax: isSingle ? 1 : PULL_MESSAGES_MAX, bytes: 0, messages: 0 };
    this.#pullEnd = 'running';
    session.connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${channel}.${this.#consumer}`,
      JSON.stringify({
        batch: this.#pull.messagesMax,
        ...(bytes === undefined ? {} : { max_bytes: bytes }),
        no_wait: true,
        expires: nanos(pullExpiresMs),
        idle_heartbeat: nanos(HEARTBEAT_INTERVAL_MS),
      }),
      { reply: inbox },
    );
    this.#expectSign();
  }

  async #proveNothingLost(): Promise<void> {
    try {
      await this.#options.prove(asOrdinal(this.#next));
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  #onMessage(message: Msg): void {
    if (this.#failure !== undefined) return;
    this.#expectSign();
    if (message.subject.startsWith(this.#inbox)) this.#onStatus(message);
    else this.#onData(message);
  }

  #onStatus(message: Msg): void {
    if (message.subject !== this.#pull?.inbox) return;
    const { channel } = this.#options;
    const status = readPullStatus(message);
    switch (status) {
      case 'heartbeat':
        return;
      case 'ended':
      case 'messageTooLarge':
        this.#endPull(status);
        return;
      default:
        this.#fail(
          new ReplicationError(status.code, 'wal', `Channel ${channel} can no longer be read: ${status.sentence}`, {
            context: { pchannel: channel, next: this.#next.toString() },
          }),
        );
    }
  }

  #onData(message: Msg): void {
    const { channel } = this.#options;
    const sequence = sequenceOf(message.reply ?? '');
    if (sequence !== this.#next) {
      const reason = `after message ${this.#next - 1n} the broker went on with ${sequence ?? 'one that bears no number'}`;
      this.#fail(positionLost(channel, reason, { ordinal: this.#next.toString(), received: String(sequence) }));
      return;
    }
    this.#next += 1n;
    // The client's buffer is a part of what came off the socket in one piece, which it would keep alive: so a copy.
    const payload = new Uint8Array(message.data);
    this.#arrived.push({ ordinal: asOrdinal(sequence), payload });
    this.#arrivedBytes += payload.length;
    const pull = this.#pull;
    if (pull === undefined) return;
    pull.messages += 1;
    pull.bytes += sizeOnTheWire(message);
    if (pull.messages === pull.messagesMax || pull.bytes === pull.bytesMax) this.#endPull('ended');
  }

  #endPull(end: 'ended' | 'messageTooLarge'): void {
    // With messages in hand the next read begins with an ordinary request, and there is nothing to prove.
    this.#pullEnd = this.#arrived.length > 0 ? 'none' : end;
    this.#pull = undefined;
    clearTimeout(this.#silence);
    this.#giveTurnBack?.();
    this.#wake?.();
  }

  #expectSign(): void {
    if (this.#silence !== undefined && this.#pull !== undefined) {
      this.#silence.refresh();
      return;
    }
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // If it was we who stood still, what came meanwhile is read before immediates run, and sets the timer anew.
      const received = this.#subscription.getReceived();
      setImmediate(() => {
        if (this.#pullEnd !== 'running' || this.#subscription.getReceived() !== received) return;
        this.#fail(this.#silenceError());
      });
    }, SILENCE_MAX_MS);
  }

  #silenceError(): ReplicationError {
    const { channel } = this.#options;
    return new ReplicationError(
      'unreachable',
      'wal',
      `Channel ${channel} has been silent for ${SILENCE_MAX_MS / 1000} s, without the broker's heartbeats. ` +
        'Check that the broker runs; reading goes on from the last message when it is back.',
      { context: { pchannel: channel, next: this.#next.toString() } },
    );
  }

  /** For good: the first failure stays, what arrived before it is still handed out. */
  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#silence);
    // The broker takes this as the end of interest and sends no more.
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
    this.#options.session.credit.removeReader();
    this.#giveTurnBack?.();
    this.#wake?.();
  }
}
