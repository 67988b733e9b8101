/** What may happen to a source, drawn from a seed. */
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { WRITE_DEADLINE_MS } from '../../electron/engine/target/timeouts.ts';
import type { MemoryRows } from '../support/memory-rows.ts';
import type { MemorySource, SourceCollection } from '../support/memory-source.ts';
import { answerLost, refused, type MemoryTarget, type TargetCall } from '../support/memory-target.ts';
import type { WalCall } from '../support/memory-wal.ts';
import type { Row } from '../support/wal-builder.ts';

/** mulberry32: small, and the same everywhere. */
export class Random {
  #state: number;

  /** `part`: of what the seed decides, each part by itself. */
  constructor(seed: number, part = 0) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(part, 0x85ebca6b)) >>> 0;
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
/** One of them may be a collection's name. */
const ALIASES = ['x', 'y', 'c'] as const;
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
  'renameCollection',
  'alterAlias',
  'setProperties',
  'alterField',
  'removeProperties',
] as const satisfies readonly TargetCall[];

const unreachable = (side: 'wal' | 'source'): ReplicationError =>
  new ReplicationError('unreachable', side, 'The network is down for a moment.');

/** Calls that may have their effect twice; upserts are rare while copying, and count more. */
const REPEATABLE = [
  'upsert',
  'upsert',
  'upsert',
  'delete',
  'createDatabase',
  'createPartition',
  'dropPartition',
  'dropCollection',
  'createIndex',
  'loadCollection',
  'flush',
] as const satisfies readonly TargetCall[];

/** Longer than a write may take, within a definition's time. */
const SLOW_MS_MAX = 20_000;

/** Random draws of parts of a life; those of its acts are 1, 2, ... */
const BIRTH = 0;

export class RandomLife {
  readonly source: MemorySource;
  readonly #seed: number;
  random: Random;
  readonly #held = new Set<number>();
  /** Keys that were deleted at some time, in whatever collection. */
  readonly #deleted: (bigint | string)[] = [];
  #nextKey = 1n;
  #nextValue = 1;

  constructor(seed: number, makeSource: (channelCount: number) => MemorySource) {
    this.#seed = seed;
    this.random = new Random(seed, BIRTH);
    this.source = makeSource(2 + this.random.below(3));
    this.source.writesCreatePartition = this.random.below(2) === 0;
  }

  /** What follows is drawn for that act alone, so that leaving out another one changes none of it. */
  turnTo(act: number): void {
    this.random = new Random(this.#seed, act + 1);
  }

  act(): void {
    const { random, source } = this;
    const collection = random.pickOr(this.#collections());
    if (collection === undefined) {
      this.#create();
      return;
    }
    switch (random.below(32)) {
      case 0:
      case 1: {
        this.#create();
        return;
      }
      case 2: {
        this.#drop(collection);
        return;
      }
      case 3:
      case 20:
      case 21: {
        this.#togglePartition(collection);
        return;
      }
      case 4:
      case 22:
      case 23: {
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
      case 24:
      case 25: {
        this.#rename(collection);
        return;
      }
      case 26: {
        this.#swap(collection);
        return;
      }
      case 27:
      case 28: {
        this.#alias(collection);
        return;
      }
      case 29: {
        if (random.below(2) === 0) {
          this.#addField(collection);
          return;
        }
        if (random.below(3) === 0) {
          source.alterField(collection, random.pick(['max_length', 'mmap.enabled']), String(40 + random.below(3)));
          return;
        }
        const [held] = collection.properties.keys();
        if (held !== undefined && random.below(3) === 0) {
          source.removeProperty(collection, held);
          return;
        }
        source.setProperty(
          collection,
          random.pick(['mmap.enabled', 'collection.ttl.seconds']),
          String(random.below(3)),
        );
        return;
      }
      case 30:
      case 31: {
        source.operationsToLose = 1;
        this.#operate(collection);
        source.operationsToLose = 0;
        return;
      }
      default: {
        this.#write(collection);
        return;
      }
    }
  }

  /** Something fails, once, in a way that mends itself. @returns what, in words. */
  misfortune(target: MemoryTarget, rows: MemoryRows): string {
    const { random, source } = this;
    const write = random.pick(WRITES);
    const drawn = random.below(2) === 0 ? write : random.pick(DEFINITIONS);
    const isAdding = this.#collections().some(({ addedFields }) => addedFields.length > 0);
    const call = isAdding && drawn === 'setProperties' ? 'addField' : drawn;
    switch (random.below(14)) {
      case 0:
      case 1: {
        target.script(call, { kind: 'lose', error: answerLost() });
        return `the answer to a ${call} is lost`;
      }
      case 2: {
        target.script(call, { kind: 'refuse', error: refused('rateLimited', 'too much') });
        return `a ${call} is refused`;
      }
      case 3:
      case 4: {
        const afterMs = 1 + random.below(WRITE_DEADLINE_MS);
        target.script(write, { kind: 'late', error: answerLost(), afterMs });
        return `a ${write} fails and happens ${afterMs} ms later`;
      }
      case 5: {
        target.script(write, { kind: 'prefix', error: answerLost() });
        return `half of a ${write} happens`;
      }
      case 6: {
        const twice = random.pick(REPEATABLE);
        target.script(twice, { kind: 'twice' });
        return `a ${twice} happens twice`;
      }
      case 7: {
        const kind = random.pick<'refuse' | 'lose' | 'late'>(['refuse', 'lose', 'late']);
        if (kind === 'late') rows.failNext({ kind, afterMs: 1 + random.below(WRITE_DEADLINE_MS) });
        else rows.failNext({ kind, error: unreachable('source') });
        return `a page of rows: ${kind}`;
      }
      case 8:
      case 9: {
        const failing = random.pick<WalCall>(['open', 'read', 'readAt', 'bounds']);
        source.wal.failNext(failing, unreachable('wal'));
        return `the log fails at ${failing}`;
      }
      case 10:
      case 11: {
        const afterMs = 1 + random.below(SLOW_MS_MAX);
        const until = new Promise<void>((resolve) => void setTimeout(resolve, afterMs));
        target.script(call, { kind: 'hold', until });
        return `a ${call} is held for ${afterMs} ms at most`;
      }
      case 12: {
        if (random.below(3) === 0) {
          source.catalog.isEmptyOnce = true;
          source.catalog.changed();
          return 'the catalogue shows nothing, once';
        }
        source.catalog.failNext(unreachable('source'));
        return 'the catalogue fails';
      }
      default: {
        const index = random.below(source.channels.length);
        const channel = source.channels[index];
        if (channel === undefined) throw new Error('no such channel');
        if (this.#held.delete(index)) {
          source.wal.release(channel);
          return `channel ${index} goes on`;
        }
        this.#held.add(index);
        source.wal.hold(channel);
        source.wal.onFault('hold', channel);
        return `channel ${index} is held`;
      }
    }
  }

  /** All that was said is complete, and nothing is held back any more. */
  end(): void {
    this.source.tickAll();
    for (const channel of this.source.channels) this.source.wal.release(channel);
  }

  /** With keys never seen. */
  newRows(count: number): Row[] {
    return this.#rows(count, []);
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
    if (source.databases.get(database)?.has(name) === true || source.aliases.has(`${database}.${name}`)) return;
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

  /** One that is about to be copied again is not dropped: its copy would be held, for the operator to decide. */
  mayDrop: (collection: SourceCollection) => boolean = () => true;

  /** By a rename, before or after it; and of what aliases stand for. */
  mayBeNamed: (name: string) => boolean = () => true;

  #drop(collection: SourceCollection): void {
    if (!this.mayDrop(collection)) return;
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

  #rename(collection: SourceCollection): void {
    const { random, source } = this;
    const name = random.pick(NAMES);
    const { database } = collection;
    if (source.databases.get(database)?.has(name) === true || source.aliases.has(`${database}.${name}`)) return;
    const before = collection.name;
    if (!this.mayBeNamed(before) || !this.mayBeNamed(name)) return;
    source.renameCollection(collection, name);
    // Its old name is somebody else's at once.
    if (random.below(3) > 0) return;
    const channels = [random.below(source.channels.length)];
    this.#write(source.createCollection(before, { database, channels }));
  }

  #swap(collection: SourceCollection): void {
    const { random, source } = this;
    const { database } = collection;
    const other = random.pickOr(
      this.#collections().filter((each) => each !== collection && each.database === database),
    );
    if (other === undefined) return;
    const [first, second] = [collection.name, other.name];
    if (!this.mayBeNamed(first) || !this.mayBeNamed(second)) return;
    source.renameCollection(collection, 'swapped');
    source.renameCollection(other, first);
    source.renameCollection(collection, second);
  }

  #alias(collection: SourceCollection): void {
    const { random, source } = this;
    const alias = random.pick(ALIASES);
    const { database } = collection;
    if (source.databases.get(database)?.has(alias) === true || !this.mayBeNamed(collection.name)) return;
    if (source.aliases.has(`${database}.${alias}`) && random.below(3) === 0) source.dropAlias(database, alias);
    else source.setAlias(collection, alias);
  }

  #addField(collection: SourceCollection): void {
    const { addedFields } = collection;
    if (addedFields.length === 3) return;
    this.source.addField(collection, `field${addedFields.length}`);
    if (this.random.below(2) === 0) this.#write(collection);
  }

  #togglePartition(collection: SourceCollection): void {
    if (collection.hasPartitionKey) return;
    const name = this.random.pick(PARTITIONS);
    if (collection.partitions.has(name)) {
      this.source.dropPartition(collection, name);
      if (this.random.below(2) === 0) return;
    }
    this.source.createPartition(collection, name);
    if (this.random.below(2) === 0) this.source.insert(collection, this.#rows(4, []), name);
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
    if (kind === 'insert') {
      // A key that comes back must not meet its own delete.
      const gone = this.#deleted.filter((key) => !known.includes(key));
      source.insert(collection, this.#rows(count, gone), partition);
    }
    if (kind === 'upsert') {
      source.upsert(collection, this.#rows(count, known), partition, random.below(2) === 0);
    }
    if (kind === 'delete') {
      const keys = new Set(this.#rows(count, known).map(({ key }) => key));
      this.#deleted.push(...keys);
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
