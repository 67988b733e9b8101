/** `schema.CollectionSchema`, read as far as the engine needs it. */
import { readKeyValue } from './key-values.ts';
import type { DecodeFailure } from './records.ts';
import { USER_FIELD_ID_MIN } from './row-messages.ts';
import { MalformedWire, orFailure, WireCursor } from './wire.ts';

export const SCHEMA_NAME = 1;
const SCHEMA_DESCRIPTION = 2;
export const SCHEMA_AUTO_ID = 3;
export const SCHEMA_FIELDS = 4;
export const SCHEMA_ENABLE_DYNAMIC_FIELD = 5;
export const SCHEMA_FUNCTIONS = 7;
const SCHEMA_STRUCT_FIELDS = 9;

export const FIELD_ID = 1;
const FIELD_NAME = 2;
const FIELD_IS_PRIMARY_KEY = 3;
const FIELD_DATA_TYPE = 5;
const FIELD_TYPE_PARAMS = 6;
export const FIELD_AUTO_ID = 8;
const FIELD_ELEMENT_TYPE = 10;
const FIELD_DEFAULT_VALUE = 11;
const FIELD_IS_DYNAMIC = 12;
const FIELD_IS_PARTITION_KEY = 13;
const FIELD_IS_NULLABLE = 15;
const FIELD_IS_FUNCTION_OUTPUT = 16;

const FUNCTION_NAME = 1;
const FUNCTION_TYPE = 4;
const FUNCTION_OUTPUT_NAMES = 7;
/** Of `StructArrayFieldSchema`. */
const STRUCT_NAME = 2;

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
  readonly hasDefault: boolean;
  /** A function of the schema fills it; no client does. */
  readonly isFunctionOutput: boolean;
  /** `dim`, `max_length`, `max_capacity` and their like, as Milvus writes them. */
  readonly typeParams: ReadonlyMap<string, string>;
}

export interface SchemaFunction {
  readonly name: string;
  /** `schema.FunctionType` as a number. */
  readonly type: number;
  readonly outputs: readonly string[];
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
  readonly functions: readonly SchemaFunction[];
  /** Names of arrays of structs, whose fields stand apart from the others. */
  readonly structFields: readonly string[];
}

/** A schema without exactly one key field is malformed. */
export function parseCollectionSchema(schema: Uint8Array): CollectionSchema | DecodeFailure {
  return orFailure(() => {
    const cursor = new WireCursor(schema);
    const found: SchemaField[] = [];
    const functions: SchemaFunction[] = [];
    const structFields: string[] = [];
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
          if (field.id >= USER_FIELD_ID_MIN) found.push(field);
          break;
        }
        case SCHEMA_FUNCTIONS:
          functions.push(readFunction(cursor.nested()));
          break;
        case SCHEMA_STRUCT_FIELDS:
          structFields.push(readText(cursor.nested(), STRUCT_NAME));
          break;
        case SCHEMA_ENABLE_DYNAMIC_FIELD:
          enableDynamicField = cursor.bool();
          break;
        default:
          cursor.skip();
      }
    }
    const outputs = new Set(functions.flatMap((one) => one.outputs));
    const fields = found.map((field) => (outputs.has(field.name) ? { ...field, isFunctionOutput: true } : field));
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
      functions,
      structFields,
    };
  });
}

function readFunction(cursor: WireCursor): SchemaFunction {
  const outputs: string[] = [];
  let name = '';
  let type = 0;
  while (cursor.next()) {
    if (cursor.field === FUNCTION_NAME) name = cursor.string();
    else if (cursor.field === FUNCTION_TYPE) type = cursor.number();
    else if (cursor.field === FUNCTION_OUTPUT_NAMES) outputs.push(cursor.string());
    else cursor.skip();
  }
  return { name, type, outputs };
}

function readText(cursor: WireCursor, field: number): string {
  let text = '';
  while (cursor.next()) {
    if (cursor.field === field) text = cursor.string();
    else cursor.skip();
  }
  return text;
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

export function readField(cursor: WireCursor): SchemaField {
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
  let hasDefault = false;
  let isFunctionOutput = false;
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
        const { key, value } = readKeyValue(cursor.nested());
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
      case FIELD_DEFAULT_VALUE:
        hasDefault = true;
        cursor.skip();
        break;
      case FIELD_IS_FUNCTION_OUTPUT:
        isFunctionOutput = cursor.bool();
        break;
      default:
        cursor.skip();
    }
  }
  return {
    ...{ id, name, dataType, elementType, isPrimaryKey, autoId, isPartitionKey, isDynamic, isNullable },
    ...{ hasDefault, isFunctionOutput, typeParams },
  };
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
