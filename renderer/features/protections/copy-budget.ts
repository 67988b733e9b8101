/** The load that copies may put on the source, as it is typed in. Pure. */
import type { TaskView } from '../../../shared/contract/procedures.ts';

export type CopyBudget = NonNullable<TaskView['copyBudget']>;
export const BUDGET_FIELDS = ['rows', 'megabytes', 'collections'] as const;
export type BudgetField = (typeof BUDGET_FIELDS)[number];
/** Each as it was typed; empty: no limit. */
export type BudgetForm = Record<BudgetField, string>;

const BYTES_PER_MEGABYTE = 1_000_000;
/** As the contract has it. */
const COLLECTIONS_MAX = 8;

export const toBudgetForm = ({ rowsPerSecond, bytesPerSecond, collectionsAtOnce }: CopyBudget = {}): BudgetForm => ({
  rows: rowsPerSecond === undefined ? '' : String(rowsPerSecond),
  megabytes: bytesPerSecond === undefined ? '' : String(bytesPerSecond / BYTES_PER_MEGABYTE),
  collections: collectionsAtOnce === undefined ? '' : String(collectionsAtOnce),
});

const DECIMAL = /^\d+(\.\d+)?$/;
const WHOLE = /^\d+$/;

export function isFieldWrong(field: BudgetField, text: string): boolean {
  const value = text.trim();
  if (value === '') return false;
  if (field === 'megabytes') return !DECIMAL.test(value) || Math.round(Number(value) * BYTES_PER_MEGABYTE) < 1;
  const isWhole = WHOLE.test(value) && Number.isSafeInteger(Number(value)) && Number(value) > 0;
  return !isWhole || (field === 'collections' && Number(value) > COLLECTIONS_MAX);
}

/** `undefined`: a field is wrong. */
export function toCopyBudget(form: BudgetForm): CopyBudget | undefined {
  if (BUDGET_FIELDS.some((field) => isFieldWrong(field, form[field]))) return undefined;
  const [rows, megabytes, collections] = BUDGET_FIELDS.map((field) => form[field].trim());
  return {
    ...(rows ? { rowsPerSecond: Number(rows) } : {}),
    ...(megabytes ? { bytesPerSecond: Math.round(Number(megabytes) * BYTES_PER_MEGABYTE) } : {}),
    ...(collections ? { collectionsAtOnce: Number(collections) } : {}),
  };
}

export const sameBudget = (a: CopyBudget = {}, b: CopyBudget = {}): boolean =>
  a.rowsPerSecond === b.rowsPerSecond &&
  a.bytesPerSecond === b.bytesPerSecond &&
  a.collectionsAtOnce === b.collectionsAtOnce;
