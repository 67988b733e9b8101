import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { joinSchema, withoutGeneratedKeys } from '../../../../electron/engine/codec/schema-rewrite.ts';
import { concatBytes } from '../../../../electron/engine/codec/wire-write.ts';
import { decodeAs, encodeAs } from '../../../support/golden-messages.ts';

const SCHEMA = 'schema.CollectionSchema';
const plainKey = { fieldID: '100', name: 'id', isPrimaryKey: true, dataType: 5 };
const key = { ...plainKey, autoID: true };
const vector = { fieldID: '101', name: 'v', dataType: 101, typeParams: [{ key: 'dim', value: '4' }] };
const meta = { fieldID: '102', name: '$meta', dataType: 23, isDynamic: true };
const own = [
  { name: 'RowID', dataType: 5 },
  { fieldID: '1', name: 'Timestamp', dataType: 5 },
];

const rewritten = (schema: Uint8Array, newName?: string): Record<string, unknown> => {
  const result = withoutGeneratedKeys(schema, newName);
  if (!(result instanceof Uint8Array)) throw new Error(result.what);
  return decodeAs(SCHEMA, result);
};

describe('parseCollectionSchema', () => {
  test('reads what the engine needs', () => {
    const schema = {
      name: 'things',
      description: 'ünï',
      enableDynamicField: true,
      fields: [...own, key, vector, meta],
    };
    const parsed = parseCollectionSchema(encodeAs(SCHEMA, schema));
    expect(parsed).toMatchObject({ name: 'things', description: 'ünï', autoId: true, enableDynamicField: true });
    if ('kind' in parsed) throw new Error(parsed.what);
    expect(parsed.fields.map(({ name }) => name)).toEqual(['id', 'v', '$meta']);
    expect(parsed.keyField).toMatchObject({ id: 100n, name: 'id', dataType: 5, autoId: true });
    expect(parsed.fields[1]?.typeParams.get('dim')).toBe('4');
  });

  test('reads what is said of null, default values, functions and structs', () => {
    const text = { fieldID: '103', name: 'text', dataType: 21, nullable: true, defaultValue: { stringData: 'x' } };
    const sparse = { fieldID: '104', name: 'sparse', dataType: 104 };
    const functions = [{ name: 'bm25', type: 1, inputFieldNames: ['text'], outputFieldNames: ['sparse'] }];
    const structArrayFields = [{ fieldID: '105', name: 'parts' }];
    const schema = { name: 'c', fields: [key, text, sparse], functions, structArrayFields };
    const parsed = parseCollectionSchema(encodeAs(SCHEMA, schema));
    if ('kind' in parsed) throw new Error(parsed.what);
    const [id, ofText, ofSparse] = parsed.fields;
    expect(id).toMatchObject({ isNullable: false, hasDefault: false, isFunctionOutput: false });
    expect(ofText).toMatchObject({ isNullable: true, hasDefault: true, isFunctionOutput: false });
    // The function says it, where the field does not.
    expect(ofSparse).toMatchObject({ isFunctionOutput: true });
    expect(parsed.functions).toEqual([{ name: 'bm25', type: 1, outputs: ['sparse'] }]);
    expect(parsed.structFields).toEqual(['parts']);
  });

  test.each([
    ['no key field', [vector]],
    ['two key fields', [key, { ...key, fieldID: '101' }]],
  ])('refuses a schema with %s', (_, fields) => {
    expect(parseCollectionSchema(encodeAs(SCHEMA, { fields }))).toMatchObject({ kind: 'malformed' });
  });

  test('never throws on garbage', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseCollectionSchema(bytes)));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void withoutGeneratedKeys(bytes)));
  });
});

describe('withoutGeneratedKeys', () => {
  test('switches generation off and leaves out what the server adds for itself', () => {
    const schema = { name: 'things', autoID: true, enableDynamicField: true, fields: [key, vector, meta, ...own] };
    expect(rewritten(encodeAs(SCHEMA, schema))).toEqual({
      name: 'things',
      enableDynamicField: true,
      fields: [plainKey, vector],
    });
  });

  test('keeps the schema dynamic where only the dynamic column tells of it', () => {
    expect(rewritten(encodeAs(SCHEMA, { name: 'c', fields: [key, meta] }))).toMatchObject({ enableDynamicField: true });
  });

  test("leaves out the name of the source's database", () => {
    expect(rewritten(encodeAs(SCHEMA, { name: 'c', dbName: 'shop', fields: [key] }))).toEqual({
      name: 'c',
      fields: [plainKey],
    });
  });

  test('gives the collection another name', () => {
    expect(rewritten(encodeAs(SCHEMA, { name: 'old', fields: [key] }), 'neu')).toMatchObject({ name: 'neu' });
  });

  test('passes a schema without anything generated on byte by byte, unknown fields included', () => {
    const unknown = protobuf.Writer.create()
      .uint32((900 << 3) | 2)
      .string('from the future')
      .finish();
    const schema = concatBytes([encodeAs(SCHEMA, { name: 'c', fields: [plainKey, vector] }), unknown]);
    expect(withoutGeneratedKeys(schema)).toEqual(schema);
  });

  test('keeps unknown fields inside the key field', () => {
    const unknown = protobuf.Writer.create()
      .uint32((900 << 3) | 2)
      .string('from the future')
      .finish();
    const field = concatBytes([encodeAs('schema.FieldSchema', key), unknown]);
    const result = withoutGeneratedKeys(joinSchema(new Uint8Array(), [field]));
    expect(Buffer.from(result as Uint8Array).includes('from the future')).toBe(true);
  });
});

describe('joinSchema', () => {
  test('puts fields back into their schema', () => {
    const head = encodeAs(SCHEMA, { name: 'c' });
    const joined = joinSchema(
      head,
      [key, vector].map((field) => encodeAs('schema.FieldSchema', field)),
    );
    expect(decodeAs(SCHEMA, joined)).toEqual({ name: 'c', fields: [key, vector] });
  });

  test('puts functions back as well, unless the schema has them already', () => {
    const bm25 = { name: 'bm25', type: 1, outputFieldNames: ['sparse'] };
    const parts = [[], [encodeAs('schema.FunctionSchema', bm25)]] as const;
    expect(decodeAs(SCHEMA, joinSchema(encodeAs(SCHEMA, { name: 'c' }), ...parts))).toMatchObject({
      functions: [bm25],
    });
    const whole = encodeAs(SCHEMA, { name: 'c', functions: [bm25] });
    expect(Buffer.from(joinSchema(whole, ...parts))).toEqual(Buffer.from(whole));
  });
});
