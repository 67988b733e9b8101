/** Where a new protection begins, as it is chosen in the wizard. Pure. */
import type { ProcedureInput } from '../../../shared/contract/procedures.ts';
import { readPositions } from './positions.ts';

export type StartPoint = NonNullable<ProcedureInput<'tasks.create'>['start']>;
export const STARTS = ['copy', 'creation', 'oldest', 'now', 'time', 'positions'] as const;
export type StartKind = (typeof STARTS)[number];

export interface StartForm {
  kind: StartKind;
  /** Of `copy`. */
  mayLoad: boolean;
  /** Of `time`: local, as the browser's field has it, such as "2026-11-20T08:00"; empty: not chosen yet. */
  time: string;
  /** Of `positions`: JSON, as it was pasted. */
  positions: string;
}

/** A copy is what most want; where rows cannot be read, the whole log is the nearest to it. */
export const defaultStart = (canCopy: boolean): StartForm => ({
  kind: canCopy ? 'copy' : 'creation',
  mayLoad: false,
  time: '',
  positions: '',
});

/** `undefined`: something is missing still, is wrong, or lies ahead. @param now Unix ms. */
export function toStartPoint(
  { kind, mayLoad, time, positions }: StartForm,
  canCopy: boolean,
  now: number,
): StartPoint | undefined {
  switch (kind) {
    case 'copy':
      return canCopy ? { kind, mayLoad } : undefined;
    case 'time': {
      const unixMs = new Date(time).getTime();
      return Number.isNaN(unixMs) || unixMs < 0 || unixMs > now ? undefined : { kind, unixMs };
    }
    case 'positions': {
      const read = readPositions(positions);
      return read.kind === 'positions' ? { kind, positions: read.positions } : undefined;
    }
    default:
      return { kind };
  }
}

export const isTimeAhead = ({ kind, time }: StartForm, now: number): boolean =>
  kind === 'time' && new Date(time).getTime() > now;
