/** `common.KeyValuePair` lists of public requests. */
import { orFailure, WireCursor } from './wire.ts';

export interface KeyAndValue {
  readonly key: string;
  readonly value: string;
}

/** The pairs of one field; none where the bytes are no request. */
export function readKeyValues(request: Uint8Array, field: number): readonly KeyAndValue[] {
  const found = orFailure(() => {
    const pairs: KeyAndValue[] = [];
    const cursor = new WireCursor(request);
    while (cursor.next()) {
      if (cursor.field === field) pairs.push(readPair(cursor.nested()));
      else cursor.skip();
    }
    return { pairs };
  });
  return 'pairs' in found ? found.pairs : [];
}

function readPair(cursor: WireCursor): KeyAndValue {
  let key = '';
  let value = '';
  while (cursor.next()) {
    if (cursor.field === 1) key = cursor.string();
    else if (cursor.field === 2) value = cursor.string();
    else cursor.skip();
  }
  return { key, value };
}
