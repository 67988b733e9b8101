/** Requests of the source's operation channel, made fit for the target's public API. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { orFailure, WireCursor } from '../codec/wire.ts';
import { concatBytes } from '../codec/wire-write.ts';

/** `base` of every public request: message id, timestamp and node of the source, which mean nothing to the target. */
const FIELD_BASE = 1;

/** The request without its `base`, all else byte by byte, fields that this version does not know included. @throws malformedMessage */
export function withoutBase(request: Uint8Array): Uint8Array {
  const result = orFailure(() => {
    const parts: Uint8Array[] = [];
    const cursor = new WireCursor(request);
    while (cursor.next()) {
      const { field, fieldOffset } = cursor;
      cursor.skip();
      if (field !== FIELD_BASE) parts.push(cursor.sliceSince(fieldOffset));
    }
    return concatBytes(parts);
  });
  if (result instanceof Uint8Array) return result;
  throw new ReplicationError(
    'malformedMessage',
    'wal',
    `An operation in the log of the source cannot be read: ${result.what} at byte ${result.offset}. Report this with the version of the source.`,
    { context: { offset: result.offset, bytes: request.byteLength } },
  );
}
