/**
 * Deletes by key, in Milvus' expression language. `key in [..]` over nothing but constants is the one form that a server
 * carries out without reading, and so without the collection being loaded (internal/proxy/task_delete.go, 2.3;
 * seen with 2.3.5). Anything else would be answered by a query first.
 */
import { varcharLiteral } from '../milvus/literals.ts';
import type { PrimaryKeys } from '../codec/records.ts';

/** The server parses some 100,000 keys a second (2.3.5, two cores); a piece should not keep it busy for longer than 0.1 s. */
const KEYS_PER_EXPRESSION_MAX = 10_000;
/** A delete is one message in the server's log, whose limit is 1 to 16 MiB depending on the broker. */
const EXPRESSION_LENGTH_MAX = 512 * 1024;

const INT64_MIN = -(2n ** 63n);
/** The grammar reads a minus sign and a positive number, and the smallest number has no positive counterpart. */
const INT64_MIN_LITERAL = '-9223372036854775807 - 1';

const int64Literal = (key: bigint): string => (key === INT64_MIN ? INT64_MIN_LITERAL : key.toString());

export interface DeleteExpression {
  readonly expression: string;
  readonly keyCount: number;
}

/** Expressions that together name every key once for each time it stands in the list, in the list's order. */
export function* deleteExpressions(keyField: string, keys: PrimaryKeys): Generator<DeleteExpression> {
  const count = keys.values.length;
  const literalAt =
    keys.type === 'int64'
      ? (index: number) => int64Literal(keys.values[index] ?? 0n)
      : (index: number) => varcharLiteral(keys.values[index] ?? '');
  let literals: string[] = [];
  let length = 0;
  const expression = (): DeleteExpression => ({
    expression: `${keyField} in [${literals.join(',')}]`,
    keyCount: literals.length,
  });
  for (let index = 0; index < count; index += 1) {
    const literal = literalAt(index);
    const isFull = literals.length === KEYS_PER_EXPRESSION_MAX || length + literal.length > EXPRESSION_LENGTH_MAX;
    if (isFull && literals.length > 0) {
      yield expression();
      literals = [];
      length = 0;
    }
    literals.push(literal);
    length += literal.length + 1;
  }
  if (literals.length > 0) yield expression();
}
