/**
 * One message of the source's log, from wire bytes to a typed record. Pure; never throws on bytes, whatever they are.
 *
 * In Milvus 2.3 to 2.5 one message of the broker is one serialized protobuf whose `base` names its type (2.3.5 sends no
 * header with it). Types that this version does not know come out as `unknown`: to be reported, never swallowed.
 */
import { readCreateCollection, readDropCollection, readPartition } from './definition-messages.ts';
import { readMessageBase, ticksOfBase, type MessageBase } from './message-base.ts';
import * as types from './message-types.ts';
import { readOperation } from './operation-messages.ts';
import type { DecodeResult, UnknownRecord, WalRecord } from './records.ts';
import { readDelete, readInsert } from './row-messages.ts';
import { orFailure, WireCursor } from './wire.ts';

/** The record keeps slices of `payload`: whoever holds it must not write into the buffer. */
export function decodeRecord(payload: Uint8Array): DecodeResult {
  return orFailure(() => read(payload, readMessageBase(payload)));
}

function read(payload: Uint8Array, base: MessageBase): WalRecord {
  switch (base.messageType) {
    case types.MSG_TIME_TICK:
      return { kind: 'timeTick', messageId: base.messageId, ...ticksOfBase(base, payload.byteLength) };
    case types.MSG_INSERT:
      return readInsert(payload, base);
    case types.MSG_DELETE:
      return readDelete(payload, base);
    case types.MSG_CREATE_COLLECTION:
      return readCreateCollection(payload, base);
    case types.MSG_DROP_COLLECTION:
      return readDropCollection(payload, base);
    case types.MSG_CREATE_PARTITION:
      return readPartition(payload, base, 'createPartition');
    case types.MSG_DROP_PARTITION:
      return readPartition(payload, base, 'dropPartition');
    default: {
      const operation = types.OPERATION_TYPES.get(base.messageType);
      return operation === undefined ? readUnknown(payload, base) : readOperation(payload, base, operation);
    }
  }
}

/** Its ticks may be 0: nothing is known of when such a message has one. */
function readUnknown(payload: Uint8Array, base: MessageBase): UnknownRecord {
  const cursor = new WireCursor(payload);
  while (cursor.next()) cursor.skip();
  return {
    kind: 'unknown',
    messageId: base.messageId,
    beginTick: base.timestamp,
    endTick: base.timestamp,
    messageType: base.messageType,
  };
}
