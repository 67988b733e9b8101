/**
 * Messages changed on the wire: what is known of them is replaced or left out, and all else, fields that this version does
 * not know included, stays byte by byte. Throws `MalformedWire`.
 */
import { WireCursor } from './wire.ts';
import { concatBytes } from './wire-write.ts';

/** In place of a field that is left out. */
export const NO_BYTES: Uint8Array = new Uint8Array();

/** @param rewrite Reads the cursor's field and returns what stands in its place; `undefined`: it stays, and was not read. */
export function rewriteFields(
  message: Uint8Array,
  rewrite: (cursor: WireCursor) => Uint8Array | undefined,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const cursor = new WireCursor(message);
  while (cursor.next()) {
    const { fieldOffset } = cursor;
    let part = rewrite(cursor);
    if (part === undefined) {
      cursor.skip();
      part = cursor.sliceSince(fieldOffset);
    }
    parts.push(part);
  }
  return concatBytes(parts);
}

export const withoutFields = (message: Uint8Array, fields: readonly number[]): Uint8Array =>
  rewriteFields(message, (cursor) => {
    if (!fields.includes(cursor.field)) return undefined;
    cursor.skip();
    return NO_BYTES;
  });

export interface TakenTexts {
  /** The message without them. */
  readonly rest: Uint8Array;
  /** By field; those that are not set are missing. */
  readonly texts: ReadonlyMap<number, string>;
}

/** Some text fields of a message, and the rest of it. */
export function takeTexts(message: Uint8Array, fields: readonly number[]): TakenTexts {
  const texts = new Map<number, string>();
  const rest = rewriteFields(message, (cursor) => {
    if (!fields.includes(cursor.field)) return undefined;
    texts.set(cursor.field, cursor.string());
    return NO_BYTES;
  });
  return { rest, texts };
}
