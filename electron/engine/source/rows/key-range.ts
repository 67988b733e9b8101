/** Ranges and lists of keys in Milvus' expression language. */
import { varcharLiteral } from '../../milvus/literals.ts';
import type { PrimaryKeys } from '../../codec/records.ts';
import type { RowKey } from './row-source.ts';

const INT64_MIN = -(2n ** 63n);
/** Milvus counts rows of this key and never returns them (2.3.5). */
export const INT64_MAX = 2n ** 63n - 1n;

/** `undefined`: open on that side. */
export interface KeyRange {
  /** Not part of the range. */
  readonly after: RowKey | undefined;
  /** Part of the range. */
  readonly upTo: RowKey | undefined;
}

/** Empty for a range that is open on both sides. */
export function rangeExpression(keyField: string, { after, upTo }: KeyRange): string {
  const parts: string[] = [];
  // Milvus cannot read -2^63 in an expression (2.3.5).
  if (after === INT64_MIN) parts.push(`${keyField} >= ${INT64_MIN + 1n}`);
  else if (after !== undefined) parts.push(`${keyField} > ${literal(after)}`);
  if (upTo === INT64_MIN) parts.push(`${keyField} < ${INT64_MIN + 1n}`);
  else if (upTo !== undefined) parts.push(`${keyField} <= ${literal(upTo)}`);
  return parts.join(' && ');
}

/** Of one question for some keys: parsed in 10 ms (2.3.5 parses some 100,000 keys a second), and answered in one go. */
const KEYS_PER_EXPRESSION_MAX = 1_000;

/** Expressions that together name every key but -2^63, which Milvus cannot read, and 2^63-1, which it does not return. */
export function* keyExpressions(keyField: string, keys: PrimaryKeys): Generator<string> {
  const literals: string[] = [];
  for (const key of keys.values) if (key !== INT64_MIN && key !== INT64_MAX) literals.push(literal(key));
  for (let from = 0; from < literals.length; from += KEYS_PER_EXPRESSION_MAX) {
    yield `${keyField} in [${literals.slice(from, from + KEYS_PER_EXPRESSION_MAX).join(',')}]`;
  }
}

const literal = (key: RowKey): string => (typeof key === 'string' ? varcharLiteral(key) : key.toString());
