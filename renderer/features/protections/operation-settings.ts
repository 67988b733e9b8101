/** Policies, rights and overrides of a protection, as they are chosen and typed in. Pure. */
import type { TaskView } from '../../../shared/contract/procedures.ts';
import {
  CONSISTENCY_LEVELS,
  defaultActionOf,
  POLICY_OPERATIONS,
  type OperationAction,
  type PolicyOperation,
} from '../../../shared/model/operation-policy.ts';

export type OperationSettings = NonNullable<TaskView['operations']>;
type Policies = NonNullable<OperationSettings['policies']>;
type Overrides = NonNullable<OperationSettings['overrides']>;

export interface SettingsForm {
  /** Every operation's, defaults included. */
  policies: Record<PolicyOperation, OperationAction>;
  replicateRights: boolean;
  /** As typed; empty: as on the source. */
  replicaNumber: string;
  shardNumber: string;
  /** Separated by commas. */
  resourceGroups: string;
  consistencyLevel: string;
}

export const NUMBER_FIELDS = ['replicaNumber', 'shardNumber'] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];

/** As the contract has them. */
const LIMITS: Readonly<Record<NumberField, number>> = { replicaNumber: 1_024, shardNumber: 64 };

export function toSettingsForm({
  policies = {},
  replicateRights = false,
  overrides = {},
}: OperationSettings = {}): SettingsForm {
  const { replicaNumber, shardNumber, resourceGroups = [], consistencyLevel = '' } = overrides;
  return {
    policies: Object.fromEntries(
      POLICY_OPERATIONS.map((operation) => [operation, policies[operation] ?? defaultActionOf(operation)]),
    ) as SettingsForm['policies'],
    replicateRights,
    replicaNumber: replicaNumber === undefined ? '' : String(replicaNumber),
    shardNumber: shardNumber === undefined ? '' : String(shardNumber),
    resourceGroups: resourceGroups.join(', '),
    consistencyLevel,
  };
}

export function isNumberWrong(field: NumberField, text: string): boolean {
  const value = text.trim();
  return value !== '' && !(/^\d{1,4}$/.test(value) && Number(value) >= 1 && Number(value) <= LIMITS[field]);
}

/** Only what differs from the defaults. `undefined`: a field is wrong. */
export function toOperationSettings(form: SettingsForm): OperationSettings | undefined {
  if (NUMBER_FIELDS.some((field) => isNumberWrong(field, form[field]))) return undefined;
  const policies: Policies = Object.fromEntries(
    POLICY_OPERATIONS.filter((operation) => form.policies[operation] !== defaultActionOf(operation)).map(
      (operation) => [operation, form.policies[operation]],
    ),
  );
  const groups = form.resourceGroups
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const level = CONSISTENCY_LEVELS.find((name) => name === form.consistencyLevel);
  const overrides: Overrides = {
    ...(form.replicaNumber.trim() === '' ? {} : { replicaNumber: Number(form.replicaNumber) }),
    ...(form.shardNumber.trim() === '' ? {} : { shardNumber: Number(form.shardNumber) }),
    ...(groups.length === 0 ? {} : { resourceGroups: groups }),
    ...(level === undefined ? {} : { consistencyLevel: level }),
  };
  return {
    ...(Object.keys(policies).length === 0 ? {} : { policies }),
    ...(form.replicateRights ? { replicateRights: true } : {}),
    ...(Object.keys(overrides).length === 0 ? {} : { overrides }),
  };
}

export const isDefault = (settings: OperationSettings): boolean => Object.keys(settings).length === 0;

export const sameSettings = (a: OperationSettings | undefined, b: OperationSettings | undefined): boolean =>
  JSON.stringify(toSettingsForm(a)) === JSON.stringify(toSettingsForm(b));
