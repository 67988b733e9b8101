/**
 * `schema.CollectionSchema`: read as far as the engine needs it, and rewritten on the wire so that whatever this version
 * does not know of a schema reaches the target as it was.
 */
import type { DecodeFailure } from './records.ts';
import { USER_FIELD_ID_MIN } from './row-messages.ts';
import { MalformedWire, orFailure, WireCursor } from './wire.ts';
import { boolField, bytesField, concatBytes, stringField } from './wire-write.ts';

const SCHEMA_NAME = 1;
const SCHEMA_DESCRIPTION = 2;
const SCHEMA_AUTO_ID = 3;
const SCHEMA_FIELDS = 4;
const SCHEMA_ENABLE_DYNAMIC_FIELD = 5;

const FIELD_ID = 1;
const FIELD_NAME = 2;
const FIELD_IS_PRIMARY_KEY = 3;
const FIELD_DATA_TYPE = 5;
const FIELD_TYPE_PARAMS = 6;
const FIELD_AUTO_ID = 8;
const FIELD_ELEMENT_TYPE = 10;
const FIELD_IS_DYNAMIC = 12;
const FIELD_IS_PARTITION_KEY = 13;
const FIELD_IS_NULLABLE = 15;

/** The column of a dynamic schema (`common.MetaFieldName`, 2.3). */
const DYNAMIC_FIELD_NAME = '$meta';

export interface SchemaField {
  readonly id: bigint;
  readonly name: string;
  /** `schema.DataType` as a number. */
  readonly dataType: number;
  /** Type of an array's elements; 0 where the field is no array. */
  readonly elementType: number;
  readonly isPrimaryKey: boolean;
  readonly autoId: boolean;
  readonly isPartitionKey: boolean;
  readonly isDynamic: boolean;
  readonly isNullable: boolean;
  /** `dim`, `max_length`, `max_capacity` and their like, as Milvus writes them. */
  readonly typeParams: ReadonlyMap<string, string>;
}

export interface CollectionSchema {
  readonly name: string;
  readonly description: string;
  /** Whether the source makes the keys: said by the schema or by its key field, as versions differ. */
  readonly autoId: boolean;
  readonly enableDynamicField: boolean;
  /** User fields (ids from 100), the dynamic field included, in the order of the wire. */
  readonly fields: readonly SchemaField[];
  readonly keyField: SchemaField;
}

/** A schema without exactly one key field is malformed. */
export function parseCollectionSchema(schema: Uint8Array): CollectionSchema | DecodeFailure {
  return orFailure(() => {
    const cursor = new WireCursor(schema);
    const fields: SchemaField[] = [];
    let name = '';
    let description = '';
    let autoId = false;
    let enableDynamicField = false;
    while (cursor.next()) {
      switch (cursor.field) {
        case SCHEMA_NAME:
          name = cursor.string();
          break;
        case SCHEMA_DESCRIPTION:
          description = cursor.string();
          break;
        case SCHEMA_AUTO_ID:
          autoId = cursor.bool();
          break;
        case SCHEMA_FIELDS: {
          const field = readField(cursor.nested());
          if (field.id >= USER_FIELD_ID_MIN) fields.push(field);
          break;
        }
        case SCHEMA_ENABLE_DYNAMIC_FIELD:
          enableDynamicField = cursor.bool();
          break;
        default:
          cursor.skip();
      }
    }
    const keyFields = fields.filter((field) => field.isPrimaryKey);
    const [keyField] = keyFields;
    if (keyField === undefined || keyFields.length > 1) {
      throw new MalformedWire(`a schema with ${keyFields.length} key fields`, 0);
    }
    return {
      name,
      description,
      autoId: autoId || keyField.autoId,
      enableDynamicField: enableDynamicField || fields.some((field) => field.isDynamic),
      fields,
      keyField,
    };
  });
}

/** The name alone, of a schema that may come without its fields; '' where it cannot be read. */
export function schemaName(schema: Uint8Array): string {
  const name = orFailure(() => {
    const cursor = new WireCursor(schema);
    while (cursor.next()) {
      if (cursor.field === SCHEMA_NAME) return cursor.string();
      cursor.skip();
    }
    return '';
  });
  return typeof name === 'string' ? name : '';
}

function readField(cursor: WireCursor): SchemaField {
  const typeParams = new Map<string, string>();
  let id = 0n;
  let name = '';
  let dataType = 0;
  let elementType = 0;
  let isPrimaryKey = false;
  let autoId = false;
  let isPartitionKey = false;
  let isDynamic = false;
  let isNullable = false;
  while (cursor.next()) {
    switch (cursor.field) {
      case FIELD_ID:
        id = cursor.int64();
        break;
      case FIELD_NAME:
        name = cursor.string();
        break;
      case FIELD_IS_PRIMARY_KEY:
        isPrimaryKey = cursor.bool();
        break;
      case FIELD_DATA_TYPE:
        dataType = cursor.number();
        break;
      case FIELD_TYPE_PARAMS: {
        const [key, value] = readKeyValue(cursor.nested());
        typeParams.set(key, value);
        break;
      }
      case FIELD_AUTO_ID:
        autoId = cursor.bool();
        break;
      case FIELD_ELEMENT_TYPE:
        elementType = cursor.number();
        break;
      case FIELD_IS_DYNAMIC:
        isDynamic = cursor.bool();
        break;
      case FIELD_IS_PARTITION_KEY:
        isPartitionKey = cursor.bool();
        break;
      case FIELD_IS_NULLABLE:
        isNullable = cursor.bool();
        break;
      default:
        cursor.skip();
    }
  }
  return { id, name, dataType, elementType, isPrimaryKey, autoId, isPartitionKey, isDynamic, isNullable, typeParams };
}

/** `common.KeyValuePair`. */
function readKeyValue(cursor: WireCursor): readonly [key: string, value: string] {
  let key = '';
  let value = '';
  while (cursor.next()) {
    if (cursor.field === 1) key = cursor.string();
    else if (cursor.field === 2) value = cursor.string();
    else cursor.skip();
  }
  return [key, value];
}

/**
 * The schema as the public CreateCollection takes it, with keys that the caller gives: nothing is generated, Milvus' own
 * columns and the dynamic column are left out (seen with 2.3.5: it adds both and refuses a schema that has them), and
 * all else, unknown fields included, is passed on byte by byte.
 */
export function withoutGeneratedKeys(schema: Uint8Array, newName?: string): Uint8Array | DecodeFailure {
  return orFailure(() => {
    const parts: Uint8Array[] = newName === undefined ? [] : [stringField(SCHEMA_NAME, newName)];
    const cursor = new WireCursor(schema);
    let hasDynamicField = false;
    while (cursor.next()) {
      const start = cursor.fieldOffset;
      if (cursor.field === SCHEMA_FIELDS) {
        const bytes = cursor.bytes();
        const field = readField(new WireCursor(bytes));
        const isDynamic = field.isDynamic || field.name === DYNAMIC_FIELD_NAME;
        hasDynamicField ||= isDynamic;
        if (field.id < USER_FIELD_ID_MIN || isDynamic) continue;
        parts.push(bytesField(SCHEMA_FIELDS, field.autoId ? without(bytes, FIELD_AUTO_ID) : bytes));
        continue;
      }
      const { field } = cursor;
      cursor.skip();
      // A flag that is left out is false.
      const isReplaced = field === SCHEMA_AUTO_ID || (field === SCHEMA_NAME && newName !== undefined);
      if (!isReplaced) parts.push(cursor.sliceSince(start));
    }
    // Only the column may have told of it. Said twice does no harm: the last word counts on the wire.
    if (hasDynamicField) parts.push(boolField(SCHEMA_ENABLE_DYNAMIC_FIELD, true));
    return concatBytes(parts);
  });
}

/** A message without one of its fields. */
function without(message: Uint8Array, dropped: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const cursor = new WireCursor(message);
  while (cursor.next()) {
    const start = cursor.fieldOffset;
    const { field } = cursor;
    cursor.skip();
    if (field !== dropped) parts.push(cursor.sliceSince(start));
  }
  return concatBytes(parts);
}

/** A schema whose fields are kept apart from it, as in Milvus' catalog: one whole, in the order given. */
export function joinSchema(head: Uint8Array, fields: readonly Uint8Array[]): Uint8Array {
  return concatBytes([head, ...fields.map((field) => bytesField(SCHEMA_FIELDS, field))]);
}

/** The name alone, of a schema that may lack its fields. */
export function readSchemaName(schema: Uint8Array): string {
  const cursor = new WireCursor(schema);
  let name = '';
  while (cursor.next()) {
    if (cursor.field === SCHEMA_NAME) name = cursor.string();
    else cursor.skip();
  }
  return name;
}

/** Whether the server places rows by a key of theirs, so that partition names say nothing. */
export const hasPartitionKey = (schema: CollectionSchema): boolean =>
  schema.fields.some((field) => field.isPartitionKey);
