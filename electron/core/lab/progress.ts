/** What a person sees while the lab is made ready: one event per step and whenever a fraction moves. */

export type LabStep = 'clean' | 'download' | 'unpack' | 'start' | 'stop';

export interface LabProgress {
  readonly step: LabStep;
  /** A short sentence for a person, without a full stop. */
  readonly message: string;
  /** From 0 to 1; absent where nothing honest can be said. */
  readonly fraction?: number;
}

export type OnLabProgress = (progress: LabProgress) => void;
