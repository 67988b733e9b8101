import { describe, expect, it } from 'vitest';
import { findRows } from '../../../../electron/engine/jobs/find-rows.ts';
import type { CatalogCollection } from '../../../../electron/engine/source/catalog/catalog.ts';
import type { MilvusRpc } from '../../../../electron/engine/milvus/milvus-rpc.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';

const OPTIONS = { deadlineMs: 1_000 };
const [NOT_LOADED, LOADED] = [1, 3];

const collection = (id: bigint, name: string): CatalogCollection =>
  ({ id, database: 'shop', name }) as unknown as CatalogCollection;

interface Served {
  readonly id: string;
  readonly state: number;
  readonly rows?: string;
}

/** A Milvus that serves these collections, by name. */
function milvus(served: Readonly<Record<string, Served>>): MilvusRpc {
  const call = (name: string, { collectionName }: { collectionName: string }): Promise<unknown> => {
    const found = served[collectionName];
    if (found === undefined) {
      return Promise.reject(new ReplicationError('notFound', 'source', `There is no ${collectionName}.`));
    }
    if (name === 'DescribeCollection') return Promise.resolve({ collectionID: found.id });
    if (name === 'GetLoadState') return Promise.resolve({ state: found.state });
    if (found.rows === undefined) {
      return Promise.reject(new ReplicationError('permissionDenied', 'source', 'The user may not read rows.'));
    }
    return Promise.resolve({ fieldsData: [{ scalars: { longData: { data: [found.rows] } } }] });
  };
  return { call } as unknown as MilvusRpc;
}

const CATALOG = [collection(1n, 'orders'), collection(2n, 'items')];

describe('the rows of a source', () => {
  it('can be read, and what is not loaded is said', async () => {
    const both = { orders: { id: '1', state: NOT_LOADED }, items: { id: '2', state: LOADED, rows: '42' } };
    expect(await findRows(milvus(both), CATALOG, OPTIONS)).toBe(
      'Rows can be read (shop.items: 42 rows). 1 of the 2 collections that were looked at is not loaded: a copy has to load what it reads.',
    );
  });

  it('wait to be loaded where nothing is', async () => {
    const none = { orders: { id: '1', state: NOT_LOADED }, items: { id: '2', state: NOT_LOADED } };
    expect(await findRows(milvus(none), CATALOG, OPTIONS)).toMatch(/None of the 2 collections .* is loaded/);
    expect(await findRows(milvus({}), [], OPTIONS)).toMatch(/holds no collection yet/);
  });

  it('are not those of another cluster whose collections have the same names', async () => {
    const copy = { orders: { id: '71', state: LOADED, rows: '5' }, items: { id: '72', state: LOADED, rows: '5' } };
    await expect(findRows(milvus(copy), CATALOG, OPTIONS)).rejects.toMatchObject({
      code: 'sourceChanged',
      side: 'source',
      message: expect.stringContaining('shop.orders is another collection there'),
    });
    await expect(findRows(milvus({}), CATALOG, OPTIONS)).rejects.toMatchObject({
      message: expect.stringContaining('shop.orders is not there'),
    });
  });

  it('are still its own when one collection was dropped since the catalog was read', async () => {
    const left = { items: { id: '2', state: LOADED, rows: '42' } };
    expect(await findRows(milvus(left), CATALOG, OPTIONS)).toBe('Rows can be read (shop.items: 42 rows).');
  });

  it('cannot be read by a user without the right to', async () => {
    await expect(findRows(milvus({ orders: { id: '1', state: LOADED } }), CATALOG, OPTIONS)).rejects.toMatchObject({
      code: 'permissionDenied',
    });
  });
});
