/**
 * Positions as they are pasted. Pure. Understood are an object of channels and positions, and what milvus-cdc answers to
 * `position`: a list of entries with `channel_name` and `msg_id`, alone or within its answer.
 */
export type PositionsProblem = 'notJson' | 'noObject' | 'empty' | 'notBase64';

export type ReadPositions =
  | { readonly kind: 'positions'; readonly positions: Record<string, string> }
  /** Nothing was pasted yet. */
  | { readonly kind: 'nothing' }
  /** `channel`: whose position is wrong. */
  | { readonly kind: 'problem'; readonly problem: PositionsProblem; readonly channel?: string };

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function readPositions(text: string): ReadPositions {
  if (text.trim() === '') return { kind: 'nothing' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'problem', problem: 'notJson' };
  }
  const entries = entriesOf(value);
  if (entries === undefined) return { kind: 'problem', problem: 'noObject' };
  if (entries.length === 0) return { kind: 'problem', problem: 'empty' };
  const wrong = entries.find(
    ([, position]) => typeof position !== 'string' || position === '' || !BASE64.test(position),
  );
  if (wrong !== undefined) return { kind: 'problem', problem: 'notBase64', channel: wrong[0] };
  return { kind: 'positions', positions: Object.fromEntries(entries) as Record<string, string> };
}

function entriesOf(value: unknown): readonly (readonly [channel: string, position: unknown])[] | undefined {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    const entries = list.map((one) => (isObject(one) ? ([one['channel_name'], one['msg_id']] as const) : undefined));
    return entries.every((entry) => entry !== undefined && typeof entry[0] === 'string')
      ? (entries as readonly (readonly [string, unknown])[])
      : undefined;
  }
  if (!isObject(value)) return undefined;
  // An answer of milvus-cdc, with or without what it is wrapped in.
  for (const name of ['data', 'positions']) {
    const inner = value[name];
    if (isObject(inner) || Array.isArray(inner)) return entriesOf(inner);
  }
  return Object.entries(value);
}
