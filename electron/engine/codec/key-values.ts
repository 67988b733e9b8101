/** `common.KeyValuePair` lists of public requests. */
import type { KeyValue } from '../../../shared/model/key-value.ts';
import { orFailure, WireCursor } from './wire.ts';
import { NO_BYTES, rewriteFields } from './wire-rewrite.ts';
import { bytesField } from './wire-write.ts';

/** The pairs of one field; none where the bytes are no request. */
export function readKeyValues(request: Uint8Array, field: number): readonly KeyValue[] {
  const found = orFailure(() => {
    const pairs: KeyValue[] = [];
    const cursor = new WireCursor(request);
    while (cursor.next()) {
      if (cursor.field === field) pairs.push(readKeyValue(cursor.nested()));
      else cursor.skip();
    }
    return { pairs };
  });
  return 'pairs' in found ? found.pairs : [];
}

/** The request without the pairs of these keys, all else byte by byte; as it is where the bytes are no request. */
export function withoutKeyValues(request: Uint8Array, field: number, keys: ReadonlySet<string>): Uint8Array {
  const rewritten = orFailure(() =>
    rewriteFields(request, (cursor) => {
      if (cursor.field !== field) return undefined;
      const pair = cursor.bytes();
      return keys.has(readKeyValue(new WireCursor(pair)).key) ? NO_BYTES : bytesField(field, pair);
    }),
  );
  return rewritten instanceof Uint8Array ? rewritten : request;
}

/** `common.KeyValuePair`. */
export function readKeyValue(cursor: WireCursor): KeyValue {
  let key = '';
  let value = '';
  while (cursor.next()) {
    if (cursor.field === 1) key = cursor.string();
    else if (cursor.field === 2) value = cursor.string();
    else cursor.skip();
  }
  return { key, value };
}
