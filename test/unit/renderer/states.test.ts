import { mount } from '@vue/test-utils';
import { describe, expect, it } from 'vitest';
import { createTexts, LANGUAGES } from '../../../renderer/app/i18n/index.ts';
import StateTag from '../../../renderer/ui/StateTag.vue';
import { STATE_LOOKS, STATES_BY_WEIGHT, worstOf, type ShownState } from '../../../renderer/ui/states.ts';
import { taskStateSchema } from '../../../shared/model/task-status.ts';

const ALL: ShownState[] = [...taskStateSchema.options, 'idle'];

it('gives every state of the contract a look of its own and a weight', () => {
  expect(Object.keys(STATE_LOOKS).sort()).toEqual([...ALL].sort());
  expect([...STATES_BY_WEIGHT].sort()).toEqual([...ALL].sort());
  expect(new Set(Object.values(STATE_LOOKS).map(({ shape }) => shape)).size).toBe(ALL.length);
});

describe.each(LANGUAGES)('in %s', (language) => {
  it.each(ALL)('shows %s as a shape and a word of its own', (state) => {
    const tag = mount(StateTag, { props: { state }, global: { plugins: [createTexts(language)] } });
    expect(tag.find('svg').element.children.length).toBe(1);
    expect(tag.text()).not.toBe('');
    expect(tag.text()).not.toContain('states.');
    expect(tag.attributes('title')).not.toContain('states.');
  });

  it('has a different word for each', () => {
    const { t } = createTexts(language).global;
    expect(new Set(ALL.map((state) => t(`states.${state}.word`))).size).toBe(ALL.length);
  });
});

it('names the state that needs a person first', () => {
  expect(worstOf(['following', 'blocked', 'held', 'paused'])).toBe('held');
  expect(worstOf(['idle', 'following'])).toBe('following');
  expect(worstOf([])).toBeUndefined();
});
