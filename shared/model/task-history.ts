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
