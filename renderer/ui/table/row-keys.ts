/** What a key asks of a table whose row, or frame, has the focus. Pure. */
export type KeyMeaning =
  { readonly kind: 'move'; readonly to: number } | { readonly kind: 'open' | 'mark' | 'markAll' | 'leave' };

export interface KeyPressed {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** @param index of the row that one is on. @param pageRows how many are in sight. `undefined`: the key means nothing here. */
export function meaningOf(
  event: KeyPressed,
  index: number,
  rowCount: number,
  pageRows: number,
): KeyMeaning | undefined {
  const { key, ctrlKey, metaKey, altKey } = event;
  const isCommand = ctrlKey || metaKey;
  if (altKey) return undefined;
  if (isCommand) return key === 'a' ? { kind: 'markAll' } : undefined;
  const move = (to: number): KeyMeaning => ({ kind: 'move', to: Math.min(rowCount - 1, Math.max(0, to)) });
  switch (key) {
    case 'ArrowDown':
    case 'Down':
      return move(index + 1);
    case 'ArrowUp':
    case 'Up':
      return move(index - 1);
    case 'PageDown':
      return move(index + pageRows);
    case 'PageUp':
      return move(index - pageRows);
    case 'Home':
      return move(0);
    case 'End':
      return move(rowCount - 1);
    case 'Enter':
      return { kind: 'open' };
    case ' ':
      return { kind: 'mark' };
    case 'Escape':
      return { kind: 'leave' };
    default:
      return undefined;
  }
}
