/**
 * The ledger: what the source has acknowledged, one JSON line per operation, written only after the answer came. It is
 * the judge's own memory: replayed, it says which rows the source must hold, whatever the source itself says.
 *
 * An operation whose answer never came stands in it with the outcome `unknown`: it may or may not have happened.
 * The last line is `end`; a ledger without it was cut off, and proves nothing.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

/** Operations that change neither rows nor names stand in the ledger to be counted. */
export const OPERATION_KINDS = [
  'insert',
  'upsert',
  'delete',
  'createDatabase',
  'dropDatabase',
  'createCollection',
  'dropCollection',
  'createPartition',
  'dropPartition',
  'createIndex',
  'load',
  'release',
  'flush',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** The whole of a collection whose rows Milvus spreads itself: partition keys. */
export const ALL_PARTITIONS = '';

const place = {
  database: z.string(),
  collection: z.string(),
  /** 1 for the first collection of that name, 2 after it was dropped and created again. */
  incarnation: z.int(),
};
const outcome = { outcome: z.enum(['acknowledged', 'unknown']), ackMs: z.int() };
const keyAndHash = z.tuple([z.string(), z.string()]);

const entrySchema = z.discriminatedUnion('op', [
  z.object({ op: z.literal('start'), version: z.literal(1), seed: z.int() }),
  z.object({
    op: z.enum(['insert', 'upsert']),
    ...place,
    partition: z.string(),
    rows: z.array(keyAndHash),
    ...outcome,
  }),
  z.object({
    op: z.literal('delete'),
    ...place,
    partition: z.string(),
    keys: z.array(z.string()).readonly(),
    ...outcome,
  }),
  z.object({ op: z.enum(['createPartition', 'dropPartition']), ...place, partition: z.string(), ...outcome }),
  z.object({
    op: z.enum(['createCollection', 'dropCollection', 'createIndex', 'load', 'release', 'flush']),
    ...place,
    ...outcome,
  }),
  z.object({ op: z.enum(['createDatabase', 'dropDatabase']), database: z.string(), ...outcome }),
  z.object({ op: z.literal('end') }),
]);
export type LedgerEntry = z.infer<typeof entrySchema>;
export type Outcome = 'acknowledged' | 'unknown';
/** An operation before its outcome is known. */
export type LedgerOperation =
  Exclude<LedgerEntry, { op: 'start' | 'end' }> extends infer Entry
    ? Entry extends { outcome: Outcome; ackMs: number }
      ? Omit<Entry, 'outcome' | 'ackMs'>
      : never
    : never;

/**
 * Writes through, line by line, before anything else happens: what was acknowledged is in the file even when the process
 * is killed at the next instant. A line per batch makes that cheap.
 */
export class LedgerWriter {
  #descriptor: number | undefined;

  /** Creates the file anew, readable by its owner only. Throws `storeFailed`, as all methods do. */
  constructor(file: string) {
    this.#descriptor = attempt('written', () => openSync(file, 'w', 0o600));
  }

  write(entry: LedgerEntry): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) throw ledgerFailed('written', new Error('The ledger is closed.'));
    attempt('written', () => writeFileSync(descriptor, `${JSON.stringify(entry)}\n`));
  }

  /** Writes the last line and closes the file. */
  end(): void {
    this.write({ op: 'end' });
    this.close();
  }

  /** Closes the file as it is: a ledger without its last line. May be called twice. */
  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) attempt('written', () => closeSync(descriptor));
  }
}

/** Throws `storeFailed` when the file cannot be read or a line of it is not a ledger's. */
export async function* readLedger(file: string): AsyncGenerator<LedgerEntry> {
  let lineNumber = 0;
  try {
    await using handle = await open(file);
    for await (const line of handle.readLines()) {
      lineNumber += 1;
      yield entrySchema.parse(JSON.parse(line));
    }
  } catch (error) {
    throw ledgerFailed(lineNumber === 0 ? 'read' : `read at line ${String(lineNumber)}`, error);
  }
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw ledgerFailed(what, error);
  }
}

const ledgerFailed = (what: string, cause: unknown): ReplicationError =>
  new ReplicationError(
    'storeFailed',
    'store',
    `The drill's ledger cannot be ${what}. Check the disk and start the drill again.`,
    {
      cause,
    },
  );
