/** Values for the load: mostly ordinary ones, and now and then those that break things. */
import type { FieldType } from '../content/row-hash.ts';
import { ARRAY_LENGTH_MAX, KEY_FIELD, type CollectionBlueprint, type FieldBlueprint } from './blueprints.ts';
import type { Random } from './random.ts';

export type Row = Record<string, unknown>;

/** One value in twenty is an extreme of its type: often enough to be in every drill, seldom enough to look like data. */
const EXTREME_SHARE = 0.05;

const INT64_MAX = 2n ** 63n - 1n;
/** 2^53 + 1 is the first integer that a double cannot hold. */
const BEYOND_DOUBLE = '9007199254740993';
const FLOAT_DENORMAL_MIN = 2 ** -149;
const FLOAT_MAX = 3.4028234663852886e38;

const TEXTS: readonly [string, ...string[]] = [
  '',
  'plain text',
  'a "quoted" word',
  "it's an apostrophe",
  'back\\slash \\"and\\" quotes',
  'žluťoučký kůň',
  '数据库灾难恢复',
  '🚑 → 💾',
  'line\nbreak\tand tab',
  '%_* wildcards',
];

/**
 * The nth key of a collection, every n another one. The first few are the extremes. -2^63 is not among them, since
 * Milvus' own expressions cannot name it (seen on 2.3.5: "value out of range").
 */
export function int64Key(n: number): string {
  const first = [INT64_MAX - 1n, -INT64_MAX, 0n, -1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n][n];
  // An odd factor maps 64 bits onto 64 bits one to one, so that the keys spread over the whole range without repeating.
  return (first ?? BigInt.asIntN(64, BigInt(n) * 0x9e3779b97f4a7c15n)).toString();
}

export function varcharKey(n: number): string {
  return n === 0 ? '' : `${TEXTS[n % TEXTS.length] ?? ''}#${String(n)}`;
}

/**
 * All fields of one row, the key left out where the server makes it. A dynamic collection gets further fields. The same
 * row values are sent and hashed: nothing in them may change on the way through the client library.
 */
export function makeRow(blueprint: CollectionBlueprint, key: string | undefined, random: Random): Row {
  const row: Row = key === undefined ? {} : { [KEY_FIELD]: key };
  for (const field of blueprint.fields) row[field.name] = fieldValue(field, key ?? '', random);
  if (!blueprint.isDynamic) return row;
  if (random.next() < 0.7) row['channel'] = random.pick(['web', 'phone', '店铺']);
  if (random.next() < 0.3)
    row['extra'] = { nested: [1, 'two', { three: random.below(1000) }], note: random.pick(TEXTS) };
  // The library copies the rows of dynamic collections through JSON, which turns -0 into 0: do it first, so that what is
  // hashed is what is sent (its utils/Data.js, buildDynamicRow, 3.0.6).
  return JSON.parse(JSON.stringify(row)) as Row;
}

function fieldValue(field: FieldBlueprint, key: string, random: Random): unknown {
  // A key never changes its region: Milvus would keep the old row in the old partition.
  if (field.isPartitionKey === true) return `region ${String(key.length % 7)}`;
  switch (field.type) {
    case 'Array':
      return Array.from({ length: random.below(ARRAY_LENGTH_MAX + 1) }, () =>
        scalarValue(field.elementType ?? 'VarChar', random),
      );
    case 'FloatVector':
      return vectorValue(field.dimensions ?? 0, random);
    case 'BinaryVector':
      return Array.from({ length: (field.dimensions ?? 0) / 8 }, () => random.below(256));
    default:
      return scalarValue(field.type, random);
  }
}

function scalarValue(type: FieldType, random: Random): unknown {
  const isExtreme = random.next() < EXTREME_SHARE;
  switch (type) {
    case 'Bool':
      return random.next() < 0.5;
    case 'Int8':
      return integer(8, isExtreme, random);
    case 'Int16':
      return integer(16, isExtreme, random);
    case 'Int32':
      return integer(32, isExtreme, random);
    case 'Int64':
      if (isExtreme) return random.pick([INT64_MAX.toString(), (-INT64_MAX - 1n).toString(), BEYOND_DOUBLE, '0']);
      return BigInt.asIntN(64, random.bits64()).toString();
    case 'Float':
      // A value of 32 bits from the start, so that what is sent is what is kept.
      return isExtreme
        ? random.pick([-0, FLOAT_DENORMAL_MIN, FLOAT_MAX, -FLOAT_MAX])
        : Math.fround((random.next() - 0.5) * 1e4);
    case 'Double':
      return isExtreme ? random.pick([-0, Number.MIN_VALUE, Number.MAX_VALUE, 0.1]) : (random.next() - 0.5) * 1e9;
    case 'VarChar':
      return `${random.pick(TEXTS)} ${String(random.below(1_000_000))}`;
    case 'JSON':
      return jsonValue(random);
    case 'Array':
    case 'FloatVector':
    case 'BinaryVector':
    case 'Float16Vector':
    case 'BFloat16Vector':
    case 'SparseFloatVector':
    case 'Int8Vector':
      throw new Error(`${type} is not a scalar type.`);
  }
}

function integer(bits: number, isExtreme: boolean, random: Random): number {
  const half = 2 ** (bits - 1);
  return isExtreme ? random.pick([-half, half - 1, 0, -1]) : random.below(2 * half) - half;
}

/** Always an object: Milvus 2.3.5 refuses every other JSON value. */
function jsonValue(random: Random): unknown {
  return {
    street: random.pick(TEXTS),
    floor: random.below(40),
    share: random.next(),
    tags: Array.from({ length: random.below(4) }, () => random.pick(TEXTS)),
    deep: { isNull: null, isTrue: true, list: [[], {}, [random.below(10)]] },
  };
}

function vectorValue(dimensions: number, random: Random): number[] {
  const vector: number[] = [];
  for (let index = 0; index < dimensions; index += 1) vector.push(Math.fround(random.next() * 2 - 1));
  if (random.next() < EXTREME_SHARE) vector[0] = random.pick([-0, FLOAT_DENORMAL_MIN, -FLOAT_DENORMAL_MIN]);
  return vector;
}
