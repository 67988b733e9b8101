/** What is kept of a task's past for the operator to look up: JSON-safe, 64-bit numbers as decimal strings. */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';

/** What a join has shown: a collection's copy and the log have met. */
export const joinCertificateSchema = z.object({
  collectionId: z.string(),
  database: z.string(),
  collection: z.string(),
  /** Distinct keys that the copy has written. */
  rowsCopied: z.string(),
  /** Rows of the source that shared their key with another one, of which one each was copied. */
  sourceDoubles: z.string(),
  /** The copy was filled before; absent in certificates of earlier versions. */
  isRecopy: z.boolean().optional(),
  /** Of a filled copy: keys that the source no longer had. */
  rowsDeleted: z.string().optional(),
  /** Unix ms. */
  copyBegan: z.number(),
  copyEnded: z.number(),
  joined: z.number(),
  shards: z.array(
    z.object({
      vchannel: z.string(),
      /** The log's end before the first read (S), after the last (E), and where the shard joined. */
      copyStart: z.string(),
      copyEnd: z.string(),
      joinedAt: z.string(),
      joinedTick: z.string(),
    }),
  ),
});

export type JoinCertificate = Immutable<z.output<typeof joinCertificateSchema>>;

/**
 * Changes of one shard that the log removed before they were applied: behind `from`, up to `to`. Closed by a copy of its
 * collection that began later.
 */
export const gapSchema = z.object({
  channel: z.string(),
  vchannel: z.string(),
  collectionId: z.string(),
  database: z.string(),
  collection: z.string(),
  /** `removed`: retention went past the position. `recreated`: the log was deleted and made again. `cutOff`: its end is gone. */
  reason: z.enum(['removed', 'recreated', 'cutOff']),
  /** The first message that was needed, and the source time up to which every change is confirmed ("0": none is). */
  from: z.object({ ordinal: z.string(), tick: z.string(), ms: z.number().optional() }),
  /** The first message that is kept, and its time where it bears one. Absent: the log could not be asked. */
  to: z.object({ ordinal: z.string(), tick: z.string().optional(), ms: z.number().optional() }).optional(),
  /** Unix ms. */
  foundAt: z.number(),
});

export type Gap = Immutable<z.output<typeof gapSchema>>;
