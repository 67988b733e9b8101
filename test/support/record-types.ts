/**
 * Writes test/golden/types: messages of the log for the types that Milvus 2.3.5 does not write, built after the server's own
 * source, beside the columns that the public Insert is to be given for them. Run it with Node 24:
 *
 *     node test/support/record-types.ts
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TYPE_CASES, type TypeCase } from './type-cases.ts';
import { columnsOf, insertMessage, schemaOf } from './typed-messages.ts';
import { decodeRequest, encodeMessage } from './milvus-messages.ts';

const FOLDER = join(import.meta.dirname, '..', 'golden', 'types');
const REPOSITORY = 'milvus-io/milvus';

interface Citation {
  readonly repository: string;
  readonly version: string;
  readonly file: string;
  readonly function: string;
}

const cite = (file: string, name: string, version = 'branch 2.5'): Citation => ({
  repository: REPOSITORY,
  version,
  file,
  function: name,
});
const PKG = 'pkg/v2.5.7';
const REPACK = cite('pkg/util/typeutil/schema.go', 'AppendFieldData', PKG);
const MESSAGE = cite('internal/proxy/msg_pack.go', 'genInsertMsgsByPartition');
const COUNTED = cite('internal/proxy/util.go', 'checkFieldsDataBySchema');

function builtAfter(one: TypeCase): Citation[] {
  const { field } = one;
  if (one.function !== undefined) {
    return [
      MESSAGE,
      REPACK,
      COUNTED,
      cite('internal/querynodev2/pipeline/embedding_node.go', 'newEmbeddingNode'),
      cite('internal/flushcommon/pipeline/flow_graph_embedding_node.go', 'newEmbeddingNode'),
    ];
  }
  const fill = 'internal/proxy/validate_util.go';
  const rows = [MESSAGE, REPACK];
  if ('defaultValue' in field) rows.push(cite(fill, 'fillWithDefaultValue'), cite(fill, 'fillWithDefaultValueImpl'));
  else if ('nullable' in field) rows.push(cite(fill, 'fillWithNullValue'), cite(fill, 'fillWithNullValueImpl'));
  if ((field as { dataType: number }).dataType === 104) {
    rows.push(cite('pkg/util/typeutil/schema.go', 'appendSparseFloatArraySingleRow', PKG));
  }
  return rows;
}

/** As Insert takes it, made from the rows and not from the log's column. */
function asInsert(one: TypeCase, column: Record<string, unknown>): Record<string, unknown> {
  const { field, values } = one;
  if ('defaultValue' in field) return { ...column, validData: values.map(() => true) };
  if (!('nullable' in field)) return column;
  const valid = {
    ...one.inLog(values.filter((value) => value !== null)),
    validData: values.map((value) => value !== null),
  };
  return { ...column, ...valid };
}

const inJson = (_key: string, value: unknown): unknown => {
  // What a Buffer makes of itself before it gets here.
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === 'Buffer' ? Buffer.from(data as number[]).toString('base64') : value;
};

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
for (const one of TYPE_CASES.filter(({ since }) => since !== '2.3')) {
  const name = one.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const rows = { keys: [1, 2, 3, 4, 5], places: [0, 1, 2, 3, 4] };
  const columns = columnsOf([one], rows) as Record<string, unknown>[];
  const last = columns.length - 1;
  const expected = columns.map((column, at) => (at === last ? asInsert(one, column) : column));
  const golden = {
    what: `An Insert of ${one.name} (Milvus ${one.since})`,
    builtAfter: builtAfter(one),
    schema: Buffer.from(schemaOf('typed', [one])).toString('base64'),
    insertColumns: expected.map((column) =>
      decodeRequest('schema.FieldData', encodeMessage('schema.FieldData', column)),
    ),
  };
  writeFileSync(join(FOLDER, `${name}.bin`), insertMessage('typed', [one], rows, 449_000_000_000_000));
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(golden, inJson, 2)}\n`);
}
