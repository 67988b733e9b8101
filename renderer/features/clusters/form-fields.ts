/**
 * The fields of the cluster form by name: `name`, or a part and what is in it, such as `log.addresses` or `milvus.tls.ca`.
 * The form says what is wrong with each; the fields within ask for their own.
 */
import { inject, provide, type InjectionKey } from 'vue';
import { PARTS, type Part } from './cluster-form.ts';

type ProblemOf = (field: string) => string | undefined;

const key: InjectionKey<ProblemOf> = Symbol('problems of a form');

export const provideFieldProblems = (problemOf: ProblemOf): void => provide(key, problemOf);

/** Outside a form no field has a problem. */
export const useFieldProblems = (): ProblemOf => inject(key, () => undefined);

/**
 * The field that a path of the contract is typed into: `wal.servers[1]` is one of `log.addresses`. `undefined`: the form
 * has no such field, or the path means the input as a whole.
 */
export function fieldOfPath(path: string): string | undefined {
  const [first, ...rest] = path
    .replace(/\[\d+\]/g, '')
    .split('.')
    .filter((name) => name !== '' && !/^\d+$/.test(name));
  if (first === 'name') return 'name';
  const part = first === 'wal' ? 'log' : PARTS.find((one) => one === first);
  if (part === undefined) return undefined;
  const inner = part === 'log' ? rest.filter((name) => name !== 'sasl') : rest;
  if (inner.length === 0) return part === 'milvus' ? 'milvus.address' : `${part}.${ADDRESSES[part]}`;
  const field = inner.join('.');
  return `${part}.${part === 'log' && (field === 'servers' || field === 'brokers') ? 'addresses' : field}`;
}

const ADDRESSES = { etcd: 'endpoints', log: 'addresses' } as const;

/** The tab that a field stands in; `undefined`: above all tabs. */
export const partOf = (field: string): Part | undefined => PARTS.find((part) => field.startsWith(`${part}.`));
