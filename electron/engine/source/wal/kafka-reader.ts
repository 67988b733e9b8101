/**
 * Reads one topic's only partition in order, without holes, and never more than it was asked for.
 *
 * Each `read` is one Fetch of its own with the credit that it was given, on a connection of the reader's own: the broker
 * holds the answer back until there is something, and with it all that comes behind on the connection. No group, so
 * nothing is left at the broker.
 *
 * Continuity. The broker is asked for the topic by its id, so a topic of the same name made anew is not taken for it; it is
 * told the leader epoch of the record before, so an end that was cut off and has grown again is seen (KIP-595); it refuses
 * an offset that it does not keep (OFFSET_OUT_OF_RANGE); and the offset of each record must be the expected one. An empty
 * answer therefore proves that nothing was lost. Brokers before 3.1 know no ids in a Fetch: there the id is asked for
 * behind every answer, before it is believed.
 */
import type { PChannel } from '../../../../shared/model/ids.ts';
import type { MessageOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { classifyKafka, KafkaRefusal, OFFSET_OUT_OF_RANGE } from '../../errors/classify-kafka.ts';
import { orAborted } from '../../runtime/waiting.ts';
import { positionLost } from './continuity.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { API_FETCH, FETCH_VERSION_BY_ID, fetchRequest, metadataRequest } from './kafka-protocol.ts';
import type { Fetched } from './kafka-protocol.ts';
import { readBatches, readRecords } from './kafka-records.ts';
import type { RecordBatch } from './kafka-records.ts';
import type { WalMessage, WalReader } from './wal.ts';

/** Of one answer, which is held besides the messages handed out: fast enough for 80 MB/s at 50 ms away. */
const FETCH_BYTES_MAX = 4 * 1024 * 1024;
/** Beyond the time that the broker may hold an answer back. */
const SILENCE_MAX_MS = 3_000;

export interface KafkaReaderOptions {
  /** The reader's own from now on. */
  readonly connection: KafkaConnection;
  readonly channel: PChannel;
  readonly topicId: string;
  /** Of the first message to deliver. */
  readonly first: MessageOrdinal;
  /** How long the broker holds back the answer to a Fetch for which there is nothing. */
  readonly waitMs: number;
  /** Rejects with `positionLost` where the offset is not kept, in words that tell what is. */
  readonly prove: (next: bigint) => Promise<void>;
}

export class KafkaReader implements WalReader {
  readonly #options: KafkaReaderOptions;
  /** Unpacked and proven, but not handed out yet. */
  #messages: WalMessage[] = [];
  /** Arrived and proven, but not unpacked yet. */
  #batches: RecordBatch[] = [];
  /** The offset to ask for next, and the one of the next message to hand out. */
  #nextFetched: bigint;
  #nextRead: bigint;
  #lastEpoch = -1;
  #throttledMs = 0;
  /** Under way; never rejects. */
  #fetching: Promise<void> | undefined;
  #failure: Error | undefined;
  #isReading = false;

  constructor(options: KafkaReaderOptions) {
    this.#options = options;
    this.#nextFetched = options.first;
    this.#nextRead = options.first;
  }

  async read(bytesMax: number, signal: AbortSignal): Promise<readonly WalMessage[]> {
    if (this.#isReading) throw new ReplicationError('bug', 'internal', 'Two reads of one log reader at a time.');
    this.#isReading = true;
    try {
      for (;;) {
        signal.throwIfAborted();
        const messages = this.#take(bytesMax);
        if (messages.length > 0) return messages;
        if (this.#failure !== undefined) throw this.#failure;
        // One that was begun by a read that was aborted is waited for by the next.
        this.#fetching ??= this.#fetch(bytesMax).finally(() => (this.#fetching = undefined));
        await orAborted(this.#fetching, signal);
      }
    } finally {
      this.#isReading = false;
    }
  }

  close(): Promise<void> {
    const reason = new DOMException(`The reader of channel ${this.#options.channel} was closed.`, 'AbortError');
    this.#failure ??= reason;
    this.#options.connection.close(reason);
    return Promise.resolve();
  }

  #take(bytesMax: number): WalMessage[] {
    const taken: WalMessage[] = [];
    let bytes = 0;
    for (;;) {
      if (!this.#unpackNext()) return taken;
      let count = 0;
      for (const { payload } of this.#messages) {
        if (taken.length + count > 0 && bytes + payload.length > bytesMax) break;
        bytes += payload.length;
        count += 1;
      }
      taken.push(...this.#messages.splice(0, count));
      if (this.#messages.length > 0) return taken;
    }
  }

  /** False when there is nothing more in hand; a batch that cannot be unpacked ends the reader. */
  #unpackNext(): boolean {
    while (this.#messages.length === 0) {
      const batch = this.#batches.shift();
      if (batch === undefined) return false;
      try {
        this.#messages = this.#provenRecords(batch);
      } catch (error) {
        this.#batches = [];
        this.#failure ??= error as Error;
        return false;
      }
    }
    return true;
  }

  #provenRecords(batch: RecordBatch): WalMessage[] {
    const messages = batch.isControl ? [] : readRecords(batch).filter(({ ordinal }) => ordinal >= this.#nextRead);
    for (const { ordinal } of messages) {
      if (ordinal !== this.#nextRead) throw this.#hole(this.#nextRead, ordinal);
      this.#nextRead += 1n;
    }
    const next = batch.lastOffset + 1n;
    if (!batch.isControl && this.#nextRead < next) throw this.#hole(this.#nextRead, next);
    this.#nextRead = next;
    return messages;
  }

  #hole(wanted: bigint, received: bigint): ReplicationError {
    const reason = `message ${wanted} is missing from it, and the next one is ${received}`;
    const context = { ordinal: wanted.toString(), received: received.toString() };
    return positionLost(this.#options.channel, reason, context);
  }

  async #fetch(bytesMax: number): Promise<void> {
    const { channel } = this.#options;
    try {
      this.#accept(await this.#request(Math.max(1, Math.min(bytesMax, FETCH_BYTES_MAX))));
    } catch (thrown) {
      const context = { pchannel: channel, next: this.#nextFetched.toString() };
      const isOurs = thrown instanceof DOMException;
      const failed = `Channel ${channel} can no longer be read`;
      const error = isOurs ? thrown : await this.#explain(classifyKafka(thrown, failed, context), thrown);
      this.#failure ??= error;
      this.#options.connection.close(error);
    }
  }

  /** What was lost is told by what is kept. */
  async #explain(error: ReplicationError, thrown: unknown): Promise<ReplicationError> {
    const { channel, prove } = this.#options;
    if (error.code === 'channelsNotFound') {
      const sentence = `Channel ${channel} can no longer be read: its topic moved to another broker or was deleted. Open it again to find out.`;
      return new ReplicationError('unreachable', 'wal', sentence, { cause: thrown, context: error.context });
    }
    if (!(thrown instanceof KafkaRefusal) || thrown.errorCode !== OFFSET_OUT_OF_RANGE) return error;
    try {
      await prove(this.#nextFetched);
    } catch (lost) {
      return lost as ReplicationError;
    }
    const ordinal = this.#nextFetched.toString();
    return positionLost(channel, `the broker does not keep message ${ordinal}`, { ordinal });
  }

  async #request(bytesMax: number): Promise<Fetched> {
    const { connection, channel: topic, topicId, waitMs } = this.#options;
    const version = connection.versionOf(API_FETCH);
    const silenceMaxMs = waitMs + SILENCE_MAX_MS + this.#throttledMs;
    const request = fetchRequest(version, {
      ...{ topic, topicId, offset: this.#nextFetched, lastEpoch: this.#lastEpoch, bytesMax, waitMs },
    });
    const answer = connection.send(request, silenceMaxMs);
    if (version >= FETCH_VERSION_BY_ID) return answer;
    const [fetched, { topics }] = await Promise.all([answer, connection.send(metadataRequest([topic]), silenceMaxMs)]);
    const idNow = topics[0]?.id;
    if (idNow !== topicId) {
      const reason = `the log was deleted${idNow === undefined ? '' : ` and made again (${topicId} then, ${idNow} now)`}`;
      throw positionLost(topic, reason, { ordinal: this.#nextFetched.toString() });
    }
    return fetched;
  }

  #accept({ throttleMs, errorCode, divergesAt, records }: Fetched): void {
    this.#throttledMs = throttleMs;
    KafkaRefusal.throwIf(errorCode);
    const { channel } = this.#options;
    if (divergesAt !== undefined) {
      const reason = `the log's end was cut off at ${divergesAt} and has been written anew`;
      throw positionLost(channel, reason, { ordinal: this.#nextFetched.toString() });
    }
    for (const batch of readBatches(records)) {
      if (batch.lastOffset < this.#nextFetched) continue;
      if (batch.firstOffset > this.#nextFetched) throw this.#hole(this.#nextFetched, batch.firstOffset);
      this.#nextFetched = batch.lastOffset + 1n;
      this.#lastEpoch = batch.leaderEpoch;
      this.#batches.push(batch);
    }
  }
}
