import { expect, test } from 'vitest';
import { MalformedWire } from '../../../../electron/engine/codec/wire.ts';
import { NO_BYTES, rewriteFields, takeTexts, withoutFields } from '../../../../electron/engine/codec/wire-rewrite.ts';
import { concatBytes, numberField, stringField } from '../../../../electron/engine/codec/wire-write.ts';

const name = stringField(2, 'orders');
const count = numberField(7, 300);
const message = concatBytes([name, count, stringField(9, 'x'), count]);

test('leaves fields out wherever they stand and keeps the bytes of the others', () => {
  expect(withoutFields(message, [7])).toEqual(concatBytes([name, stringField(9, 'x')]));
  expect(withoutFields(message, [5])).toEqual(message);
});

test('takes texts, the last of each, and returns the rest', () => {
  const { rest, texts } = takeTexts(concatBytes([stringField(2, 'first'), message]), [2, 3]);
  expect([...texts]).toEqual([[2, 'orders']]);
  expect(rest).toEqual(concatBytes([count, stringField(9, 'x'), count]));
});

test('puts another field in the place of one', () => {
  const rewritten = rewriteFields(message, (cursor) =>
    cursor.field === 7 ? numberField(7, cursor.number() + 1) : undefined,
  );
  expect(rewritten).toEqual(concatBytes([name, numberField(7, 301), stringField(9, 'x'), numberField(7, 301)]));
});

test('refuses what is cut off', () => {
  expect(() => rewriteFields(message.subarray(0, 3), () => undefined)).toThrow(MalformedWire);
  expect(rewriteFields(NO_BYTES, () => undefined)).toEqual(NO_BYTES);
});
