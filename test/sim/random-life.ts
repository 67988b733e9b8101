/** What may happen to a source, drawn from a seed. */
import { ReplicationError } from '../../shared/model/replication-error.ts';
import type { MemorySource, SourceCollection } from '../support/memory-source.ts';
import { answerLost, refused, type MemoryTarget, type TargetCall } from '../support/memory-target.ts';
import type { Row } from '../support/wal-builder.ts';

/** mulberry32: small, and the same everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2_654_435_761) >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }

  pickOr<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : from[this.below(from.length)];
  }
}

const NAMES = ['a', 'b', 'c'] as const;
const DATABASES = ['default', 'default', 'one', 'two'] as const;
const PARTITIONS = ['p', 'q'] as const;
const WRITES = ['insert', 'upsert', 'delete'] as const satisfies readonly TargetCall[];
const DEFINITIONS = [
  'describeCollection',
  'createCollection',
  'dropCollection',
  'createDatabase',
  'dropDatabase',
  'createPartition',
  'dropPartition',
  'createIndex',
  'loadCollection',
  'flush',
] as const satisfies readonly TargetCall[];

const unreachable = (side: 'wal' | 'source'): ReplicationError =>
  new ReplicationError('unreachable', side, 'The network is down for a moment.');

export class RandomLife {
  readonly random: Random;
  readonly source: MemorySource;
  readonly #held = new Set<number>();
  #nextKey = 1n;
  #nextValue = 1;

  constructor(seed: number, makeSource: (channelCount: number) => MemorySource) {
    this.random = new Random(seed);
    this.source = makeSource(2 + this.random.below(3));
    this.source.writesCreatePartition = this.random.below(2) === 0;
  }

  act(): void {
    const { random, source } = this;
    const collection = random.pickOr(this.#collections());
    if (collection === undefined) {
      this.#create();
      return;
    }
    switch (random.below(20)) {
      case 0:
      case 1: {
        this.#create();
        return;
      }
      case 2: {
        this.#drop(collection);
        return;
      }
      case 3: {
        this.#togglePartition(collection);
        return;
      }
      case 4: {
        this.#operate(collection);
        return;
      }
      case 5: {
        this.#toggleDatabase();
        return;
      }
      case 6:
      case 7: {
        source.tickAll();
        return;
      }
      case 8:
      case 9: {
        source.tick(random.pick(this.#channels()));
        return;
      }
      case 10: {
        this.#leaveBehind(collection);
        return;
      }
      default: {
        this.#write(collection);
        return;
      }
    }
  }

  /** Something fails, once, in a way that mends itself. */
  misfortune(target: MemoryTarget): void {
    const { random, source } = this;
    const call = random.below(2) === 0 ? random.pick(WRITES) : random.pick(DEFINITIONS);
    switch (random.below(6)) {
      case 0:
      case 1: {
        target.script(call, { kind: 'lose', error: answerLost() });
        return;
      }
      case 2: {
        target.script(call, { kind: 'refuse', error: refused('rateLimited', 'too much') });
        return;
      }
      case 3: {
        source.wal.failNext(random.pick(['open', 'read', 'readAt', 'bounds']), unreachable('wal'));
        return;
      }
      case 4: {
        source.catalog.failNext(unreachable('source'));
        return;
      }
      default: {
        const index = random.below(source.channels.length);
        const channel = source.channels[index];
        if (channel === undefined) return;
        if (this.#held.delete(index)) source.wal.release(channel);
        else {
          this.#held.add(index);
          source.wal.hold(channel);
        }
      }
    }
  }

  /** All that was said is complete, and nothing is held back any more. */
  end(): void {
    this.source.tickAll();
    for (const channel of this.source.channels) this.source.wal.release(channel);
  }

  #collections(): SourceCollection[] {
    return [...this.source.databases.values()].flatMap((collections) => [...collections.values()]);
  }

  #channels() {
    const [first, ...rest] = this.source.channels;
    if (first === undefined) throw new Error('A source has channels.');
    return [first, ...rest] as const;
  }

  #create(): void {
    const { random, source } = this;
    const database = random.pick(DATABASES);
    const name = random.pick(NAMES);
    if (!source.databases.has(database)) source.createDatabase(database);
    if (source.databases.get(database)?.has(name) === true) return;
    const shuffled = source.channels.map((_channel, index) => index);
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = random.below(at + 1);
      [shuffled[at], shuffled[other]] = [shuffled[other] ?? 0, shuffled[at] ?? 0];
    }
    const made = source.createCollection(name, {
      database,
      channels: shuffled.slice(0, 1 + random.below(shuffled.length)),
      hasPartitionKey: random.below(5) === 0,
    });
    if (random.below(2) === 0) this.#write(made);
  }

  #drop(collection: SourceCollection): void {
    this.source.dropCollection(collection);
    if (this.random.below(2) === 0) {
      const { database, name } = collection;
      const again = this.source.createCollection(name, {
        database,
        channels: [this.random.below(this.source.channels.length)],
      });
      this.#write(again);
    }
  }

  #togglePartition(collection: SourceCollection): void {
    if (collection.hasPartitionKey) return;
    const name = this.random.pick(PARTITIONS);
    if (collection.partitions.has(name)) {
      this.source.dropPartition(collection, name);
      if (this.random.below(2) === 0) return;
    }
    this.source.createPartition(collection, name);
  }

  #operate(collection: SourceCollection): void {
    const { source } = this;
    if (this.random.below(4) === 0) source.flush(collection);
    else if (collection.isLoaded) source.releaseLoaded(collection);
    else if (collection.indexes.size === 0) source.createIndex(collection);
    else if (this.random.below(3) === 0) source.dropIndex(collection);
    else source.load(collection);
  }

  #toggleDatabase(): void {
    const name = this.random.pick(['one', 'two', 'three']);
    const held = this.source.databases.get(name);
    if (held === undefined) this.source.createDatabase(name);
    else if (held.size === 0) this.source.dropDatabase(name);
  }

  /** A tick that is older than messages that were written before it. */
  #leaveBehind(collection: SourceCollection): void {
    const tick = this.source.nextTick();
    const count = 1 + this.random.below(3);
    for (let write = 0; write < count; write += 1) this.#write(collection);
    for (const channel of this.source.channels) {
      if (this.random.below(3) > 0) this.source.tick(channel, tick);
    }
  }

  #write(collection: SourceCollection): void {
    const { random, source } = this;
    const partition = random.pickOr([...collection.partitions.keys()]) ?? '_default';
    const count = 1 + random.below(4);
    const known = [...collection.partitions.values()].flatMap(({ rows }) => rows.map(({ key }) => key));
    const kind = random.pick(['insert', 'insert', 'upsert', 'delete']);
    if (kind === 'insert') source.insert(collection, this.#rows(count, []), partition);
    if (kind === 'upsert') {
      source.upsert(collection, this.#rows(count, known), partition, random.below(2) === 0);
    }
    if (kind === 'delete') {
      const keys = new Set(this.#rows(count, known).map(({ key }) => key));
      const isEverywhere = collection.hasPartitionKey || random.below(2) === 0;
      source.delete(collection, [...keys], isEverywhere ? undefined : partition);
    }
  }

  /** Keys never seen, mixed with known ones; no key twice. */
  #rows(count: number, known: readonly (bigint | string)[]): Row[] {
    const rows = new Map<bigint | string, Row>();
    for (let row = 0; row < count; row += 1) {
      const old = this.random.below(3) === 0 ? undefined : this.random.pickOr(known);
      const key = old ?? this.#nextKey++;
      rows.set(key, { key, value: `v${this.#nextValue++}` });
    }
    return [...rows.values()];
  }
}
