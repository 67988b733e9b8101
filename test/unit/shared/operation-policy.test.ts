import { expect, test } from 'vitest';
import {
  actionsOf,
  operationSettingsSchema,
  storedOperationSettingsSchema,
} from '../../../shared/model/operation-policy.ts';

const policies = { dropCollection: 'apply', unknown: 'apply' } as const;

test('what nobody knows can be skipped or asked about, and not applied', () => {
  expect(actionsOf('dropCollection')).toEqual(['apply', 'skip', 'ask']);
  expect(actionsOf('unknown')).toEqual(['skip', 'ask']);
  expect(operationSettingsSchema.parse({ policies: { unknown: 'skip' } })).toEqual({ policies: { unknown: 'skip' } });
  const { error } = operationSettingsSchema.safeParse({ policies });
  expect(error?.issues).toMatchObject([
    { path: ['policies', 'unknown'], message: expect.stringMatching(/cannot be applied/) },
  ]);
});

test('settings that were stored with it mean to ask', () => {
  const settings = { replicateRights: true, overrides: { shardNumber: 2 } };
  expect(storedOperationSettingsSchema.parse({ ...settings, policies })).toEqual({
    ...settings,
    policies: { dropCollection: 'apply', unknown: 'ask' },
  });
  for (const others of [settings, { policies: { unknown: 'skip' } }])
    expect(storedOperationSettingsSchema.parse(others)).toEqual(others);
  expect(() => storedOperationSettingsSchema.parse({ policies: { nonsense: 'ask' } })).toThrow();
});
