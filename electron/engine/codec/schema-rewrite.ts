/** Schemas rewritten on the wire, so that whatever this version does not know of a schema reaches the target as it was. */
import {
  FIELD_AUTO_ID,
  FIELD_ID,
  readField,
  SCHEMA_AUTO_ID,
  SCHEMA_ENABLE_DYNAMIC_FIELD,
  SCHEMA_FIELDS,
  SCHEMA_FUNCTIONS,
  SCHEMA_NAME,
  type SchemaField,
} from './collection-schema.ts';
import type { DecodeFailure } from './records.ts';
import { USER_FIELD_ID_MIN } from './row-messages.ts';
import { orFailure, WireCursor } from './wire.ts';
import { NO_BYTES, rewriteFields, withoutFields } from './wire-rewrite.ts';
import { boolField, bytesField, concatBytes, stringField } from './wire-write.ts';

/** Of the schema: the source's database. */
const SCHEMA_DB_NAME = 8;

/** The column of a dynamic schema (`common.MetaFieldName`, 2.3). */
const DYNAMIC_FIELD_NAME = '$meta';

/**
 * The schema as the public CreateCollection takes it, with keys that the caller gives: nothing is generated, Milvus' own
 * columns and the dynamic column are left out (seen with 2.3.5: it adds both and refuses a schema that has them), the name
 * of the source's database as well, and all else, unknown fields included, is passed on byte by byte: default values,
 * functions and analyzers among it. Ids of fields and functions the target gives anew.
 */
export function withoutGeneratedKeys(schema: Uint8Array, newName?: string): Uint8Array | DecodeFailure {
  return orFailure(() => {
    // Only the column may tell of it. Said twice does no harm: the last word counts on the wire.
    let dynamicFlag = NO_BYTES;
    const rest = rewriteFields(schema, (cursor) => {
      if (cursor.field === SCHEMA_FIELDS) {
        const bytes = cursor.bytes();
        const field = readField(new WireCursor(bytes));
        const isDynamic = field.isDynamic || field.name === DYNAMIC_FIELD_NAME;
        if (isDynamic) dynamicFlag = boolField(SCHEMA_ENABLE_DYNAMIC_FIELD, true);
        if (field.id < USER_FIELD_ID_MIN || isDynamic) return NO_BYTES;
        return bytesField(SCHEMA_FIELDS, field.autoId ? withoutFields(bytes, [FIELD_AUTO_ID]) : bytes);
      }
      // A flag that is left out is false.
      const isReplaced =
        cursor.field === SCHEMA_AUTO_ID ||
        cursor.field === SCHEMA_DB_NAME ||
        (cursor.field === SCHEMA_NAME && newName !== undefined);
      if (!isReplaced) return undefined;
      cursor.skip();
      return NO_BYTES;
    });
    return concatBytes([newName === undefined ? NO_BYTES : stringField(SCHEMA_NAME, newName), rest, dynamicFlag]);
  });
}

/**
 * A schema whose fields and functions are kept apart from it, as in Milvus' catalog: one whole, in the order given. A head
 * that has functions already gets no others.
 */
export function joinSchema(
  head: Uint8Array,
  fields: readonly Uint8Array[],
  functions: readonly Uint8Array[] = [],
): Uint8Array {
  return concatBytes([
    head,
    ...fields.map((field) => bytesField(SCHEMA_FIELDS, field)),
    ...(has(head, SCHEMA_FUNCTIONS) ? [] : functions.map((one) => bytesField(SCHEMA_FUNCTIONS, one))),
  ]);
}

/** The schema with `field` (serialized `schema.FieldSchema`) in the place of the one of its id; unchanged where it has none. */
export function withField(schema: Uint8Array, field: Uint8Array): Uint8Array {
  const rewritten = orFailure(() => {
    const { id } = readField(new WireCursor(field));
    return rewriteFields(schema, (cursor) => {
      if (cursor.field !== SCHEMA_FIELDS) return undefined;
      const bytes = cursor.bytes();
      return bytesField(SCHEMA_FIELDS, readField(new WireCursor(bytes)).id === id ? field : bytes);
    });
  });
  return 'kind' in rewritten ? schema : rewritten;
}

/** A field of a schema, and the bytes that it stands there in. */
export interface WholeField {
  readonly field: SchemaField;
  /** Serialized `schema.FieldSchema`. */
  readonly bytes: Uint8Array;
}

/** Of the user, in the order of the wire; none of bytes that cannot be read. */
export function wholeFields(schema: Uint8Array): readonly WholeField[] {
  const found = orFailure(() => {
    const fields: WholeField[] = [];
    const cursor = new WireCursor(schema);
    while (cursor.next()) {
      if (cursor.field === SCHEMA_FIELDS) {
        const bytes = cursor.bytes();
        const read = readField(new WireCursor(bytes));
        const field = { ...read, isDynamic: read.isDynamic || read.name === DYNAMIC_FIELD_NAME };
        if (field.id >= USER_FIELD_ID_MIN) fields.push({ field, bytes });
      } else {
        cursor.skip();
      }
    }
    return fields;
  });
  return 'kind' in found ? [] : found;
}

/** The field without its id, which whoever makes it gives anew. */
export const withoutFieldId = (field: Uint8Array): Uint8Array => withoutFields(field, [FIELD_ID]);

/** Bytes that cannot be read have nothing. */
function has(message: Uint8Array, sought: number): boolean {
  const found = orFailure(() => {
    const cursor = new WireCursor(message);
    while (cursor.next()) {
      if (cursor.field === sought) return true;
      cursor.skip();
    }
    return false;
  });
  return found === true;
}
