import { mount } from '@vue/test-utils';
import { expect, it } from 'vitest';
import { defineComponent, h } from 'vue';
import { createTexts, type Language } from '../../../renderer/app/i18n/index.ts';
import { useFormat } from '../../../renderer/ui/use-format.ts';

function formatIn(language: Language): ReturnType<typeof useFormat> {
  let format: ReturnType<typeof useFormat> | undefined;
  const Probe = defineComponent({
    setup() {
      format = useFormat();
      return () => h('div');
    },
  });
  mount(Probe, { global: { plugins: [createTexts(language)] } });
  return format!;
}

it('shows a lag with one decimal below ten seconds, then in whole units', () => {
  const { duration } = formatIn('en');
  expect([400, 9_949, 9_950, 12_300, 59_600, 190_000, 7_300_000, 200_000_000].map((ms) => duration(ms))).toEqual([
    '0.4 s',
    '9.9 s',
    '10 s',
    '12 s',
    '1 min',
    '3 min',
    '2 h',
    '2 d',
  ]);
});

it('never shows a negative lag: the clocks of two machines differ', () => {
  expect(formatIn('en').duration(-300)).toBe('0.0 s');
});

it('shows how long something took more finely than a lag', () => {
  const { took } = formatIn('en');
  expect([31, 1240, 71_400, 120_000].map(took)).toEqual(['31 ms', '1.2 s', '1 min 11 s', '2 min']);
});

it('separates thousands and names the unit of a rate', () => {
  expect(formatIn('en').rate(48_200)).toBe('48,200 rows/s');
  expect(formatIn('en').rate(0.25)).toBe('0.3 rows/s');
  expect(formatIn('zh-Hans').rate(48_200)).toBe('48,200 行/秒');
  expect(formatIn('zh-Hant').duration(190_000)).toBe('3 分鐘');
});

it('shows bytes in the largest unit that leaves a whole part', () => {
  const { bytes } = formatIn('en');
  expect([0, 999, 1500, 41_000_000, 3_200_000_000_000].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.5 kB',
    '41 MB',
    '3,200 GB',
  ]);
});

it('shows a moment relatively under an hour and absolutely above, with the other form beside it', () => {
  const { age, moment } = formatIn('en');
  const now = Date.UTC(2026, 10, 1, 12);
  expect(age(now - 240_000, now)).toEqual({ text: '4 min ago', other: moment(now - 240_000) });
  expect(age(now - 7_200_000, now)).toEqual({ text: moment(now - 7_200_000), other: '2 h ago' });
});
