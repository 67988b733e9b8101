/** Rows that nobody follows share their channels with others: their message is read as far as its shard's name, and no further. */
import { MSG_DELETE, MSG_INSERT } from './message-types.ts';
import { readMessageBase } from './message-base.ts';
import { orFailure, WireCursor } from './wire.ts';

const FIELD_SHARD_NAME = 2;

/**
 * The shard of a message that carries rows or keys, from its first bytes (`base` and `shardName` stand before all else in what
 * Milvus writes). `undefined`: it is another message, or has to be read as a whole.
 */
export function shardOfRows(payload: Uint8Array): string | undefined {
  const shard = orFailure(() => {
    const { messageType } = readMessageBase(payload);
    if (messageType !== MSG_INSERT && messageType !== MSG_DELETE) return '';
    const cursor = new WireCursor(payload);
    while (cursor.next()) {
      if (cursor.field === FIELD_SHARD_NAME) return cursor.string();
      // Behind it stand the columns: whoever wrote them first is not Milvus, and is read in full.
      if (cursor.field > FIELD_SHARD_NAME) return '';
      cursor.skip();
    }
    return '';
  });
  return typeof shard === 'string' && shard !== '' ? shard : undefined;
}
