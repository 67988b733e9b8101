/** Collections with a field for each of some types, and the messages of the log about their rows. */
import { encodeMessage } from './milvus-messages.ts';
import { isDynamic, isVector, typeParams, type TypeCase } from './type-cases.ts';

export const KEY = { id: 100, name: 'id' } as const;
export const VECTOR = { id: 101, name: 'v' } as const;
/** The field that BM25 fills. */
export const FUNCTION_OUTPUT = { id: 199, name: 'sparse' } as const;

interface CollectionField {
  readonly id: number;
  readonly name: string;
  readonly one: TypeCase;
}

/** Named and numbered in the order given, behind the key and the vector that a collection needs: as a target numbers them. */
export function fieldsOf(cases: readonly TypeCase[]): readonly CollectionField[] {
  const first = cases.some(isVector) ? VECTOR.id : VECTOR.id + 1;
  return cases.map((one, at) => ({ id: first + at, name: isDynamic(one) ? '$meta' : `f${at}`, one }));
}

const functionOf = (input: string) => ({
  name: 'bm25',
  // As the catalogue has it: with ids of the source's.
  id: '100',
  type: 1,
  inputFieldNames: [input],
  inputFieldIds: ['102'],
  outputFieldNames: [FUNCTION_OUTPUT.name],
  outputFieldIds: [String(FUNCTION_OUTPUT.id)],
});

/** The `schema.CollectionSchema` of a collection with a field for each of the types, as the source's catalogue has it. */
export function schemaOf(name: string, cases: readonly TypeCase[]): Uint8Array {
  const made = fieldsOf(cases).find(({ one }) => one.function !== undefined);
  return encodeMessage('schema.CollectionSchema', {
    name,
    enableDynamicField: cases.some(isDynamic),
    fields: [
      { fieldID: 0, name: 'RowID', dataType: 5 },
      { fieldID: 1, name: 'Timestamp', dataType: 5 },
      { fieldID: KEY.id, name: KEY.name, isPrimaryKey: true, dataType: 5, ...cases.find(({ key }) => key)?.key },
      ...(cases.some(isVector)
        ? []
        : [{ fieldID: VECTOR.id, name: VECTOR.name, dataType: 101, typeParams: typeParams({ dim: '2' }) }]),
      ...fieldsOf(cases).map(({ id, name: field, one }) => ({ fieldID: id, name: field, ...one.field })),
      ...(made === undefined
        ? []
        : [{ fieldID: FUNCTION_OUTPUT.id, name: FUNCTION_OUTPUT.name, dataType: 104, isFunctionOutput: true }]),
    ],
    functions: made === undefined ? [] : [functionOf(made.name)],
  });
}

export interface TypedRows {
  readonly keys: readonly number[];
  /** Of each row: which one of its types' values it has. */
  readonly places: readonly number[];
}

/** The columns of an Insert in the log. */
export const columnsOf = (cases: readonly TypeCase[], { keys, places }: TypedRows): object[] => [
  { type: 5, fieldName: KEY.name, fieldId: KEY.id, scalars: { longData: { data: keys.map(String) } } },
  ...(cases.some(isVector)
    ? []
    : [
        {
          type: 101,
          fieldName: VECTOR.name,
          fieldId: VECTOR.id,
          vectors: { dim: '2', floatVector: { data: keys.flatMap((key) => [key, 0.5]) } },
        },
      ]),
  ...fieldsOf(cases).map(({ id, name, one }) => ({
    fieldName: name,
    fieldId: id,
    ...one.inLog(places.map((place) => one.values[place])),
  })),
];

const base = (msgType: number, tick: number) => ({ msgType, msgID: String(tick), timestamp: String(tick) });

/** One message of the log, of a collection with one shard. */
export const insertMessage = (
  collection: string,
  cases: readonly TypeCase[],
  rows: TypedRows,
  tick: number,
): Uint8Array =>
  encodeMessage('msg.InsertRequest', {
    base: base(400, tick),
    shardName: 'by-dev-rootcoord-dml_0_1v0',
    collectionName: collection,
    partitionName: '_default',
    collectionID: '1',
    partitionID: '2',
    timestamps: rows.keys.map(() => String(tick)),
    rowIDs: rows.keys.map((key) => String(tick * 1_000 + key)),
    fieldsData: columnsOf(cases, rows),
    numRows: String(rows.keys.length),
    version: 1,
  });

export const deleteMessage = (collection: string, keys: readonly number[], tick: number): Uint8Array =>
  encodeMessage('msg.DeleteRequest', {
    base: base(401, tick),
    shardName: 'by-dev-rootcoord-dml_0_1v0',
    collectionName: collection,
    partitionName: '_default',
    collectionID: '1',
    partitionID: '2',
    timestamps: keys.map(() => String(tick)),
    numRows: String(keys.length),
    primaryKeys: { intId: { data: keys.map(String) } },
  });
