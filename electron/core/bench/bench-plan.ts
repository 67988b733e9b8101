/** How much the bench does: its options, and what stands where they say nothing. */
import { ReplicationError } from '../../../shared/model/replication-error.ts';

export const PHASES = ['copy', 'catch-up', 'follow', 'lag', 'collections', 'memory'] as const;
export type PhaseName = (typeof PHASES)[number];

export interface BenchPlanOptions {
  readonly quick?: boolean;
  readonly rows?: number;
  readonly rounds?: number;
  readonly seconds?: number;
  readonly slopeMinutes?: number;
  readonly collections?: number;
  readonly phases?: string;
}

export interface BenchPlan {
  /** Too little of everything for figures that mean something. */
  readonly isQuick: boolean;
  readonly phases: ReadonlySet<PhaseName>;
  /** Of each round of copy and catch-up. */
  readonly rows: number;
  readonly rounds: number;
  readonly batchRows: number;
  /** Of following under full load, and of single rows. */
  readonly seconds: number;
  readonly slopeMinutes: number;
  readonly collectionCounts: readonly number[];
}

const DEFAULTS = { rows: 200_000, rounds: 3, seconds: 20, slopeMinutes: 1 };
const QUICK = { rows: 6_000, rounds: 1, seconds: 2, slopeMinutes: 0.05 };
const BATCH_ROWS = 2_000;
const COLLECTION_COUNTS = [1, 10, 100];
const COLLECTION_COUNTS_QUICK = [1, 3];

/** @throws invalidConfig */
export function planBench(options: BenchPlanOptions): BenchPlan {
  const isQuick = options.quick === true;
  const preset = isQuick ? QUICK : DEFAULTS;
  const counts = isQuick ? COLLECTION_COUNTS_QUICK : COLLECTION_COUNTS;
  const most = options.collections;
  return {
    isQuick,
    phases: phasesOf(options.phases),
    rows: options.rows ?? preset.rows,
    rounds: options.rounds ?? preset.rounds,
    batchRows: BATCH_ROWS,
    seconds: options.seconds ?? preset.seconds,
    slopeMinutes: options.slopeMinutes ?? preset.slopeMinutes,
    collectionCounts: most === undefined ? counts : [...counts.filter((count) => count < most), most],
  };
}

function phasesOf(text: string | undefined): ReadonlySet<PhaseName> {
  if (text === undefined) return new Set(PHASES);
  const names = text.split(',').map((name) => name.trim());
  const chosen = PHASES.filter((phase) => names.includes(phase));
  const unknown = names.find((name) => !PHASES.some((phase) => phase === name));
  if (unknown === undefined) return new Set(chosen);
  throw new ReplicationError(
    'invalidConfig',
    'config',
    `There is no phase named "${unknown}". Choose from ${PHASES.join(', ')}.`,
  );
}
