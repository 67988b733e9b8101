/** `commonpb.MsgBase`, with which every message of the log begins (field 1), and the ticks of a message. */
import { asTimeTick, type TimeTick } from '../../../shared/time/time-tick.ts';
import { MalformedWire, WireCursor } from './wire.ts';

const FIELD_BASE = 1;

export interface MessageBase {
  readonly messageType: number;
  /**
   * Inserts and deletes have ids of their own, also each piece of one that was split (milvus internal/proxy/msg_pack.go,
   * `setMsgID`, 2.3; seen on 2.3.5), so that a repeated id is a repeated message: Milvus drops it among the rows up to one
   * tick (pkg/mq/msgstream/mq_msgstream.go, `bufMsgPackToChannel`, 2.3). Definitions have 0, operations their timestamp.
   */
  readonly messageId: bigint;
  /** 0 where the producer set none: seen on the insert half of an upsert. */
  readonly timestamp: TimeTick;
}

/**
 * Reads the base alone, as Milvus' own `commonpb.MsgHeader` does, and nothing behind it.
 * @throws MalformedWire also when there is no base or when it names no type.
 */
export function readMessageBase(payload: Uint8Array): MessageBase {
  const cursor = new WireCursor(payload);
  while (cursor.next()) {
    if (cursor.field === FIELD_BASE) return readBase(cursor.nested());
    cursor.skip();
  }
  throw new MalformedWire('a message without base', 0);
}

function readBase(cursor: WireCursor): MessageBase {
  let messageType = 0;
  let messageId = 0n;
  let timestamp = 0n;
  const start = cursor.offset;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        messageType = cursor.number();
        break;
      case 2:
        messageId = cursor.int64();
        break;
      case 3:
        timestamp = cursor.uint64();
        break;
      default:
        cursor.skip();
    }
  }
  if (messageType === 0) throw new MalformedWire('a base without message type', start);
  return { messageType, messageId, timestamp: asTimeTick(timestamp) };
}

export interface TickRange {
  readonly beginTick: TimeTick;
  readonly endTick: TimeTick;
}

/** Ticks of a message without rows. */
export function ticksOfBase(base: MessageBase, offset: number): TickRange {
  if (base.timestamp === 0n) throw new MalformedWire('a message without rows whose base has no timestamp', offset);
  return { beginTick: base.timestamp, endTick: base.timestamp };
}

/**
 * Smallest and largest row timestamp. The base is not asked where rows are: it may say 0 (see MessageBase), and Milvus
 * itself takes the rows' (pkg/mq/msgstream/msg.go, `InsertMsg.Unmarshal`, 2.3).
 */
export class RowTicks {
  count = 0;
  private beginLow = 0;
  private beginHigh = 0;
  private endLow = 0;
  private endHigh = 0;

  /** Takes one occurrence of the timestamps' field. Halves are compared, so that no `bigint` is made for each row. */
  read(cursor: WireCursor): void {
    cursor.eachVarint(({ low, high }) => {
      if (this.count === 0 || high < this.beginHigh || (high === this.beginHigh && low < this.beginLow)) {
        this.beginLow = low;
        this.beginHigh = high;
      }
      if (this.count === 0 || high > this.endHigh || (high === this.endHigh && low > this.endLow)) {
        this.endLow = low;
        this.endHigh = high;
      }
      this.count += 1;
    });
  }

  /** @throws MalformedWire unless there is one timestamp for each of `rowCount` rows, none of them 0. */
  range(rowCount: number): TickRange {
    if (this.count !== rowCount) throw new MalformedWire(`${rowCount} rows with ${this.count} timestamps`, 0);
    const beginTick = asTimeTick((BigInt(this.beginHigh) << 32n) | BigInt(this.beginLow));
    const endTick = asTimeTick((BigInt(this.endHigh) << 32n) | BigInt(this.endLow));
    if (beginTick === 0n) throw new MalformedWire('a row without timestamp', 0);
    return { beginTick, endTick };
  }
}
