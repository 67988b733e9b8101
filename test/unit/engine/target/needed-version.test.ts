import { describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { isOlder, neededVersion } from '../../../../electron/engine/target/needed-version.ts';
import { TYPE_CASES } from '../../../support/type-cases.ts';
import { schemaOf } from '../../../support/typed-messages.ts';

function needOf(name: string) {
  const one = TYPE_CASES.find((candidate) => candidate.name === name);
  const schema = one && parseCollectionSchema(schemaOf('c', [one]));
  if (schema === undefined || 'kind' in schema) throw new Error(name);
  return neededVersion(schema);
}

describe('the version that a schema needs', () => {
  test.each(['Int64', 'JSON', 'Array of VarChar', 'dynamic field', 'FloatVector', 'BinaryVector', 'partition key'])(
    '%s: any',
    (name) => {
      expect(needOf(name)).toBeUndefined();
    },
  );

  test('a default value: any, but for JSON', () => {
    expect(needOf('Int64 with a default value')).toBeUndefined();
    expect(needOf('JSON with a default value')).toMatchObject({ minor: 5 });
  });

  test.each([
    ['Float16Vector', 4],
    ['SparseFloatVector', 4],
    ['Int8Vector', 6],
    ['nullable VarChar', 5],
    ['BM25 function', 5],
  ])('%s: 2.%d', (name, minor) => {
    expect(needOf(name)).toMatchObject({ minor });
  });

  test.each([
    ['v2.3.5-lite', true],
    ['2.4.9', true],
    ['v2.5.0', false],
    ['2.5-20250101-abcdef', false],
    ['2.10.1', false],
    ['v3.0.0', false],
    ['1.1.1', true],
    ['master', false],
    ['', false],
  ])('a server that says "%s" is older than 2.5: %s', (version, expected) => {
    expect(isOlder(version, { minor: 5, what: '' })).toBe(expected);
  });
});
