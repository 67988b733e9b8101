/**
 * How long a log still keeps what one channel is to be resumed from: from what the broker says of its limits and, where it
 * says nothing, from how fast the log's beginning has been moving. Pure; told one measurement after the other.
 *
 * Two figures. The margin is what would be left if nothing more were confirmed; the level is of it. The forecast is when the
 * margin ends as it has been changing lately: none while it does not shrink, as with a task that keeps its distance.
 */
import type { ChannelHeadroom } from '../../../shared/model/task-status.ts';
import type { ChannelBounds, ChannelRetention } from '../source/wal/wal.ts';

/** Changes of the margin are judged over so long: minutes even out the steps in which Kafka removes whole segments. */
const WINDOW_MS = 10 * 60_000;
/** A margin that shrinks by less, per time or in all, does not shrink: checkpoints come in steps. */
const SHRINKING_SHARE_MIN = 0.02;
const SHRINKING_MS_MIN = 1_000;
/** Of all that the log keeps. A day of three, and a quarter of one. */
const LOW_SHARE = 1 / 3;
const CRITICAL_SHARE = 1 / 12;
/** Nobody who is called later than that can do anything about it; but a log that keeps minutes is not always in danger. */
const CRITICAL_FORECAST_MS = 30 * 60_000;
const CRITICAL_FORECAST_SHARE_MAX = 1 / 2;

/** Of a log's first message, whatever broker keeps it. One that has lost nothing yet may lose nothing ever. */
const FIRST_ORDINAL_MAX = 1n;

export interface HeadroomMeasurement {
  /** Unix ms, by the source's clock as far as it is known. */
  readonly at: number;
  readonly bounds: ChannelBounds;
  readonly retention: ChannelRetention | undefined;
  /** The first message that is needed. */
  readonly needed: bigint;
  /** Source time (Unix ms) of what is needed; `undefined`: not known. */
  readonly neededMs: number | undefined;
}

type Forecast = Pick<ChannelHeadroom, 'leftMs' | 'keptUntilMs' | 'level'>;

/** One of the ways to lose messages. `share`: how much of what is kept lies between the log's beginning and what is needed. */
interface Margin {
  /** At the rate of the window; `null`: it does not shrink. */
  readonly leftMs: number | null;
  /** Should nothing more be confirmed; `null`: never, or not known. */
  readonly standingMs: number | null;
  readonly share: number;
}

export class HeadroomMeter {
  #measurements: HeadroomMeasurement[] = [];

  measure(now: HeadroomMeasurement): Forecast {
    const last = this.#measurements.at(-1);
    if (last !== undefined && (last.at > now.at || last.bounds.incarnation !== now.bounds.incarnation)) {
      this.#measurements = [];
    }
    this.#measurements.push(now);
    while ((this.#measurements[1]?.at ?? now.at) <= now.at - WINDOW_MS) this.#measurements.shift();
    const { bounds, needed } = now;
    if (needed < bounds.earliest) return { leftMs: 0, keptUntilMs: now.at, level: 'critical' };
    // What is needed has not been written yet.
    if (needed > bounds.latest) return { leftMs: null, level: 'ok' };
    const first = this.#measurements[0] ?? now;
    const margins = [byAge(first, now), bySize(first, now)].filter((margin) => margin !== undefined);
    if (margins.length === 0 || isSizeUnknown(now)) margins.push(bySpeed(first, now));
    const leftMs = least(margins.map((margin) => margin.leftMs));
    const standingMs = least(margins.map((margin) => margin.standingMs));
    return {
      leftMs,
      ...(standingMs === null ? {} : { keptUntilMs: now.at + standingMs }),
      level: levelOf(leftMs, Math.min(...margins.map(({ share }) => share))),
    };
  }
}

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.round(Math.min(...known));
}

function levelOf(leftMs: number | null, share: number): ChannelHeadroom['level'] {
  const isUrgent = leftMs !== null && leftMs < CRITICAL_FORECAST_MS && share < CRITICAL_FORECAST_SHARE_MAX;
  if (isUrgent || share < CRITICAL_SHARE) return 'critical';
  return share < LOW_SHARE ? 'low' : 'ok';
}

/** A message goes when it is as old as the limit says. */
function byAge(first: HeadroomMeasurement, now: HeadroomMeasurement): Margin | undefined {
  const limitMs = now.retention?.ageMsMax;
  if (limitMs === undefined || now.neededMs === undefined) return undefined;
  const marginMs = Math.max(0, now.neededMs + limitMs - now.at);
  const share = limitMs === 0 ? 0 : marginMs / limitMs;
  if (first.neededMs === undefined) return { leftMs: null, standingMs: marginMs, share };
  const passedMs = now.at - first.at;
  const shrunkMs = passedMs - (now.neededMs - first.neededMs);
  const isShrinking = shrunkMs > SHRINKING_MS_MIN && shrunkMs > SHRINKING_SHARE_MIN * passedMs;
  return { leftMs: isShrinking ? (marginMs * passedMs) / shrunkMs : null, standingMs: marginMs, share };
}

/** The oldest messages go when there are too many, or when they take up too much. */
function bySize(first: HeadroomMeasurement, now: HeadroomMeasurement): Margin | undefined {
  const kept = now.bounds.latest - now.bounds.earliest + 1n;
  const { bytesMax, messagesMax, bytesUsed } = now.retention ?? {};
  const capacities: number[] = [];
  if (messagesMax !== undefined) capacities.push(messagesMax);
  if (bytesMax !== undefined && bytesUsed !== undefined && bytesUsed > 0) {
    capacities.push((bytesMax / bytesUsed) * Number(kept));
  }
  if (capacities.length === 0) return undefined;
  const capacity = Math.min(...capacities);
  const behind = Number(now.bounds.latest - now.needed + 1n);
  const margin = Math.max(0, capacity - behind);
  const passedMs = now.at - first.at;
  const written = Number(now.bounds.latest - first.bounds.latest);
  return {
    leftMs: timeUntil(margin, written - Number(now.needed - first.needed), passedMs),
    standingMs: timeUntil(margin, written, passedMs),
    share: capacity === 0 ? 0 : margin / capacity,
  };
}

/** The log's beginning comes nearer than what is needed moves away. */
function bySpeed(first: HeadroomMeasurement, now: HeadroomMeasurement): Margin {
  const kept = Number(now.bounds.latest - now.bounds.earliest + 1n);
  const margin = Number(now.needed - now.bounds.earliest);
  const passedMs = now.at - first.at;
  const removed = Number(now.bounds.earliest - first.bounds.earliest);
  const share = now.bounds.earliest <= FIRST_ORDINAL_MAX ? 1 : margin / kept;
  return {
    leftMs: timeUntil(margin, removed - Number(now.needed - first.needed), passedMs),
    standingMs: timeUntil(margin, removed, passedMs),
    share,
  };
}

function timeUntil(margin: number, shrunk: number, passedMs: number): number | null {
  return shrunk > 0 && passedMs > 0 ? (margin * passedMs) / shrunk : null;
}

const isSizeUnknown = ({ retention }: HeadroomMeasurement): boolean =>
  retention?.bytesMax !== undefined && retention.bytesUsed === undefined;
