/**
 * One text for all spellings of the same JSON value: keys in one order, no white space, and every number exactly
 * as it was written. Numbers are not interpreted, since 64-bit integers would not survive it; `1.0` and `1` therefore
 * differ, which is right for a copy that is meant to be exact.
 */

/** The part of `JSON.parse` that the compiler's library does not know yet: the reviver sees the text of a number. */
type ReviverWithSource = (key: string, value: unknown, context: { readonly source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: ReviverWithSource) => unknown;

class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Throws a `SyntaxError` when the text is not JSON. */
export function canonicalJson(text: string): string {
  return write(
    parseWithSource(text, (_key, value, context) =>
      typeof value === 'number' ? new NumberText(context.source ?? String(value)) : value,
    ),
  );
}

function write(value: unknown): string {
  if (value instanceof NumberText) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
