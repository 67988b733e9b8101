/**
 * What a protection is shown as, derived from what the core last said of it and from what was heard before. Pure.
 */
import type { TaskView } from '../../../shared/contract/procedures.ts';
import type { ShownState } from '../../ui/states.ts';

export type Status = NonNullable<TaskView['status']>;
export type Collection = Status['collections'][number];
export type Trouble = NonNullable<Status['trouble']>;

/** Counters of one moment, to make rates of. */
export interface Sample {
  /** Unix ms of the core. */
  readonly at: number;
  /** Written and deleted. */
  readonly rows: number;
  readonly bytes: number;
  readonly messages: number;
}

/** What the window itself remembers of a task. */
export interface Memory {
  /** Oldest first, about one a second. */
  readonly samples: readonly Sample[];
  /** Unix ms of the window when the last status came. */
  readonly heardAt: number;
}

export interface Rates {
  readonly rows: number;
  readonly bytes: number;
  readonly messages: number;
}

export interface ShownProtection {
  readonly task: TaskView;
  readonly state: ShownState;
  readonly trouble: Trouble | undefined;
  /** The loss if the target were promoted now; `undefined`: not known (yet). */
  readonly rpoMs: number | undefined;
  /** Per second, over the last seconds; `undefined`: not measured (yet). */
  readonly rates: Rates | undefined;
  /** Rows per second at each sample, oldest first. */
  readonly rowRates: readonly number[];
}

/** Samples are this far apart at least. */
export const SAMPLE_INTERVAL_MS = 900;
/** A minute of them is drawn. */
export const SAMPLES_MAX = 60;
/** Rates are of the last seconds: long enough to be read, short enough to be true. */
const RATE_WINDOW_MS = 8_000;
/** A status that is younger is "now": it comes four times a second while something moves. */
const FRESH_MS = 2_000;

export function sampleOf(status: Status): Sample {
  return {
    at: status.at,
    rows: status.rowsWritten + status.rowsDeleted,
    bytes: status.bytesRead,
    messages: status.messagesRead,
  };
}

/** A counter that fell means a new run: what was before says nothing about it. */
export function remember(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last === undefined) return [next];
  if (next.rows < last.rows || next.messages < last.messages) return [next];
  if (next.at - last.at < SAMPLE_INTERVAL_MS) return samples;
  return [...samples, next].slice(-SAMPLES_MAX);
}

/** @param now Unix ms of the window. Its clock may differ from the core's: only ages are taken from each. */
export function describe(task: TaskView, memory: Memory | undefined, now: number): ShownProtection {
  const { status } = task;
  const rates = memory === undefined ? undefined : ratesOf(memory.samples);
  const rpoMs = rpoOf(task, memory, now);
  return {
    task,
    state: stateOf(task),
    trouble: task.desired === 'paused' ? undefined : status?.trouble,
    rpoMs,
    rates: task.desired === 'paused' ? undefined : rates,
    rowRates: memory === undefined ? [] : rowRatesOf(memory.samples),
  };
}

function stateOf({ desired, status }: TaskView): ShownState {
  // What was asked for holds, however old the last status is.
  if (desired === 'paused') return 'paused';
  if (status === undefined) return 'initializing';
  if (status.state === 'following' && status.isInSync === true && status.source?.activity === 'idle') return 'idle';
  const way = status.state === 'following' ? wayOf(status.collections) : undefined;
  if (way !== undefined) return way;
  // Resumed a moment ago: the last status is of before.
  return status.state === 'paused' ? 'initializing' : status.state;
}

/** A protection follows only once every collection does. */
function wayOf(collections: readonly Collection[]): 'copying' | 'replaying' | undefined {
  return (['copying', 'replaying'] as const).find((way) => collections.some(({ state }) => state === way));
}

function rpoOf(task: TaskView, memory: Memory | undefined, now: number): number | undefined {
  const { desired, status } = task;
  if (status === undefined || status.collections.length === 0) return undefined;
  if (desired !== 'paused') return ageOf(status.lagMs.now, memory, now);
  return restingLagOf(Math.min(...status.collections.map(({ confirmedMs }) => confirmedMs)), now);
}

/** Of one collection. */
export function collectionLagOf(
  { confirmedMs, lagMs }: Collection,
  { desired }: TaskView,
  memory: Memory | undefined,
  now: number,
): number | undefined {
  return desired === 'paused' ? restingLagOf(confirmedMs, now) : ageOf(lagMs, memory, now);
}

/** It has grown while nothing was heard. */
function ageOf(lagMs: number | undefined, memory: Memory | undefined, now: number): number | undefined {
  if (lagMs === undefined) return undefined;
  const silenceMs = memory === undefined ? 0 : Math.max(0, now - memory.heardAt);
  return lagMs + (silenceMs > FRESH_MS ? silenceMs : 0);
}

/** Of what stands still by order: nobody counts it but the clock. */
const restingLagOf = (confirmedMs: number, now: number): number | undefined =>
  confirmedMs === 0 ? undefined : Math.max(0, now - confirmedMs);

function ratesOf(samples: readonly Sample[]): Rates | undefined {
  const last = samples.at(-1);
  if (last === undefined) return undefined;
  const first = samples.find(({ at }) => last.at - at <= RATE_WINDOW_MS);
  if (first === undefined || first === last) return undefined;
  const seconds = (last.at - first.at) / 1000;
  return {
    rows: (last.rows - first.rows) / seconds,
    bytes: (last.bytes - first.bytes) / seconds,
    messages: (last.messages - first.messages) / seconds,
  };
}

function rowRatesOf(samples: readonly Sample[]): number[] {
  const rates: number[] = [];
  for (let index = 1; index < samples.length; index += 1) {
    const [before, after] = [samples[index - 1], samples[index]];
    if (before !== undefined && after !== undefined) {
      rates.push(((after.rows - before.rows) * 1000) / (after.at - before.at));
    }
  }
  return rates;
}

/** A collection follows, but its protection has nothing to do: then it has neither. */
export const collectionStateOf = ({ state }: Collection, protection: ShownState): ShownState => {
  if (protection === 'paused') return 'paused';
  return state === 'following' && protection === 'idle' ? 'idle' : state;
};

export interface CopyProgress {
  readonly copied: number;
  /** `undefined`: not everything has been counted. */
  readonly total: number | undefined;
}

/** How far the copies under way are; `undefined`: there is none. */
export function copyProgress(collections: readonly Collection[]): CopyProgress | undefined {
  const copies = collections.flatMap(({ state, copy }) => (state === 'copying' && copy !== undefined ? [copy] : []));
  if (copies.length === 0) return undefined;
  let total: number | undefined = 0;
  for (const { rowsCopied, rowsTotal, sourceDoubles } of copies) {
    // What shares its key with another row is not copied twice.
    if (rowsTotal === undefined) total = undefined;
    else if (total !== undefined) total += Math.max(rowsCopied, rowsTotal - sourceDoubles);
  }
  return { copied: copies.reduce((sum, { rowsCopied }) => sum + rowsCopied, 0), total };
}

/** From 0 to 99: all is said when it is over. `undefined`: not known, and never made up. */
export function percentOf({ copied, total }: CopyProgress): number | undefined {
  if (total === undefined || total === 0) return undefined;
  return Math.min(99, Math.floor((copied / total) * 100));
}

/** A copy waits for what is not loaded on the source, and may be allowed to load it. */
export function canAllowLoading({ desired, origin, start, status }: TaskView): boolean {
  if (status === undefined || desired === 'paused' || origin === 'file') return false;
  if (start?.kind !== 'copy' || start.mayLoad) return false;
  return [status, ...status.collections].some(({ trouble }) => trouble?.error.code === 'notReadable');
}

/** Something in it stopped and goes on only when a person resumes it. */
export function needsPerson({ desired, status }: TaskView): boolean {
  if (status === undefined || desired === 'paused') return false;
  return [status, ...status.collections].some(({ state }) => state === 'held' || state === 'failed');
}
