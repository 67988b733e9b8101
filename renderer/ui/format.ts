/** Numbers as a person reads them. Pure; the words of units come from the caller's catalogue. */

export type TimeUnit = 'seconds' | 'minutes' | 'hours' | 'days';
export type ByteUnit = 'bytes' | 'kilobytes' | 'megabytes' | 'gigabytes';

export interface Quantity<U> {
  readonly value: number;
  readonly unit: U;
  /** Decimals to show. */
  readonly digits: 0 | 1;
}

const SECOND_MS = 1000;
const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** One decimal below ten seconds, then whole units. Below zero counts as zero: clocks of two machines differ. */
export function timeQuantity(ms: number): Quantity<TimeUnit> {
  const seconds = Math.max(0, ms) / SECOND_MS;
  // 9.95 would be shown as "10.0".
  if (seconds < 9.95) return { value: seconds, unit: 'seconds', digits: 1 };
  const whole = Math.round(seconds);
  if (whole < MINUTE_S) return { value: whole, unit: 'seconds', digits: 0 };
  if (whole < HOUR_S) return { value: Math.floor(whole / MINUTE_S), unit: 'minutes', digits: 0 };
  if (whole < 2 * DAY_S) return { value: Math.floor(whole / HOUR_S), unit: 'hours', digits: 0 };
  return { value: Math.floor(whole / DAY_S), unit: 'days', digits: 0 };
}

export interface TimePart {
  readonly value: number;
  readonly unit: TimeUnit;
}

/** What is left of something, in the two largest units that count: 3 h 12 min, 2 d 4 h, 12 min, 40 s. */
export function timeParts(ms: number): readonly TimePart[] {
  const seconds = Math.max(0, Math.floor(ms / SECOND_MS));
  if (seconds < MINUTE_S) return [{ value: seconds, unit: 'seconds' }];
  if (seconds < HOUR_S) return [{ value: Math.floor(seconds / MINUTE_S), unit: 'minutes' }];
  const [large, small]: readonly [TimePart, TimePart] =
    seconds < 2 * DAY_S
      ? [
          { value: Math.floor(seconds / HOUR_S), unit: 'hours' },
          { value: Math.floor((seconds % HOUR_S) / MINUTE_S), unit: 'minutes' },
        ]
      : [
          { value: Math.floor(seconds / DAY_S), unit: 'days' },
          { value: Math.floor((seconds % DAY_S) / HOUR_S), unit: 'hours' },
        ];
  return small.value === 0 ? [large] : [large, small];
}

const BYTE_UNITS: readonly ByteUnit[] = ['bytes', 'kilobytes', 'megabytes', 'gigabytes'];

export function byteQuantity(bytes: number): Quantity<ByteUnit> {
  let value = Math.max(0, bytes);
  let step = 0;
  while (value >= 1000 && step < BYTE_UNITS.length - 1) {
    value /= 1000;
    step += 1;
  }
  return { value, unit: BYTE_UNITS[step] ?? 'bytes', digits: step > 0 && value < 10 ? 1 : 0 };
}

/** Relative under an hour, absolute above. */
export const isShownRelative = (ageMs: number): boolean => ageMs < HOUR_S * SECOND_MS;

/** "Europe/Berlin", or the offset where the system does not name its zone. */
export function timeZoneName(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions() as { timeZone?: string };
  if (timeZone !== undefined && timeZone !== '') return timeZone;
  const minutes = -new Date().getTimezoneOffset();
  const hours = Math.trunc(Math.abs(minutes) / 60);
  const rest = String(Math.abs(minutes) % 60).padStart(2, '0');
  return `UTC${minutes < 0 ? '−' : '+'}${String(hours)}:${rest}`;
}
