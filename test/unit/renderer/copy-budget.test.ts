import { expect, it } from 'vitest';
import { sameBudget, toBudgetForm, toCopyBudget } from '../../../renderer/features/protections/copy-budget.ts';

it('has no limit where nothing is typed', () => {
  expect(toCopyBudget(toBudgetForm())).toEqual({});
  expect(toCopyBudget({ rows: ' ', megabytes: '', collections: '' })).toEqual({});
});

it('keeps what was set through the form and back', () => {
  const budget = { rowsPerSecond: 5000, bytesPerSecond: 1_500_000, collectionsAtOnce: 3 };
  expect(toBudgetForm(budget)).toEqual({ rows: '5000', megabytes: '1.5', collections: '3' });
  expect(toCopyBudget(toBudgetForm(budget))).toEqual(budget);
  expect(sameBudget(budget, { ...budget })).toBe(true);
  expect(sameBudget(budget, {})).toBe(false);
});

it.each([
  ['rows', '0'],
  ['rows', '1.5'],
  ['rows', 'many'],
  ['rows', '99999999999999999999'],
  ['megabytes', '0'],
  ['megabytes', '-1'],
  ['megabytes', '1,5'],
  ['collections', '9'],
  ['collections', '0'],
] as const)('refuses %s of "%s"', (field, text) => {
  expect(toCopyBudget({ ...toBudgetForm(), [field]: text })).toBeUndefined();
});
