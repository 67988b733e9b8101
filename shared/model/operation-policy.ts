/**
 * What becomes of each kind of operation, and how copies may differ from their source: the operator's wish, stored with the
 * task, and editable while it runs. What is absent has its default.
 */
import { z } from 'zod';
import type { Immutable } from '../immutable.ts';

/** `apply`: as the source did. `skip`: not, and recorded. `ask`: it waits until a person decides, with what must come behind it. */
export const operationActionSchema = z.enum(['apply', 'skip', 'ask']);
export type OperationAction = z.output<typeof operationActionSchema>;

/** What rows need is made without asking: which collections are replicated is the selection's to say. */
const ALWAYS_APPLIED: ReadonlySet<string> = new Set(['createCollection', 'createPartition']);

/** By what an operation is about. */
export const OPERATION_GROUPS = {
  databases: ['createDatabase', 'alterDatabase', 'dropDatabase'],
  collections: [
    'alterCollection',
    'alterCollectionField',
    'addField',
    'renameCollection',
    'truncateCollection',
    'dropCollection',
    'createAlias',
    'alterAlias',
    'dropAlias',
  ],
  partitions: ['dropPartition'],
  indexes: ['createIndex', 'alterIndex', 'dropIndex'],
  loading: ['loadCollection', 'releaseCollection', 'loadPartitions', 'releasePartitions'],
  data: ['flush', 'import'],
  rights: [
    'createCredential',
    'updateCredential',
    'deleteCredential',
    'createRole',
    'dropRole',
    'operateUserRole',
    'operatePrivilege',
    'operatePrivilegeV2',
    'createPrivilegeGroup',
    'dropPrivilegeGroup',
    'operatePrivilegeGroup',
  ],
  unknown: ['unknown'],
} as const;

export type OperationGroup = keyof typeof OPERATION_GROUPS;
export type PolicyOperation = (typeof OPERATION_GROUPS)[OperationGroup][number];

export const POLICY_OPERATIONS = Object.values(OPERATION_GROUPS).flat() as readonly PolicyOperation[];

const KNOWN: ReadonlySet<string> = new Set(POLICY_OPERATIONS);

/** The name under which an operation's policy stands: one that nobody knows is `unknown`. `undefined`: it has none. */
export function policyNameOf(operation: string): PolicyOperation | undefined {
  if (ALWAYS_APPLIED.has(operation)) return undefined;
  return KNOWN.has(operation) ? (operation as PolicyOperation) : 'unknown';
}

/** A truncation removes every row, and is done here as a new copy: somebody should have seen it. So it is of the unknown. */
export function defaultActionOf(operation: PolicyOperation): OperationAction {
  return operation === 'unknown' || operation === 'truncateCollection' ? 'ask' : 'apply';
}

/** What nobody knows nobody can apply. */
export const actionsOf = (operation: PolicyOperation): readonly OperationAction[] =>
  operationActionSchema.options.filter((action) => operation !== 'unknown' || action !== 'apply');

/** Only those that differ from the default need to be named. */
const operationPoliciesSchema = z
  .partialRecord(z.enum(POLICY_OPERATIONS as [PolicyOperation, ...PolicyOperation[]]), operationActionSchema)
  .superRefine(({ unknown }, context) => {
    if (unknown === undefined || actionsOf('unknown').includes(unknown)) return;
    const message =
      'An operation that this version does not know cannot be applied: choose to skip it, or to be asked.';
    context.addIssue({ code: 'custom', path: ['unknown'], message });
  });

/** `schema.ConsistencyLevel`, by Milvus' own names. */
export const CONSISTENCY_LEVELS = ['Strong', 'Session', 'Bounded', 'Eventually'] as const;

/** In place of what the source has; what is absent is as there. */
const targetOverridesSchema = z.strictObject({
  /** Of every load: in-memory copies of a collection. */
  replicaNumber: z.int().min(1, 'At least one replica.').max(1_024).optional(),
  /** Of every load: resource groups of the target, which must exist there. */
  resourceGroups: z
    .array(z.string().trim().min(1, 'A resource group has a name.').max(255))
    .min(1, 'Name a resource group, or leave it out.')
    .max(64)
    .optional(),
  /** Of collections that are made from now on. */
  shardNumber: z.int().min(1, 'At least one shard.').max(64, 'Milvus allows 64 shards at most.').optional(),
  /** Of collections that are made from now on. */
  consistencyLevel: z.enum(CONSISTENCY_LEVELS).optional(),
});
export type TargetOverrides = Immutable<z.output<typeof targetOverridesSchema>>;

export const operationSettingsSchema = z.strictObject({
  policies: operationPoliciesSchema.optional(),
  /** Users, roles and grants are replicated. Absent: they are not. */
  replicateRights: z.boolean().optional(),
  overrides: targetOverridesSchema.optional(),
});
export type OperationSettings = Immutable<z.output<typeof operationSettingsSchema>>;

/** As settings were stored: to apply what nobody knows could be chosen once, and has always meant to ask. */
export const storedOperationSettingsSchema = z.preprocess((stored) => {
  const { policies, ...rest } = stored as { readonly policies?: Readonly<Record<string, unknown>> };
  if (policies?.['unknown'] !== 'apply') return stored;
  return { ...rest, policies: { ...policies, unknown: 'ask' } };
}, operationSettingsSchema);
