/** The source's rows, read page by page from a real server and inserted into another as they came. */
import { DataType } from '@zilliz/milvus2-sdk-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowKey, RowsPage } from '../../../electron/engine/source/rows/row-source.ts';
import { done, failure, never, startRowsLab, type RowsLab } from './rows-lab.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const KEY = { name: 'id', data_type: DataType.Int64, is_primary_key: true } as const;
const TEXT_KEY = { name: 'id', data_type: DataType.VarChar, max_length: 200, is_primary_key: true } as const;
const VECTOR = { name: 'v', data_type: DataType.FloatVector, dim: 2 } as const;

let lab: RowsLab;

beforeAll(async () => {
  lab = await startRowsLab();
});

afterAll(() => lab.stop());

const keysOf = (pages: readonly RowsPage[]): RowKey[] => pages.flatMap(({ keys }) => [...keys.values]);
const doublesOf = (pages: readonly RowsPage[]): number => pages.reduce((sum, { doubledRows }) => sum + doubledRows, 0);
const upTo = (count: number): bigint[] => Array.from({ length: count }, (_, index) => BigInt(index + 1));

async function insert(collection: string, keys: readonly RowKey[], partition?: string): Promise<void> {
  const data = keys.map((key) => ({ id: String(key), v: [String(key).length, 1] }));
  for (let from = 0; from < data.length; from += 5_000) {
    const fields_data = data.slice(from, from + 5_000);
    await done(
      lab.source.insert({
        collection_name: collection,
        fields_data,
        ...(partition === undefined ? {} : { partition_name: partition }),
      }),
    );
  }
}

/** Of an int64 key in [0, 30000) deterministic other values. */
function valuesOf(id: number) {
  const isOdd = id % 2 === 1;
  return {
    id: String(id),
    int8: isOdd ? -128 : 127,
    int16: isOdd ? -32_768 : 32_767,
    int32: isOdd ? -2_147_483_648 : 2_147_483_647,
    int64: String(isOdd ? INT64_MIN + BigInt(id) : INT64_MAX - BigInt(id)),
    float: isOdd ? 1.401298464324817e-45 : -3.4028234663852886e38,
    double: isOdd ? 5e-324 : Math.PI * id,
    bool: id % 3 === 0,
    text: id === 0 ? '' : `é漢😀"\\\n${id}`,
    json: id === 0 ? {} : { id, deep: [{ a: null, b: [1.5, 'x'] }] },
    int8s: [-128, 127],
    int16s: isOdd ? [] : [-32_768],
    int32s: [2_147_483_647],
    int64s: ['9223372036854775807', '-9223372036854775808'],
    floats: [0.5, -1.5],
    doubles: [Math.E],
    bools: [true, false, isOdd],
    texts: ['', `t${id}`],
    ...(isOdd ? {} : { loose: `only ${id}`, looseNumber: id }),
  };
}

const ARRAYS = {
  int8s: DataType.Int8,
  int16s: DataType.Int16,
  int32s: DataType.Int32,
  int64s: DataType.Int64,
  floats: DataType.Float,
  doubles: DataType.Double,
  bools: DataType.Bool,
  texts: DataType.VarChar,
} as const;

const SCALARS = [
  { name: 'int8', data_type: DataType.Int8 },
  { name: 'int16', data_type: DataType.Int16 },
  { name: 'int32', data_type: DataType.Int32 },
  { name: 'int64', data_type: DataType.Int64 },
  { name: 'float', data_type: DataType.Float },
  { name: 'double', data_type: DataType.Double },
  { name: 'bool', data_type: DataType.Bool },
  { name: 'text', data_type: DataType.VarChar, max_length: 200 },
  { name: 'json', data_type: DataType.JSON },
  ...Object.entries(ARRAYS).map(([name, element_type]) => ({
    name,
    data_type: DataType.Array,
    element_type,
    max_capacity: 8,
    ...(element_type === DataType.VarChar ? { max_length: 50 } : {}),
  })),
];

describe('rows that were read and inserted', () => {
  const vectors = [
    ['float', { name: 'v', data_type: DataType.FloatVector, dim: 4 }, 'L2', (id: number) => [id, -0.5, 1e-30, 3e38]],
    ['binary', { name: 'v', data_type: DataType.BinaryVector, dim: 16 }, 'HAMMING', (id: number) => [id % 256, 255]],
  ] as const;
  it.each(vectors)('of every type, with %s vectors and a dynamic field, are equal', async (kind, vector, metric, v) => {
    const name = `types_${kind}`;
    const fields = [KEY, vector, ...SCALARS];
    const found = await lab.make({ collection_name: name, fields, enable_dynamic_field: true }, 'v', metric);
    const data = Array.from({ length: 1_100 }, (_, id) => ({ ...valuesOf(id), v: v(id) }));
    await done(lab.source.insert({ collection_name: name, fields_data: data }));
    await lab.copy(found);
    const original = await lab.contentOf(lab.source, name);
    expect(original.count).toBe(1_100);
    expect(original.rows[2]).toMatchObject({ id: '2', text: 'é漢😀"\\\n2', int64: String(INT64_MAX - 2n) });
    expect(original.rows[2]?.['$meta']).toEqual({ loose: 'only 2', looseNumber: 2 });
    expect(await lab.contentOf(lab.replica, name)).toEqual(original);
  });

  it('keep the keys that the source made', async () => {
    const found = await lab.make({ collection_name: 'made_keys', fields: [{ ...KEY, autoID: true }, VECTOR] });
    const fields_data = Array.from({ length: 700 }, (_, index) => ({ v: [index, 0] }));
    await done(lab.source.insert({ collection_name: 'made_keys', fields_data }));
    await lab.copy(found);
    const original = await lab.contentOf(lab.source, 'made_keys');
    expect(original.count).toBe(700);
    expect(await lab.contentOf(lab.replica, 'made_keys')).toEqual(original);
  });

  it('of a collection with a partition key are placed by the target', async () => {
    const shop = { name: 'shop', data_type: DataType.Int64, is_partition_key: true } as const;
    const found = await lab.make({ collection_name: 'placed', fields: [KEY, VECTOR, shop], num_partitions: 5 });
    const fields_data = upTo(900).map((id) => ({ id: String(id), v: [Number(id), 0], shop: String(id % 50n) }));
    await done(lab.source.insert({ collection_name: 'placed', fields_data }));
    await lab.copy(found);
    const original = await lab.contentOf(lab.source, 'placed');
    expect(original.count).toBe(900);
    expect(await lab.contentOf(lab.replica, 'placed')).toEqual(original);
  });

  it('stay in their partitions, also where two of them hold the same key', async () => {
    const found = await lab.make({ collection_name: 'split', fields: [KEY, VECTOR] });
    await done(lab.source.createPartition({ collection_name: 'split', partition_name: 'a' }));
    await lab.load(lab.source, 'split');
    await insert('split', upTo(800), '_default');
    await insert('split', upTo(900).slice(100), 'a');
    await lab.copy(found);
    for (const partition of ['_default', 'a']) {
      const original = await lab.contentOf(lab.source, 'split', partition);
      expect(original.count).toBe(800);
      expect(await lab.contentOf(lab.replica, 'split', partition)).toEqual(original);
    }
  });
});

describe('pages', () => {
  it('follow one another through text keys of any characters, in the order of their bytes', async () => {
    const found = await lab.make({ collection_name: 'texts', fields: [TEXT_KEY, VECTOR] });
    const odd = [
      ...Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code) + code.toString(16)),
      ...[
        '',
        ' ',
        '"',
        "'",
        '\\',
        '\\"',
        '\\n',
        '\r\n',
        '%',
        '] or id != "',
        '漢字',
        '😀',
        '\u2028',
        '\ufeff',
        '\uffff',
      ],
    ];
    const keys = odd.flatMap((text) => [text, ...Array.from({ length: 7 }, (_, index) => `${text}${index}`)]);
    const unique = [...new Set(keys)];
    await insert('texts', unique);
    const pages = await lab.pages(found, '_default', await lab.rows.now(never));
    expect(pages.length).toBeGreaterThan(1);
    const inOrder = unique.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(keysOf(pages)).toEqual(inOrder);
    expect(doublesOf(pages)).toBe(0);

    // Each key is the last of a page at some time.
    const guarantee = await lab.rows.now(never);
    const read = { database: 'default', collection: 'texts', partition: '', schema: found.schema, guarantee };
    for (const after of odd) {
      const page = await lab.rows.readPage({ ...read, after }, never);
      expect(page?.keys.values[0]).toBe(inOrder[inOrder.indexOf(after) + 1]);
    }
  });

  it('show each doubled key once, count its other rows and leave out no key beside it', async () => {
    const found = await lab.make({ collection_name: 'doubled', fields: [KEY, VECTOR], shards_num: 1 });
    await insert('doubled', upTo(3_000));
    await done(lab.source.flushSync({ collection_names: ['doubled'] }));
    // In one segment, and more of one key than Milvus returns at once.
    await insert('doubled', [...Array<bigint>(20_000).fill(7n), ...upTo(3_000).slice(500, 1_000), 3_001n]);
    await insert('doubled', upTo(3_000).slice(600, 700));
    const pages = await lab.pages(found, '_default', await lab.rows.now(never));
    expect(keysOf(pages)).toEqual(upTo(3_001));
    expect(doublesOf(pages)).toBe(20_600);
  });

  it('count no rows as doubled that were deleted while they were read', async () => {
    const found = await lab.make({ collection_name: 'moving', fields: [KEY, VECTOR] });
    await insert('moving', upTo(6_000));
    const reading = new AbortController();
    const deleting = (async () => {
      for (let key = 0; !reading.signal.aborted && key < 6_000; key += 50) {
        const ids = Array.from({ length: 20 }, (_, index) => key + index + 1);
        await done(lab.source.delete({ collection_name: 'moving', ids }));
      }
    })();
    const pages: RowsPage[] = [];
    for (let round = 0; round < 4; round += 1) pages.push(...(await lab.pages(found, '', await lab.rows.now(never))));
    reading.abort();
    await deleting;
    expect(doublesOf(pages)).toBe(0);
    const seen = new Set(keysOf(pages));
    expect(upTo(6_000).filter((key) => (key - 1n) % 50n >= 20n && !seen.has(key))).toEqual([]);
  });

  it('go on over the smallest key, and end with a sentence at the one that Milvus does not return', async () => {
    const found = await lab.make({ collection_name: 'edges', fields: [KEY, VECTOR] });
    const keys = [INT64_MIN, INT64_MIN + 1n, -1n, 0n, 9007199254740993n, INT64_MAX - 1n];
    await insert('edges', keys);
    expect(keysOf(await lab.pages(found, '_default'))).toEqual(keys);
    const read = {
      database: 'default',
      collection: 'edges',
      partition: '',
      schema: found.schema,
      guarantee: undefined,
    };
    const next = await lab.rows.readPage({ ...read, after: INT64_MIN }, never);
    expect(next?.keys.values[0]).toBe(INT64_MIN + 1n);

    await insert('edges', [INT64_MAX]);
    const error = await failure(lab.pages(found, '_default', await lab.rows.now(never)));
    expect(error).toMatchObject({ code: 'unsupported', side: 'source', context: { collection: 'edges' } });
    expect(error.message).toMatch(/^default\.edges holds a row with the key 9223372036854775807, .* then resume\.$/);
  });

  it('become smaller when the source refuses to send so much at once', async () => {
    const text = { name: 'text', data_type: DataType.VarChar, max_length: 65_535 } as const;
    const found = await lab.make({ collection_name: 'wide', fields: [KEY, VECTOR, text] });
    const small = upTo(6_000).map((id) => ({ id: String(id), v: [0, 0], text: 'x' }));
    await done(lab.source.insert({ collection_name: 'wide', fields_data: small }));
    for (let from = 6_001; from <= 8_000; from += 200) {
      const wide = Array.from({ length: 200 }, (_, index) => ({
        id: from + index,
        v: [0, 0],
        text: 'x'.repeat(60_000),
      }));
      await done(lab.source.insert({ collection_name: 'wide', fields_data: wide }));
    }
    const pages = await lab.pages(found, '_default', await lab.rows.now(never));
    expect(keysOf(pages)).toEqual(upTo(8_000));
    const bytes = pages.map(({ fields }) => fields.reduce((sum, field) => sum + field.bytes.byteLength, 0));
    expect(bytes.at(-2)).toBeLessThan(8 * 1024 * 1024);
  });
});

describe("the source's time", () => {
  it('shows what was written before it was asked for, and does not wait for the next tick', async () => {
    const found = await lab.make({ collection_name: 'fresh', fields: [KEY, VECTOR] });
    const read = { database: 'default', collection: 'fresh', partition: '_default', schema: found.schema };
    for (const key of upTo(10)) {
      await insert('fresh', [key]);
      const guarantee = await lab.rows.now(never);
      expect(guarantee).toBeDefined();
      const page = await lab.rows.readPage({ ...read, after: key - 1n, guarantee }, never);
      expect([...(page?.keys.values ?? [])]).toEqual([key]);
    }
    const guarantee = await lab.rows.now(never);
    const timed = async (at: typeof guarantee): Promise<number> => {
      const beganMs = performance.now();
      expect((await lab.rows.readPage({ ...read, after: undefined, guarantee: at }, never))?.rowCount).toBe(10);
      return performance.now() - beganMs;
    };
    await timed(undefined);
    const guaranteed = [];
    const strong = [];
    for (let round = 0; round < 5; round += 1) {
      guaranteed.push(await timed(guarantee));
      strong.push(await timed(undefined));
    }
    const median = (times: number[]): number => times.toSorted((a, b) => a - b)[2] ?? NaN;
    expect(median(guaranteed)).toBeLessThan(median(strong) / 3);
  });
});

describe('a page that cannot be read', () => {
  it('of what is not loaded says so', async () => {
    const found = await lab.make({ collection_name: 'released', fields: [KEY, VECTOR] });
    await done(lab.source.createPartition({ collection_name: 'released', partition_name: 'a' }));
    await insert('released', upTo(5));
    await done(lab.source.releasePartitions({ collection_name: 'released', partition_names: ['a'] }));
    expect(await failure(lab.pages(found, 'a'))).toMatchObject({ code: 'notReadable', side: 'source' });
    expect(keysOf(await lab.pages(found, '_default'))).toEqual(upTo(5));
    await done(lab.source.releaseCollection({ collection_name: 'released' }));
    const error = await failure(lab.pages(found, '_default'));
    expect(error).toMatchObject({ code: 'notReadable', side: 'source' });
    expect(error.message).toMatch(/^_default of default\.released is not loaded on the source/);
  });

  it('of what is gone says so, and one that is cancelled ends with the reason of the signal', async () => {
    const found = await lab.make({ collection_name: 'gone', fields: [KEY, VECTOR] });
    expect(await failure(lab.pages(found, 'nowhere'))).toMatchObject({ code: 'notFound', side: 'source' });
    const reason = new Error('Enough.');
    const read = { database: 'default', collection: 'gone', partition: '', schema: found.schema };
    const cancelled = lab.rows.readPage({ ...read, after: undefined, guarantee: undefined }, AbortSignal.abort(reason));
    await expect(cancelled).rejects.toBe(reason);
    await done(lab.source.dropCollection({ collection_name: 'gone' }));
    expect(await failure(lab.pages(found, '_default'))).toMatchObject({ code: 'notFound', side: 'source' });
  });
});
