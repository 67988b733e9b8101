/** `common.KeyValuePair` lists of public requests. */
import type { KeyValue } from '../../../shared/model/key-value.ts';
import { orFailure, WireCursor } from './wire.ts';

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
