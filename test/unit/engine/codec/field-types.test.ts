import { describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { unsupportedPart } from '../../../../electron/engine/codec/field-types.ts';
import { TYPE_CASES } from '../../../support/type-cases.ts';
import { schemaOf } from '../../../support/typed-messages.ts';
import { encodeMessage } from '../../../support/milvus-messages.ts';

function partOf(bytes: Uint8Array): string | undefined {
  const schema = parseCollectionSchema(bytes);
  if ('kind' in schema) throw new Error(schema.what);
  return unsupportedPart(schema);
}

const withField = (field: object, more: object = {}): Uint8Array =>
  encodeMessage('schema.CollectionSchema', {
    name: 'c',
    fields: [
      { fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 },
      { fieldID: 101, name: 'place', ...field },
    ],
    ...more,
  });

describe('what of a schema can be replicated', () => {
  test.each(TYPE_CASES)('$name can', (one) => {
    expect(partOf(schemaOf('c', [one]))).toBeUndefined();
  });

  test('BM25 can', () => {
    const functions = [{ name: 'bm25', type: 1, inputFieldNames: ['text'], outputFieldNames: ['place'] }];
    expect(partOf(withField({ dataType: 104, isFunctionOutput: true }, { functions }))).toBeUndefined();
  });

  test.each([
    [{ dataType: 24 }, 'its field place is of the type Geometry'],
    [{ dataType: 26 }, 'its field place is of the type Timestamptz'],
    [{ dataType: 106 }, 'its field place is of the type ArrayOfVector'],
    [{ dataType: 77 }, 'its field place is of the type number 77'],
    [{ dataType: 22, elementType: 26 }, 'its field place is an array of the type Timestamptz'],
    [{ dataType: 22, elementType: 23 }, 'its field place is an array of the type JSON'],
    [{ dataType: 101, nullable: true }, 'its field place is a vector that may be null'],
  ])('%j cannot, and is named', (field, sentence) => {
    expect(partOf(withField(field))).toBe(sentence);
  });

  test('other functions and arrays of structs cannot, and are named', () => {
    const functions = [{ name: 'embed', type: 2, outputFieldNames: ['place'] }];
    expect(partOf(withField({ dataType: 101 }, { functions }))).toBe('its function embed is of the type TextEmbedding');
    const structArrayFields = [{ fieldID: 102, name: 'parts' }];
    expect(partOf(withField({ dataType: 101 }, { structArrayFields }))).toBe(
      'its field parts is of the type ArrayOfStruct',
    );
  });
});
