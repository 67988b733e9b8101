/**
 * What of a schema can be replicated: `schema.DataType` and `schema.FunctionType` of Milvus 2.3 to 2.5 (milvus-proto
 * go-api v2.5.13, schemapb) with the 8-bit vectors that came next. Later types are known by name and refused: how their
 * values stand in the log, and how Insert wants them, is another matter for each of them.
 */
import type { CollectionSchema, SchemaField } from './collection-schema.ts';

const ARRAY_TYPE = 22;

/** Scalars that stand alone, and as the elements of an array where they are no JSON. */
const SCALAR_TYPES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 10, 11, 21]);
const JSON_TYPE = 23;
/** Binary, float, float16, bfloat16, sparse, int8. */
const VECTOR_TYPES: ReadonlySet<number> = new Set([100, 101, 102, 103, 104, 105]);

/** Of types that are not replicated, for the sentence about them. */
const OTHER_TYPES: Readonly<Partial<Record<number, string>>> = {
  20: 'String',
  24: 'Geometry',
  25: 'Text',
  26: 'Timestamptz',
  27: 'Mol',
  28: 'Date',
  29: 'Time',
  30: 'Decimal',
  106: 'ArrayOfVector',
  200: 'ArrayOfStruct',
  201: 'Struct',
};

const BM25 = 1;
const OTHER_FUNCTIONS: Readonly<Partial<Record<number, string>>> = {
  2: 'TextEmbedding',
  3: 'Rerank',
  4: 'MinHash',
  5: 'MolFingerprint',
};

const nameOf = (names: Readonly<Partial<Record<number, string>>>, type: number): string =>
  names[type] ?? `number ${type}`;

/** What of it cannot be replicated, as the subject and verb of a sentence; `undefined`: all of it can. */
export function unsupportedPart({
  fields,
  functions,
  structFields,
}: Pick<CollectionSchema, 'fields' | 'functions' | 'structFields'>): string | undefined {
  for (const field of fields) {
    const problem = problemOf(field);
    if (problem !== undefined) return `its field ${field.name} ${problem}`;
  }
  const struct = structFields[0];
  if (struct !== undefined) return `its field ${struct} is of the type ArrayOfStruct`;
  const other = functions.find(({ type }) => type !== BM25);
  return other && `its function ${other.name} is of the type ${nameOf(OTHER_FUNCTIONS, other.type)}`;
}

function problemOf({ dataType, elementType, isNullable, isPrimaryKey }: SchemaField): string | undefined {
  if (VECTOR_TYPES.has(dataType)) return isNullable ? 'is a vector that may be null' : undefined;
  if (isPrimaryKey && isNullable) return 'is a key that may be null';
  if (SCALAR_TYPES.has(dataType) || dataType === JSON_TYPE) return undefined;
  if (dataType !== ARRAY_TYPE) return `is of the type ${nameOf(OTHER_TYPES, dataType)}`;
  if (SCALAR_TYPES.has(elementType)) return undefined;
  const element = elementType === JSON_TYPE ? 'JSON' : nameOf(OTHER_TYPES, elementType);
  return `is an array of the type ${element}`;
}
