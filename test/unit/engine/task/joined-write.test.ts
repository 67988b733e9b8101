import { describe, expect, test } from 'vitest';
import { deleting, inserting, insertingUnknown, rowsOf, upserting } from './write-pieces.ts';

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_unused, index) => from + index);

describe('a joined write', () => {
  test('has the rows of all that it took, in their order', () => {
    const write = inserting([1, 2], { at: 5 });
    expect(write.tryTake(inserting([9], { at: 4 }))).toBe(true);
    expect(write.tryTake(inserting([3], { at: 8 }))).toBe(true);
    expect(rowsOf(write.fields())).toEqual(['1:v1', '2:v2', '9:v9', '3:v3']);
    expect([write.rowCount, write.firstTick, write.lastOrdinal]).toEqual([4, 4n, 8n]);
    expect(write.pieces.map(({ entry }) => entry.ordinal)).toEqual([5n, 4n, 8n]);
  });

  test('passes the columns of one message on as they are', () => {
    const write = inserting([1]);
    const [piece] = write.pieces;
    expect(write.fields()).toBe(piece?.call === 'insert' ? piece.record.fields : undefined);
  });

  test('has the keys of all deletes that it took', () => {
    const write = deleting([1, 2]);
    expect(write.tryTake(deleting([3]))).toBe(true);
    expect([...write.deletedKeys().values]).toEqual([1n, 2n, 3n]);
    const texts = deleting(['a']);
    expect(texts.tryTake(deleting(['b']))).toBe(true);
    expect(texts.deletedKeys()).toEqual({ type: 'varchar', values: ['a', 'b'] });
  });

  test('takes none that shares a key with it', () => {
    const write = inserting([1, 5]);
    expect(write.tryTake(inserting([5]))).toBe(false);
    expect(write.tryTake(inserting([3]))).toBe(true);
    // Known only since it was taken.
    expect(write.tryTake(inserting([3]))).toBe(false);
    const removal = deleting([1, 5]);
    expect(removal.tryTake(deleting([5]))).toBe(false);
  });

  test('takes none whose keys are not known, and nothing if its own are not', () => {
    expect(inserting([1]).tryTake(insertingUnknown())).toBe(false);
    expect(insertingUnknown().tryTake(inserting([1]))).toBe(false);
    expect(inserting([1]).isApartFrom(insertingUnknown())).toBe(false);
  });

  test('is of one call, one partition, one kind of columns, and doubtful or not', () => {
    expect(inserting([1]).tryTake(upserting([2]))).toBe(false);
    expect(inserting([1]).tryTake(deleting([2]))).toBe(false);
    expect(inserting([1]).tryTake(inserting([2], { partition: 'q' }))).toBe(false);
    expect(inserting([1]).tryTake(inserting([2], { valueType: 23 }))).toBe(false);
    expect(upserting([1]).tryTake(inserting([2], { isDoubtful: true }))).toBe(false);
    expect(inserting([1], { isDoubtful: true }).tryTake(inserting([2], { isDoubtful: true }))).toBe(true);
  });

  test('writes by key what is doubtful', () => {
    expect(inserting([1], { isDoubtful: true }).call).toBe('upsert');
  });

  test('stays below its limits of rows and bytes', () => {
    expect(inserting(range(0, 1_000)).tryTake(inserting(range(1_000, 1_025)))).toBe(false);
    expect(inserting(range(0, 1_000)).tryTake(inserting(range(1_000, 1_024)))).toBe(true);
    const text = 'x'.repeat(300 * 1024);
    expect(inserting([1], { text }).tryTake(inserting([2], { text }))).toBe(false);
  });

  test('looks at keys whatever the partition: a delete may be for all of them', () => {
    expect(inserting([1], { partition: 'p' }).isApartFrom(deleting([1], { partition: '' }))).toBe(false);
    expect(inserting([1]).isApartFrom(deleting([2]))).toBe(true);
  });
});
