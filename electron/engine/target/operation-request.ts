/** Requests of the source's operation channel, made fit for the target's public API. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { databaseName } from '../codec/names.ts';
import { orFailure, WireCursor } from '../codec/wire.ts';
import { concatBytes, stringField } from '../codec/wire-write.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';

/** `base` of every public request: message id, timestamp and node of the source, which mean nothing to the target. */
const FIELD_BASE = 1;
/** Of every request that is for one collection (`milvus.proto`, 2.3 to 2.5). */
const FIELD_DB_NAME = 2;
const FIELD_COLLECTION_NAME = 3;

/** The request without its `base`, all else byte by byte, fields that this version does not know included. @throws malformedMessage */
export const withoutBase = (request: Uint8Array): Uint8Array =>
  readable(request, () => {
    const parts: Uint8Array[] = [];
    const cursor = new WireCursor(request);
    while (cursor.next()) {
      const { field, fieldOffset } = cursor;
      cursor.skip();
      if (field !== FIELD_BASE) parts.push(cursor.sliceSince(fieldOffset));
    }
    return concatBytes(parts);
  });

/** The request for the collection that `map` makes of its own, all else byte by byte. @throws malformedMessage */
export const withMappedNames = (
  request: Uint8Array,
  map: (address: CollectionAddress) => CollectionAddress,
): Uint8Array =>
  readable(request, () => {
    const parts: Uint8Array[] = [];
    let database = '';
    let collection = '';
    const cursor = new WireCursor(request);
    while (cursor.next()) {
      const { field, fieldOffset } = cursor;
      if (field === FIELD_DB_NAME) database = cursor.string();
      else if (field === FIELD_COLLECTION_NAME) collection = cursor.string();
      else {
        cursor.skip();
        parts.push(cursor.sliceSince(fieldOffset));
      }
    }
    const mapped = map({ database: databaseName(database), collection });
    // The order of fields says nothing on the wire.
    return concatBytes([
      ...parts,
      stringField(FIELD_DB_NAME, mapped.database),
      stringField(FIELD_COLLECTION_NAME, mapped.collection),
    ]);
  });

function readable(request: Uint8Array, read: () => Uint8Array): Uint8Array {
  const result = orFailure(read);
  if (result instanceof Uint8Array) return result;
  throw new ReplicationError(
    'malformedMessage',
    'wal',
    `An operation in the log of the source cannot be read: ${result.what} at byte ${result.offset}. Report this with the version of the source.`,
    { context: { offset: result.offset, bytes: request.byteLength } },
  );
}
