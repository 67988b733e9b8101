import { expect, it } from 'vitest';
import { assertReadable } from '../../../../electron/engine/source/rows/probe-rows.ts';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { ReplicationError, type ErrorCode } from '../../../../shared/model/replication-error.ts';
import { encodeMessage } from '../../../support/milvus-messages.ts';

function read() {
  const schema = parseCollectionSchema(
    encodeMessage('schema.CollectionSchema', {
      name: 'c',
      fields: [
        { fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 },
        { fieldID: 101, name: 'v', dataType: 101, typeParams: [{ key: 'dim', value: '2' }] },
        { fieldID: 102, name: 'w', dataType: 100, typeParams: [{ key: 'dim', value: '8' }] },
      ],
    }),
  );
  if ('kind' in schema) throw new Error(schema.what);
  return { database: 'shop', collection: 'orders', partition: '', schema, guarantee: undefined };
}

const fails = (code: ErrorCode) => Promise.reject(new ReplicationError(code, 'source', 'The server said no.'));

it('asks for every vector, and for nothing else', async () => {
  const asked: string[] = [];
  await assertReadable({ hasField: async (name) => asked.push(name) > 0 }, read());
  expect(asked).toEqual(['v', 'w']);
});

it('names the vectors that do not come', async () => {
  const query = { hasField: (name: string) => (name === 'v' ? Promise.resolve(false) : fails('unsupported')) };
  await expect(assertReadable(query, read())).rejects.toMatchObject({
    code: 'notReadable',
    message: expect.stringContaining('does not return the vectors of v, w'),
  });
});

it('leaves trouble of another kind to whoever repeats the call', async () => {
  await expect(assertReadable({ hasField: () => fails('unreachable') }, read())).rejects.toMatchObject({
    code: 'unreachable',
  });
});
