/**
 * Record batches (message format 2, Kafka 0.11 and later) as they come in an answer to Fetch. Pure.
 *
 * A batch comes whole: it may begin below the offset that was asked for, and the last one of an answer may be cut off.
 * Milvus' producer compresses with zstd (seen with 2.3.5). Batches are unpacked one at a time, when their turn comes, so
 * that an answer takes no more memory than its own bytes and one batch.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { asOrdinal } from '../../../../shared/model/position.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { WireReader } from './kafka-wire.ts';
import type { WalMessage } from './wal.ts';

/** Base offset and length, after which as many bytes follow. */
const PREFIX_BYTES = 12;
const FORMAT = 2;
const COMPRESSION_MASK = 0b111;
const CONTROL_FLAG = 0b10_0000;
/** By the number in a batch's attributes. */
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
/** Of one batch, unpacked: several times what a broker takes in one (1 MiB by default, 20 MiB is usual for Milvus). */
const UNPACKED_BYTES_MAX = 256 * 1024 * 1024;

/** Vectors hardly shrink (1.1 times with zstd): what a batch unpacks to is guessed by it. */
const UNPACKED_RATIO = 1.25;
const CHUNK_BYTES_MIN = 16 * 1024;

export interface RecordBatch {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly leaderEpoch: number;
  /** Marks of transactions, which are no messages. */
  readonly isControl: boolean;
  readonly compression: (typeof COMPRESSIONS)[number] | undefined;
  readonly count: number;
  /** Still packed; a part of the answer. */
  readonly records: Buffer;
}

/** @throws malformedMessage */
export function readBatches(bytes: Buffer): RecordBatch[] {
  const batches: RecordBatch[] = [];
  const reader = new WireReader(bytes);
  while (reader.remaining >= PREFIX_BYTES) {
    const firstOffset = reader.int64();
    const length = reader.int32();
    if (length > reader.remaining) break;
    batches.push(readBatch(firstOffset, new WireReader(reader.bytes(length))));
  }
  return batches;
}

function readBatch(firstOffset: bigint, reader: WireReader): RecordBatch {
  return orMalformed(firstOffset, () => {
    const leaderEpoch = reader.int32();
    const format = reader.int8();
    if (format !== FORMAT) throw new RangeError(`It has message format ${format}, not ${FORMAT}.`);
    reader.int32(); // checksum: TCP has one, and so have gzip and zstd
    const attributes = reader.int16();
    const lastOffset = firstOffset + BigInt(reader.int32());
    reader.bytes(30); // two times, producer id and epoch, sequence
    const count = reader.int32();
    return {
      firstOffset,
      lastOffset,
      leaderEpoch,
      isControl: (attributes & CONTROL_FLAG) !== 0,
      compression: COMPRESSIONS[attributes & COMPRESSION_MASK],
      count,
      records: reader.bytes(reader.remaining),
    };
  });
}

/**
 * The messages of a batch. A payload that is most of the unpacked batch is a part of it; others are copied, so that a small
 * one that is kept does not keep a large batch. @throws malformedMessage, unsupported, messageTooLarge. */
export function readRecords(batch: RecordBatch): WalMessage[] {
  const unpacked = unpack(batch);
  const reader = new WireReader(unpacked);
  return orMalformed(batch.firstOffset, () => {
    const messages: WalMessage[] = [];
    for (let index = 0; index < batch.count; index += 1) {
      const record = new WireReader(reader.bytes(reader.varint()));
      record.int8(); // attributes
      record.skipVarlong(); // time
      const ordinal = asOrdinal(batch.firstOffset + BigInt(record.varint()));
      const keyLength = record.varint();
      if (keyLength > 0) record.bytes(keyLength);
      const length = record.varint();
      // Headers follow, of which nothing is wanted. A record without a value is one of no bytes.
      const value = record.bytes(Math.max(0, length));
      const isMost = value.length * 2 > unpacked.buffer.byteLength;
      messages.push({ ordinal, payload: isMost ? asBytes(value) : new Uint8Array(value) });
    }
    return messages;
  });
}

/** The same bytes, as what the rest of the engine knows. */
const asBytes = ({ buffer, byteOffset, length }: Buffer): Uint8Array => new Uint8Array(buffer, byteOffset, length);

function unpack({ compression, records, firstOffset }: RecordBatch): Buffer {
  // Of one piece where it can be: pieces are put together by a further copy.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, Math.ceil(records.length * UNPACKED_RATIO));
  const limit = { maxOutputLength: UNPACKED_BYTES_MAX, chunkSize };
  try {
    switch (compression) {
      case 'none':
        return records;
      case 'gzip':
        return gunzipSync(records, limit);
      case 'zstd':
        return zstdDecompressSync(records, limit);
      default:
        throw new ReplicationError(
          'unsupported',
          'wal',
          `Message ${firstOffset} of the source's log is compressed with ${compression ?? 'something unknown'}, which Lifeline cannot ` +
            `unpack. Set the topic's compression.type to "producer" (Milvus uses zstd), "zstd", "gzip" or "uncompressed".`,
          { context: { ordinal: firstOffset.toString() } },
        );
    }
  } catch (error) {
    if (error instanceof ReplicationError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ReplicationError(
        'messageTooLarge',
        'wal',
        `The batch at message ${firstOffset} of the source's log unpacks to more than ${UNPACKED_BYTES_MAX / 1024 / 1024} MiB, which no ` +
          "Milvus writes. Look into the source's log.",
        { cause: error, context: { ordinal: firstOffset.toString() } },
      );
    }
    throw malformed(firstOffset, error);
  }
}

function orMalformed<T>(offset: bigint, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw malformed(offset, error);
    throw error;
  }
}

const malformed = (offset: bigint, cause: unknown): ReplicationError =>
  new ReplicationError(
    'malformedMessage',
    'wal',
    `The batch at message ${offset} of the source's log cannot be read: ${(cause as Error).message} Look into the source's log.`,
    { cause, context: { ordinal: offset.toString() } },
  );
