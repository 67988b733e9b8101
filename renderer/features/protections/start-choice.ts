/** Where a new protection begins, as it is chosen in the wizard. Pure. */
import type { ProcedureInput } from '../../../shared/contract/procedures.ts';

export type StartPoint = NonNullable<ProcedureInput<'tasks.create'>['start']>;
export const STARTS = ['copy', 'creation', 'oldest', 'now', 'time'] as const;
export type StartKind = (typeof STARTS)[number];

export interface StartForm {
  kind: StartKind;
  /** Of `copy`. */
  mayLoad: boolean;
  /** Of `time`: local, as the browser's field has it, such as "2026-11-20T08:00"; empty: not chosen yet. */
  time: string;
}

/** A copy is what most want; where rows cannot be read, the whole log is the nearest to it. */
export const defaultStart = (canCopy: boolean): StartForm => ({
  kind: canCopy ? 'copy' : 'creation',
  mayLoad: false,
  time: '',
});

/** `undefined`: something is missing still, or lies ahead. @param now Unix ms. */
export function toStartPoint(
  { kind, mayLoad, time }: StartForm,
  canCopy: boolean,
  now: number,
): StartPoint | undefined {
  if (kind === 'copy') return canCopy ? { kind, mayLoad } : undefined;
  if (kind !== 'time') return { kind };
  const unixMs = new Date(time).getTime();
  return Number.isNaN(unixMs) || unixMs < 0 || unixMs > now ? undefined : { kind, unixMs };
}

export const isTimeAhead = ({ kind, time }: StartForm, now: number): boolean =>
  kind === 'time' && new Date(time).getTime() > now;
