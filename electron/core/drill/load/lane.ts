/**
 * One writer of the load. It owns its collections alone, so that the order of the operations on every key is definite,
 * and does three things in turn until its rows are written: an event whose time has come, a batch of rows, a pause to
 * keep the pace.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadedCollection } from './loaded-collection.ts';
import type { Random } from './random.ts';

/** Something that happens once in the life of a lane, when the given share of its rows has been inserted. */
export interface LaneEvent {
  readonly atShare: number;
  run(): void | Promise<void>;
}

/** A place to write to, with its share of the lane's writes relative to the others. */
export interface WritePlace {
  readonly collection: LoadedCollection;
  readonly partition?: string;
  readonly weight: number;
}

export interface LaneOptions {
  readonly rows: number;
  /** The time for all rows, from `startedMs` on; 0: as fast as possible. */
  readonly seconds: number;
  /** By `performance.now()`. Preparation counts: a lane catches up with its pace afterwards. */
  readonly startedMs: number;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Ordered by `atShare`. */
  readonly events: readonly LaneEvent[];
  /** Asked before every write, since events change it. Never empty. */
  readonly places: () => readonly WritePlace[];
  readonly onRowsInserted: (count: number) => void;
}

/** Single rows, the batches of a person's program, and the batches of a bulk job. */
const BATCH_ROWS = [1, 10, 50, 100, 200, 400] as const;
/** Of all writes; the rest are inserts. */
const UPSERT_SHARE = 0.15;
const DELETE_SHARE = 0.15;
const UPSERT_ROWS_MAX = 60;
const DELETE_ROWS_MAX = 30;

export async function runLane(options: LaneOptions): Promise<void> {
  const { rows, seconds, startedMs, random, signal, onRowsInserted } = options;
  const events = [...options.events];
  let inserted = 0;

  const runEvents = async (share: number): Promise<void> => {
    while (events[0] !== undefined && events[0].atShare <= share) await events.shift()?.run();
  };

  while (inserted < rows) {
    await runEvents(inserted / rows);
    const place = choosePlace(options.places(), random);
    const kind = random.next();
    if (kind < UPSERT_SHARE && place.collection.blueprint.key !== 'generated') {
      await place.collection.upsert(1 + random.below(UPSERT_ROWS_MAX), place.partition);
    } else if (kind < UPSERT_SHARE + DELETE_SHARE) {
      await place.collection.delete(1 + random.below(DELETE_ROWS_MAX), place.partition);
    } else {
      const count = Math.min(random.pick(BATCH_ROWS), rows - inserted);
      await place.collection.insert(count, place.partition);
      inserted += count;
      onRowsInserted(count);
    }
    const aheadMs = (inserted / rows) * seconds * 1000 - (performance.now() - startedMs);
    if (aheadMs > 0) await delay(aheadMs, undefined, { signal });
  }
  await runEvents(1);
}

function choosePlace(places: readonly WritePlace[], random: Random): WritePlace {
  let point = random.next() * places.reduce((sum, { weight }) => sum + weight, 0);
  for (const place of places) {
    point -= place.weight;
    if (point < 0) return place;
  }
  const last = places.at(-1);
  if (last === undefined) throw new Error('A lane of the load has nowhere to write.');
  return last;
}
