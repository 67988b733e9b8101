/** What a message says of itself, for a person who must decide about it. Shows keys, and no other value. */
import type { RecordSummary } from '../../../shared/model/record-summary.ts';
import { parseCollectionSchema } from './collection-schema.ts';
import { decodeRecord } from './decode.ts';
import { isDecodeFailure, readKeyColumn } from './primary-keys.ts';
import type { DecodeFailure, InsertRecord, PrimaryKeys } from './records.ts';

/** Enough to find the rows by. */
const KEYS_MAX = 20;
/** A VarChar key may be 65,535 bytes long. */
const KEY_CHARS_MAX = 100;

/** @param schema Serialized, of its collection: says which column holds the keys. */
export function summarizeRecord(payload: Uint8Array, schema: Uint8Array | undefined): RecordSummary {
  const record = decodeRecord(payload);
  switch (record.kind) {
    case 'malformed':
      return { kind: 'malformed', problem: sentenceOf(record) };
    case 'insert': {
      const keys = keysOf(record, schema);
      return {
        kind: 'insert',
        partition: record.partitionName,
        rowCount: record.rowCount,
        columns: record.fields.map(({ fieldName }) => fieldName),
        ...(typeof keys === 'string' ? { problem: keys } : { firstKeys: firstOf(keys) }),
      };
    }
    case 'delete':
      return {
        kind: 'delete',
        partition: record.partitionName,
        rowCount: record.keys.values.length,
        firstKeys: firstOf(record.keys),
      };
    case 'createPartition':
    case 'dropPartition':
      return { kind: record.kind, partition: record.partitionName };
    case 'timeTick':
      return { kind: 'unknown', problem: 'It is a time tick, which holds no change.' };
    case 'unknown':
      return { kind: 'unknown', problem: `Its type (${record.messageType}) is not known to this version.` };
    default:
      return { kind: record.kind };
  }
}

/** @returns a sentence where they cannot be read. */
function keysOf({ fields }: InsertRecord, schema: Uint8Array | undefined): PrimaryKeys | string {
  if (schema === undefined) return 'Which column holds its keys is not known: its collection is gone.';
  const parsed = parseCollectionSchema(schema);
  if ('kind' in parsed) return `The schema of its collection cannot be read: ${parsed.what}.`;
  const column = fields.find(({ fieldId }) => fieldId === parsed.keyField.id);
  if (column === undefined) return `It has no column for the key ${parsed.keyField.name}.`;
  const keys = readKeyColumn(column);
  return isDecodeFailure(keys) ? sentenceOf(keys) : keys;
}

function firstOf(keys: PrimaryKeys): string[] {
  const first = [...keys.values.slice(0, KEYS_MAX)];
  return first.map((key) => {
    const text = String(key);
    return text.length > KEY_CHARS_MAX ? `${text.slice(0, KEY_CHARS_MAX)}…` : text;
  });
}

const sentenceOf = ({ what, offset }: DecodeFailure): string => `It cannot be read at byte ${offset}: ${what}.`;
