/** Requests of the source's operation channel, made fit for the target's public API. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { databaseName } from '../codec/names.ts';
import { orFailure, WireCursor } from '../codec/wire.ts';
import { rewriteFields, takeTexts, withoutFields } from '../codec/wire-rewrite.ts';
import { bytesField, concatBytes, stringField } from '../codec/wire-write.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';

/** `base` of every public request: message id, timestamp and node of the source, which mean nothing to the target. */
const FIELD_BASE = 1;
/** Of every request that is for one collection (`milvus.proto`, 2.3 to 2.5). */
const FIELD_DB_NAME = 2;
const FIELD_COLLECTION_NAME = 3;

/** The request without its `base`, all else byte by byte, fields that this version does not know included. @throws malformedMessage */
export const withoutBase = (request: Uint8Array): Uint8Array =>
  readable(request, () => withoutFields(request, [FIELD_BASE]));

/** The request for the collection that `map` makes of its own, all else byte by byte. @throws malformedMessage */
export const withMappedNames = (
  request: Uint8Array,
  map: (address: CollectionAddress) => CollectionAddress,
): Uint8Array =>
  readable(request, () => {
    const { rest, texts } = takeTexts(request, [FIELD_DB_NAME, FIELD_COLLECTION_NAME]);
    const database = databaseName(texts.get(FIELD_DB_NAME) ?? '');
    const mapped = map({ database, collection: texts.get(FIELD_COLLECTION_NAME) ?? '' });
    // The order of fields says nothing on the wire.
    return concatBytes([
      rest,
      stringField(FIELD_DB_NAME, mapped.database),
      stringField(FIELD_COLLECTION_NAME, mapped.collection),
    ]);
  });

/**
 * The request for the collection under the name that it bears by now, all else byte by byte: the log names it as it was called
 * then. @throws malformedMessage
 */
export const withAddress = (request: Uint8Array, address: CollectionAddress): Uint8Array =>
  withMappedNames(request, () => address);

/** The request for the database that `map` makes of its own, all else byte by byte. @throws malformedMessage */
export const withMappedDatabase = (request: Uint8Array, map: (database: string) => string): Uint8Array =>
  readable(request, () => {
    const { rest, texts } = takeTexts(request, [FIELD_DB_NAME]);
    return concatBytes([rest, stringField(FIELD_DB_NAME, map(databaseName(texts.get(FIELD_DB_NAME) ?? '')))]);
  });

/** What grants call "all of them". */
const EVERY = '*';
/** `milvus.OperatePrivilegeRequest.entity`, and in it `object.name`, `object_name` and `db_name` (2.3.5). */
const FIELD_GRANT = 2;
const FIELD_GRANT_OBJECT = 2;
const FIELD_GRANT_NAME = 3;
const FIELD_GRANT_DATABASE = 5;
const FIELD_OBJECT_TYPE = 1;
/** `commonpb.ObjectType`, as text. */
const OBJECT_COLLECTION = 'Collection';
/** `milvus.OperatePrivilegeV2Request` (2.5). */
const FIELD_V2_DATABASE = 5;
const FIELD_V2_COLLECTION = 6;

export interface NameMap {
  database(source: string): string;
  address(source: CollectionAddress): CollectionAddress;
}

/** The grant for what `map` makes of the database and the collection that it is for, all else byte by byte. @throws malformedMessage */
export const withMappedGrant = (
  operation: 'operatePrivilege' | 'operatePrivilegeV2',
  request: Uint8Array,
  map: NameMap,
): Uint8Array =>
  readable(request, () => {
    if (operation === 'operatePrivilegeV2') return mappedNames(request, FIELD_V2_DATABASE, FIELD_V2_COLLECTION, map);
    return rewriteFields(request, (cursor) =>
      cursor.field === FIELD_GRANT ? bytesField(FIELD_GRANT, mappedGrant(cursor.bytes(), map)) : undefined,
    );
  });

/** Of a grant for no collection, `object_name` is a user or nothing that a mapping knows. */
const mappedGrant = (grant: Uint8Array, map: NameMap): Uint8Array =>
  objectTypeOf(grant) === OBJECT_COLLECTION
    ? mappedNames(grant, FIELD_GRANT_DATABASE, FIELD_GRANT_NAME, map)
    : mappedNames(grant, FIELD_GRANT_DATABASE, undefined, map);

function objectTypeOf(grant: Uint8Array): string {
  const cursor = new WireCursor(grant);
  let type = '';
  while (cursor.next()) {
    if (cursor.field === FIELD_GRANT_OBJECT)
      type = takeTexts(cursor.bytes(), [FIELD_OBJECT_TYPE]).texts.get(FIELD_OBJECT_TYPE) ?? '';
    else cursor.skip();
  }
  return type;
}

function mappedNames(
  message: Uint8Array,
  databaseField: number,
  collectionField: number | undefined,
  map: NameMap,
): Uint8Array {
  const { rest, texts } = takeTexts(
    message,
    collectionField === undefined ? [databaseField] : [databaseField, collectionField],
  );
  const named = databaseName(texts.get(databaseField) ?? '');
  const collection = collectionField === undefined ? '' : (texts.get(collectionField) ?? '');
  const isOne = collection !== '' && collection !== EVERY && named !== EVERY;
  const mapped = isOne
    ? map.address({ database: named, collection })
    : { database: named === EVERY ? named : map.database(named), collection };
  return concatBytes([
    rest,
    stringField(databaseField, mapped.database),
    ...(collectionField === undefined ? [] : [stringField(collectionField, mapped.collection)]),
  ]);
}

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
