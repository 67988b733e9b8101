/** All protections in one finding. Pure. */
import { weightOf } from '../../ui/states.ts';
import type { ShownProtection } from '../protections/protection-view.ts';

export type Summary =
  /** All follow. `rpoMs`: the worst; `undefined`: some are not measured yet. */
  | {
      readonly kind: 'safe';
      readonly total: number;
      readonly rpoMs: number | undefined;
      readonly worst: ShownProtection;
    }
  | {
      readonly kind: 'attention';
      readonly total: number;
      /** Those that follow, or would if the source did anything. */
      readonly followingCount: number;
      readonly worst: ShownProtection;
    };

const isFollowing = ({ state }: ShownProtection): boolean => state === 'following' || state === 'idle';

/** `undefined`: there is none. */
export function summaryOf(protections: readonly ShownProtection[]): Summary | undefined {
  const [first] = protections;
  if (first === undefined) return undefined;
  const worst = protections.reduce((a, b) => (weightOf(b.state) < weightOf(a.state) ? b : a), first);
  const total = protections.length;
  const followingCount = protections.filter(isFollowing).length;
  if (followingCount < total) return { kind: 'attention', total, followingCount, worst };
  let rpoMs: number | undefined = 0;
  for (const protection of protections) {
    rpoMs = rpoMs === undefined || protection.rpoMs === undefined ? undefined : Math.max(rpoMs, protection.rpoMs);
  }
  return { kind: 'safe', total, rpoMs, worst };
}
