/** Pages over a double that has Milvus' habits: a limit for each segment, each key once, changes between any two calls. */
import { describe, expect, it } from 'vitest';
import { parseCollectionSchema } from '../../../../electron/engine/codec/collection-schema.ts';
import { PageReader } from '../../../../electron/engine/source/rows/page-reader.ts';
import type { QueryRpc } from '../../../../electron/engine/source/rows/range-query.ts';
import type { RowsPage } from '../../../../electron/engine/source/rows/row-source.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

const never = new AbortController().signal;
const INT64_MAX = 2n ** 63n - 1n;

const schema = parseCollectionSchema(
  encodeMessage('schema.CollectionSchema', {
    name: 'c',
    fields: [{ fieldID: 100, name: 'id', isPrimaryKey: true, dataType: 5 }],
  }),
);

class SegmentedRows implements QueryRpc {
  /** Keys of each segment's rows. */
  segments: bigint[][];
  /** After every call. */
  between: () => void = () => undefined;
  /** The limit of what is sent at once. */
  rowsMax = Infinity;
  calls = 0;

  constructor(...segments: bigint[][]) {
    this.segments = segments.map((keys) => keys.toSorted((a, b) => Number(a - b)));
  }

  delete(isDeleted: (key: bigint) => boolean): void {
    this.segments = this.segments.map((keys) => keys.filter((key) => !isDeleted(key)));
  }

  callRaw(_: string, bytes: Uint8Array): Promise<Buffer> {
    this.calls += 1;
    const request = decodeRequest('QueryRequest', bytes);
    const answer = this.#answer((request['expr'] as string | undefined) ?? '', request);
    this.between();
    return Promise.resolve(Buffer.from(encodeMessage('QueryResults', { status: {}, ...answer })));
  }

  #answer(expression: string, request: Record<string, unknown>): object {
    const after = bound(expression, />=? (-?\d+)/);
    const upTo = bound(expression, /<=? (-?\d+)/);
    const inRange = this.segments.map((keys) =>
      keys.filter((key) => (after === undefined || key > after) && (upTo === undefined || key <= upTo)),
    );
    const column = (data: bigint[]) => ({
      fieldsData: [{ fieldId: 100, fieldName: 'id', type: 5, scalars: { longData: { data: data.map(String) } } }],
    });
    const outputFields = request['outputFields'] as string[];
    if (outputFields[0] === 'count(*)') return column([BigInt(inRange.flat().length)]);
    const parameters = new Map((request['queryParams'] as Pair[]).map(({ key, value }) => [key, Number(value)]));
    const offset = parameters.get('offset') ?? 0;
    const limit = parameters.get('limit') ?? 0;
    const shown = inRange.flatMap((keys) => keys.slice(0, offset + limit));
    const distinct = [...new Set(shown)].filter((key) => key !== INT64_MAX).sort((a, b) => Number(a - b));
    const result = distinct.slice(offset, offset + limit);
    if (outputFields[0] === '*' && result.length > this.rowsMax) {
      return { status: { errorCode: 1, code: 65535, reason: 'query results exceed the limit size' } };
    }
    return column(result);
  }

  assertSuccess(_: string, status: { code: number; reason: string } | null): void {
    if (status !== null && status.code !== 0) throw new ReplicationError('unknown', 'source', status.reason);
  }
}

interface Pair {
  readonly key: string;
  readonly value: string;
}

function bound(expression: string, pattern: RegExp): bigint | undefined {
  const found = pattern.exec(expression)?.[1];
  return found === undefined ? undefined : BigInt(found);
}

async function pagesOf(source: SegmentedRows): Promise<RowsPage[]> {
  if ('kind' in schema) throw new Error(schema.what);
  const reader = new PageReader(source);
  const pages: RowsPage[] = [];
  const read = { database: 'default', collection: 'c', partition: '', schema, guarantee: undefined };
  for (;;) {
    const page = await reader.read({ ...read, after: pages.at(-1)?.keys.values.at(-1) }, never);
    if (page === undefined) return pages;
    pages.push(page);
  }
}

const keysOf = (pages: readonly RowsPage[]): (bigint | string)[] => pages.flatMap(({ keys }) => [...keys.values]);
const doublesOf = (pages: readonly RowsPage[]): number => pages.reduce((sum, { doubledRows }) => sum + doubledRows, 0);
const range = (from: number, to: number): bigint[] =>
  Array.from({ length: to - from + 1 }, (_, index) => BigInt(from + index));
const times = (count: number, keys: readonly bigint[]): bigint[] => Array.from({ length: count }, () => keys).flat();

describe('pages', () => {
  it('show every key of many segments once, in order', async () => {
    const all = range(1, 30_000);
    const source = new SegmentedRows(
      all.filter((key) => key % 3n === 0n),
      all.filter((key) => key % 3n !== 0n),
    );
    const pages = await pagesOf(source);
    expect(keysOf(pages)).toEqual(all);
    expect(doublesOf(pages)).toBe(0);
    expect(pages.length).toBeLessThan(20);
    // One call each, and two more for four of them.
    expect(source.calls).toBeLessThan(35);
  });

  it('leave out no key that stands behind doubled ones in its segment', async () => {
    const source = new SegmentedRows([...times(40, range(1, 1_000)), ...range(1_001, 1_200)], range(1_201, 12_000));
    const pages = await pagesOf(source);
    expect(keysOf(pages)).toEqual(range(1, 12_000));
    expect(doublesOf(pages)).toBe(39_000);
    expect(source.calls).toBeLessThan(200);
  });

  it('leave out no key either when the doubled ones vanish between any two calls', async () => {
    const source = new SegmentedRows([...times(40, range(1, 1_000)), ...range(1_001, 1_200)], range(1_201, 12_000));
    let deleted = 0n;
    source.between = () => {
      deleted += 25n;
      source.delete((key) => key <= deleted && key <= 1_000n);
    };
    const seen = new Set(keysOf(await pagesOf(source)));
    expect(range(1_001, 12_000).filter((key) => !seen.has(key))).toEqual([]);
  });

  it('do not call deleted rows doubled', async () => {
    const source = new SegmentedRows(range(1, 5_000));
    source.between = () => {
      const last = BigInt(source.calls);
      source.delete((key) => key % 97n === last % 97n);
    };
    expect(doublesOf(await pagesOf(source))).toBe(0);
  });

  it('show a key of more rows than a query returns, alone', async () => {
    const source = new SegmentedRows([...times(50_000, [7n]), ...range(8, 20)], range(1, 6));
    const pages = await pagesOf(source);
    expect(keysOf(pages)).toEqual(range(1, 20));
    expect(doublesOf(pages)).toBe(49_999);
  });

  it('go on behind a range that was emptied between its count and its rows', async () => {
    const source = new SegmentedRows(range(1, 1_200));
    source.between = () => {
      if (source.calls === 2) source.delete((key) => key <= 500n);
    };
    expect(keysOf(await pagesOf(source))).toEqual(range(501, 1_200));
  });

  it('become smaller when the source will not send so much', async () => {
    const source = new SegmentedRows(range(1, 4_000));
    source.rowsMax = 300;
    const pages = await pagesOf(source);
    expect(keysOf(pages)).toEqual(range(1, 4_000));
    expect(Math.max(...pages.map(({ rowCount }) => rowCount))).toBeLessThanOrEqual(300);
  });

  it('end with a sentence at a row that is counted and never shown', async () => {
    const source = new SegmentedRows([1n, 2n, INT64_MAX]);
    await expect(pagesOf(source)).rejects.toMatchObject({
      code: 'unsupported',
      side: 'source',
      message: expect.stringContaining('the key 9223372036854775807') as string,
    });
  });
});

async function keysIn(source: SegmentedRows, after: bigint | undefined, upTo: bigint | undefined) {
  if ('kind' in schema) throw new Error(schema.what);
  const reader = new PageReader(source, 'target');
  const read = { database: 'default', collection: 'c', partition: '', schema, guarantee: undefined, upTo };
  const found: (bigint | string)[] = [];
  for (let from: bigint | string | undefined = after; ;) {
    const keys = await reader.readKeys({ ...read, after: from }, never);
    if (keys === undefined) return found;
    found.push(...keys.values);
    from = keys.values.at(-1);
  }
}

describe('keys of a range', () => {
  it('are all there, without the lower bound and with the upper one', async () => {
    const source = new SegmentedRows(range(1, 9_000), range(9_001, 30_000));
    expect(await keysIn(source, 10n, 20_000n)).toEqual(range(11, 20_000));
    expect(await keysIn(source, 29_990n, undefined)).toEqual(range(29_991, 30_000));
    expect(await keysIn(source, undefined, undefined)).toEqual(range(1, 30_000));
    expect(await keysIn(source, 30_000n, undefined)).toEqual([]);
  });

  it('come once, and all, where rows share a key in one segment', async () => {
    const source = new SegmentedRows([...times(40, range(1, 1_000)), ...range(1_001, 1_200)], range(1_201, 12_000));
    expect(await keysIn(source, 500n, 11_000n)).toEqual(range(501, 11_000));
  });

  it('of a small range take few calls', async () => {
    const source = new SegmentedRows(range(1, 30_000));
    await keysIn(source, 100n, 8_000n);
    expect(source.calls).toBeLessThanOrEqual(3);
  });
});

describe('a page of a wished size', () => {
  it('has no more rows, nor by its average more bytes', async () => {
    if ('kind' in schema) throw new Error(schema.what);
    const source = new SegmentedRows(range(1, 30_000));
    const reader = new PageReader(source);
    const read = { database: 'default', collection: 'c', partition: '', schema, guarantee: undefined };
    const small = await reader.read({ ...read, after: undefined, rowsMax: 7 }, never);
    expect(small?.rowCount).toBe(7);
    const bytes = small?.fields.reduce((sum, field) => sum + field.bytes.byteLength, 0) ?? 0;
    const next = await reader.read({ ...read, after: 7n, bytesMax: (bytes / 7) * 3.5 }, never);
    expect(next?.rowCount).toBe(3);
  });
});
