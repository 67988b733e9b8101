/**
 * One call of Insert, Upsert or Delete: that of one message of the log, or of several that were joined.
 *
 * Joined are messages for one call and one partition whose keys are known to be different, so that their order among each
 * other says nothing. Whether anything stands between them that shares a key is the window's to know (write-window.ts).
 */
import type { ColumnLayout } from '../codec/column-layout.ts';
import { joinColumns } from '../codec/join-columns.ts';
import type { FieldSlice, PrimaryKeys } from '../codec/records.ts';
import type { MessageOrdinal } from '../../../shared/model/position.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { KeyFootprint } from './key-footprint.ts';
import { digestOf, joinableColumns, type WritePiece } from './write-piece.ts';

/** Rows, or keys of a Delete: a server is at its best with 1,000 to 2,000 in a call, and slower with 4,000 (2.3.5). */
const JOINED_ROWS_MAX = 1_024;
/** As many rows of 128 floats: beyond it a row costs no less, and requests that are that large pass as they are. */
const JOINED_BYTES_MAX = 512 * 1024;

export class JoinedWrite {
  readonly #first: WritePiece;
  readonly #pieces: WritePiece[];
  #rowCount: number;
  #byteCount: number;
  #firstTick: TimeTick;
  #lastOrdinal: MessageOrdinal;
  /** `null`: not known, it may touch any key. */
  #keys: KeyFootprint | null | undefined;
  /** Of each piece, when there are several. `null`: the columns are of a kind that is not joined. */
  #columns: { readonly signature: string; readonly layouts: (readonly ColumnLayout[])[] } | null | undefined;

  constructor(piece: WritePiece) {
    this.#first = piece;
    this.#pieces = [piece];
    this.#rowCount = piece.rowCount;
    this.#byteCount = piece.byteCount;
    this.#firstTick = piece.entry.beginTick;
    this.#lastOrdinal = piece.entry.ordinal;
  }

  get call(): WritePiece['call'] {
    return this.#first.call;
  }

  get partition(): string {
    return this.#first.partition;
  }

  get isDoubtful(): boolean {
    return this.#first.isDoubtful;
  }

  get pieces(): readonly WritePiece[] {
    return this.#pieces;
  }

  /** Rows, or keys of a Delete. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** About the size of the request. */
  get byteCount(): number {
    return this.#byteCount;
  }

  /** Nothing of it is older. */
  get firstTick(): TimeTick {
    return this.#firstTick;
  }

  /** No message of it stands behind that one. */
  get lastOrdinal(): MessageOrdinal {
    return this.#lastOrdinal;
  }

  /** Whether it is known that the two have no key in common, in whatever partition. */
  isApartFrom(other: JoinedWrite): boolean {
    const keys = this.#footprint();
    const others = other.#footprint();
    return keys !== null && others !== null && keys.isApartFrom(others);
  }

  /** Makes the other one's messages part of this call, if they may be; not once it is sent. */
  tryTake(other: JoinedWrite): boolean {
    if (!this.#hasRoomFor(other) || !this.isApartFrom(other)) return false;
    if (this.call !== 'delete') {
      const columns = this.#joinable();
      const others = other.#joinable();
      if (columns === null || columns.signature !== others?.signature) return false;
      columns.layouts.push(...others.layouts);
    }
    const others = other.#footprint();
    if (others !== null) this.#footprint()?.include(others);
    this.#pieces.push(...other.#pieces);
    this.#rowCount += other.#rowCount;
    this.#byteCount += other.#byteCount;
    if (other.#firstTick < this.#firstTick) this.#firstTick = other.#firstTick;
    if (other.#lastOrdinal > this.#lastOrdinal) this.#lastOrdinal = other.#lastOrdinal;
    return true;
  }

  /** The columns of all its rows; none of a Delete. */
  fields(): readonly FieldSlice[] {
    if (this.#first.call === 'delete') return [];
    const { fields } = this.#first.record;
    const columns = this.#columns;
    if (this.#pieces.length === 1 || columns === undefined || columns === null) return fields;
    return fields.map((_field, index) => joinColumns(columns.layouts.flatMap((layouts) => layouts[index] ?? [])));
  }

  /** All its keys; none of an Insert. */
  deletedKeys(): PrimaryKeys {
    const lists = this.#pieces.flatMap((piece) => (piece.call === 'delete' ? [piece.keys] : []));
    const [first] = lists;
    if (first !== undefined && lists.length === 1) return first;
    if (first?.type === 'varchar') {
      return { type: 'varchar', values: lists.flatMap((keys) => (keys.type === 'varchar' ? keys.values : [])) };
    }
    const values = new BigInt64Array(this.#rowCount);
    let at = 0;
    for (const keys of lists) {
      if (keys.type !== 'int64') continue;
      values.set(keys.values, at);
      at += keys.values.length;
    }
    return { type: 'int64', values };
  }

  #hasRoomFor(other: JoinedWrite): boolean {
    return (
      this.call === other.call &&
      this.partition === other.partition &&
      this.isDoubtful === other.isDoubtful &&
      this.#rowCount + other.#rowCount <= JOINED_ROWS_MAX &&
      this.#byteCount + other.#byteCount <= JOINED_BYTES_MAX
    );
  }

  #footprint(): KeyFootprint | null {
    if (this.#keys === undefined) {
      const digest = digestOf(this.#first);
      this.#keys = digest === undefined ? null : new KeyFootprint(digest);
    }
    return this.#keys;
  }

  #joinable() {
    if (this.#columns === undefined) {
      const found = this.#first.call === 'delete' ? undefined : joinableColumns(this.#first);
      this.#columns = found === undefined ? null : { signature: found.signature, layouts: [found.layouts] };
    }
    return this.#columns;
  }
}
