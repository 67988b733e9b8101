/** The little of protobuf's wire format that is written: fields put together from bytes that are passed on. */
import { WIRE_BYTES, WIRE_VARINT } from './wire.ts';

/** A varint of a non-negative safe integer. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

export function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  const head = [...varint(field * 8 + WIRE_BYTES), ...varint(bytes.byteLength)];
  const whole = new Uint8Array(head.length + bytes.byteLength);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

export const stringField = (field: number, text: string): Uint8Array =>
  bytesField(field, new TextEncoder().encode(text));

export const boolField = (field: number, value: boolean): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + WIRE_VARINT), value ? 1 : 0]);

/** @param value Not negative. */
export const numberField = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + WIRE_VARINT), ...varint(value)]);

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
