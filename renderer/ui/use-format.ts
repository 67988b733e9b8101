/** The formats of `format.ts` in the window's language. */
import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import { byteQuantity, isShownRelative, timeParts, timeQuantity } from './format.ts';

/** A number that is not known. The reason belongs beside it, never a zero. */
export const UNKNOWN = '–';

export function useFormat() {
  const { t, locale } = useI18n();
  const whole = computed(() => new Intl.NumberFormat(locale.value, { maximumFractionDigits: 0 }));
  const oneDecimal = computed(
    () => new Intl.NumberFormat(locale.value, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
  );
  const share = computed(() => new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: 0 }));
  const dateTime = computed(() => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'medium' }));

  const number = (value: number, digits: 0 | 1): string => (digits === 1 ? oneDecimal : whole).value.format(value);

  const count = (value: number): string => whole.value.format(value);

  const percent = (value: number): string => share.value.format(value / 100);

  /** @param digitsMax Decimals below ten seconds. */
  function duration(ms: number, digitsMax: 0 | 1 = 1): string {
    const { value, unit, digits } = timeQuantity(ms);
    return t(`units.${unit}`, { n: number(value, digitsMax === 0 ? 0 : digits) });
  }

  /** Since when, or until: ages count in whole units, or they would flicker. */
  const span = (ms: number): string => duration(Math.round(ms / 1000) * 1000, 0);

  /** How long something took that is over: finer than a lag at both ends. */
  function took(ms: number): string {
    if (ms < 1000) return t('units.milliseconds', { n: number(ms, 0) });
    const seconds = Math.round(ms / 1000);
    if (seconds < 60 || seconds >= 3600) return duration(ms);
    const parts = [t('units.minutes', { n: number(Math.floor(seconds / 60), 0) })];
    if (seconds % 60 !== 0) parts.push(t('units.seconds', { n: number(seconds % 60, 0) }));
    return parts.join(' ');
  }

  /** How long something still lasts: "3 h 12 min". */
  const left = (ms: number): string =>
    timeParts(ms)
      .map(({ value, unit }) => t(`units.${unit}`, { n: number(value, 0) }))
      .join(' ');

  function bytes(value: number): string {
    const quantity = byteQuantity(value);
    return t(`units.${quantity.unit}`, { n: number(quantity.value, quantity.digits) });
  }

  /** Below ten a decimal, so that a trickle is not shown as nothing. */
  const rate = (perSecond: number): string =>
    t('units.rowsPerSecond', { n: number(perSecond, perSecond > 0 && perSecond < 9.95 ? 1 : 0) });

  /** Unix ms, with the zone that the window shows. */
  const moment = (at: number): string => dateTime.value.format(at);

  const ago = (at: number, now: number): string => t('time.ago', { duration: span(now - at) });

  /** Relative under an hour, absolute above; `other` is the other form, for the hover. */
  function age(at: number, now: number): { text: string; other: string } {
    const relative = ago(at, now);
    const absolute = moment(at);
    return isShownRelative(now - at) ? { text: relative, other: absolute } : { text: absolute, other: relative };
  }

  return { count, percent, duration, span, took, left, bytes, rate, moment, ago, age };
}
