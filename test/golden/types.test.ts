/** Messages for the types that 2.3.5 does not write: decoded by the product, and its Insert held against what was recorded. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCollectionSchema } from '../../electron/engine/codec/collection-schema.ts';
import { decodeRecord } from '../../electron/engine/codec/decode.ts';
import { toInsertOf } from '../../electron/engine/codec/insert-columns.ts';
import { encodeRowsRequest } from '../../electron/engine/target/insert-request.ts';
import { decodeRequest } from '../support/milvus-messages.ts';

const folder = join(import.meta.dirname, 'types');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.bin'))
  .map((file) => file.slice(0, -'.bin'.length));

interface Golden {
  readonly what: string;
  readonly builtAfter: readonly Readonly<Record<'repository' | 'version' | 'file' | 'function', string>>[];
  readonly schema: string;
  readonly insertColumns: readonly object[];
}

const load = (name: string): { payload: Uint8Array; golden: Golden } => ({
  payload: new Uint8Array(readFileSync(join(folder, `${name}.bin`))),
  golden: JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Golden,
});

/** As it stands in a file: bytes as base64. */
const inFile = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => {
      const { type, data } = (part ?? {}) as { type?: unknown; data?: unknown };
      return type === 'Buffer' ? Buffer.from(data as number[]).toString('base64') : part;
    }),
  );

describe("messages built after the server's own source", () => {
  test.each(names)('%s: Insert is given the columns that the proxy takes', (name) => {
    const { payload, golden } = load(name);
    const schema = parseCollectionSchema(Buffer.from(golden.schema, 'base64'));
    const record = decodeRecord(payload);
    if ('kind' in schema || record.kind !== 'insert') throw new Error(golden.what);
    const fields = toInsertOf(schema)(record.fields, record.rowCount);
    if ('kind' in fields) throw new Error(fields.what);
    const write = { database: '', collection: 'typed', partition: '', rowCount: record.rowCount, fields };
    const { fieldsData, numRows } = decodeRequest('InsertRequest', encodeRowsRequest(write));
    expect(inFile(fieldsData)).toEqual(golden.insertColumns);
    expect(numRows).toBe(5);
  });

  test.each(names)('%s says which source it was built after', (name) => {
    const { builtAfter } = load(name).golden;
    expect(builtAfter.length).toBeGreaterThan(0);
    for (const { repository, version, file, function: of } of builtAfter) {
      expect(repository).toBe('milvus-io/milvus');
      expect(version).toMatch(/2\.5/);
      expect(file).toMatch(/\.go$/);
      expect(of).toMatch(/^\w+$/);
    }
  });

  test('there is one of every such type', () => {
    const sets = ['float16vector', 'sparsefloatvector', 'int8vector', 'bm25-function', 'nullable-json'] as const;
    for (const name of sets) expect(names).toContain(name);
    expect(names.filter((name) => name.startsWith('nullable')).length).toBeGreaterThanOrEqual(18);
    expect(names.filter((name) => name.endsWith('default-value')).length).toBeGreaterThanOrEqual(9);
  });
});
