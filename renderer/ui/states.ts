/**
 * One word, one shape, one tone for each state, everywhere. Shape and word carry the meaning; the tone repeats it. The
 * words stand in the catalogues under `states`.
 */
import type { TaskState } from '../../shared/model/task-status.ts';

/** `idle` is `following` with nothing to do: derived, never stored. */
export type ShownState = TaskState | 'idle';

export type Shape =
  'disc' | 'most' | 'dotted' | 'target' | 'triangle' | 'hand' | 'cross' | 'bars' | 'check' | 'ring' | 'half';
export type Tone = 'green' | 'green-muted' | 'blue' | 'amber' | 'red' | 'grey';

export interface Look {
  readonly shape: Shape;
  readonly tone: Tone;
}

export const STATE_LOOKS: Readonly<Record<ShownState, Look>> = {
  following: { shape: 'disc', tone: 'green' },
  idle: { shape: 'target', tone: 'green-muted' },
  initializing: { shape: 'dotted', tone: 'blue' },
  copying: { shape: 'half', tone: 'blue' },
  replaying: { shape: 'most', tone: 'blue' },
  paused: { shape: 'bars', tone: 'grey' },
  blocked: { shape: 'triangle', tone: 'amber' },
  held: { shape: 'hand', tone: 'amber' },
  failed: { shape: 'cross', tone: 'red' },
};

/** Worst first: what a person must look at before anything else. */
export const STATES_BY_WEIGHT: readonly ShownState[] = [
  'failed',
  'held',
  'blocked',
  'initializing',
  'copying',
  'replaying',
  'paused',
  'following',
  'idle',
];

/** 0 is the worst. */
export const weightOf = (state: ShownState): number => STATES_BY_WEIGHT.indexOf(state);

/** Something that a person should know of at once. */
export const isTrouble = (state: ShownState): boolean => state === 'failed' || state === 'held' || state === 'blocked';

export function worstOf(states: readonly ShownState[]): ShownState | undefined {
  return STATES_BY_WEIGHT.find((state) => states.includes(state));
}

/** Steps of a test, a start or a drill. */
export type StepState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped';

export const STEP_LOOKS: Readonly<Record<StepState, Look>> = {
  waiting: { shape: 'ring', tone: 'grey' },
  running: { shape: 'half', tone: 'blue' },
  done: { shape: 'check', tone: 'green' },
  failed: { shape: 'cross', tone: 'red' },
  skipped: { shape: 'ring', tone: 'grey' },
};
