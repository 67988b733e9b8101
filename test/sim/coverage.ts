/** Which fault has met which state of a collection, counted over many lives. */
import type { StoredCollection, StoredTask } from '../../shared/model/task-state.ts';

export const ENGINE_STATES = ['initializing', 'copying', 'replaying', 'following', 'dropping'] as const;
export type EngineState = (typeof ENGINE_STATES)[number];

export const FAULT_KINDS = [
  'write refused',
  'write lost',
  'write late',
  'write halved',
  'write twice',
  'write held',
  'definition refused',
  'definition lost',
  'definition twice',
  'definition held',
  'page refused',
  'page lost',
  'page late',
  'log failed',
  'log held',
  'catalogue failed',
  'killed',
  'stopped',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const PAGES = 'rows are read while copying only';
const WRITES: Partial<Record<EngineState, string>> = {
  initializing: 'rows are written only when the collection is there',
  dropping: 'a drop begins when every write before it is confirmed',
};
const PAGE_STATES: Partial<Record<EngineState, string>> = {
  initializing: PAGES,
  replaying: PAGES,
  following: PAGES,
  dropping: PAGES,
};

/** Pairs that cannot occur, and why. */
const IMPOSSIBLE: Readonly<Partial<Record<FaultKind, Partial<Record<EngineState, string>>>>> = {
  'write refused': WRITES,
  'write lost': WRITES,
  'write late': WRITES,
  'write halved': WRITES,
  'write twice': WRITES,
  'write held': WRITES,
  'page refused': PAGE_STATES,
  'page lost': PAGE_STATES,
  'page late': PAGE_STATES,
};

export class Coverage {
  readonly #counts = new Map<string, number>();

  add(fault: FaultKind, states: Iterable<EngineState>): void {
    for (const state of new Set(states)) {
      const pair = `${fault} × ${state}`;
      this.#counts.set(pair, (this.#counts.get(pair) ?? 0) + 1);
    }
  }

  count(fault: FaultKind, state: EngineState): number {
    return this.#counts.get(`${fault} × ${state}`) ?? 0;
  }

  /** Pairs that can occur and never did. */
  missing(): string[] {
    return FAULT_KINDS.flatMap((fault) =>
      ENGINE_STATES.filter((state) => this.count(fault, state) === 0 && IMPOSSIBLE[fault]?.[state] === undefined).map(
        (state) => `${fault} × ${state}`,
      ),
    );
  }

  /** Pairs that were called impossible and did occur. */
  surprising(): string[] {
    return FAULT_KINDS.flatMap((fault) =>
      ENGINE_STATES.filter((state) => this.count(fault, state) > 0 && IMPOSSIBLE[fault]?.[state] !== undefined).map(
        (state) => `${fault} × ${state}`,
      ),
    );
  }

  table(): string {
    const cell = (fault: FaultKind, state: EngineState): string =>
      (IMPOSSIBLE[fault]?.[state] === undefined ? String(this.count(fault, state)) : '—').padStart(14);
    const reasons = new Map<string, string[]>();
    for (const fault of FAULT_KINDS) {
      for (const [state, reason] of Object.entries(IMPOSSIBLE[fault] ?? {})) {
        const pairs = reasons.get(reason) ?? [];
        pairs.push(`${fault} × ${state}`);
        reasons.set(reason, pairs);
      }
    }
    return [
      `${'fault met while'.padEnd(20)}${ENGINE_STATES.map((state) => state.padStart(14)).join('')}`,
      ...FAULT_KINDS.map((fault) => `${fault.padEnd(20)}${ENGINE_STATES.map((state) => cell(fault, state)).join('')}`),
      '— cannot occur:',
      ...[...reasons].map(([reason, pairs]) => `  ${reason}: ${pairs.join(', ')}`),
    ].join('\n');
  }
}

/** The states of those of a task's collections that `matches` says yes to. */
export function statesOf(
  stored: StoredTask | undefined,
  matches: (collection: StoredCollection) => boolean = () => true,
): EngineState[] {
  return (stored?.collections ?? []).filter(matches).flatMap((collection) => stateOf(collection) ?? []);
}

function stateOf({ phase, copy }: StoredCollection): EngineState | undefined {
  if (phase === 'dropped') return undefined;
  if (phase === 'dropping') return 'dropping';
  if (copy === 'copied') return 'replaying';
  if (phase === 'created') return copy === 'copying' ? 'copying' : 'following';
  return 'initializing';
}
