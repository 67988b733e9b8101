/** Requests of load operations, with the target's own replica number and resource groups in place of the source's. */
import { orFailure } from './wire.ts';
import { withoutFields } from './wire-rewrite.ts';
import { concatBytes, numberField, stringField } from './wire-write.ts';

export interface LoadOverrides {
  readonly replicaNumber?: number | undefined;
  readonly resourceGroups?: readonly string[] | undefined;
}

/** `replica_number` and `resource_groups` of milvus.LoadCollectionRequest and milvus.LoadPartitionsRequest (2.3 to 2.6). */
const FIELDS = {
  loadCollection: { replicaNumber: 4, resourceGroups: 5 },
  loadPartitions: { replicaNumber: 5, resourceGroups: 6 },
} as const;

/** All else byte by byte: load fields and what this version does not know included. Bytes that are no request stay as they are. */
export function withLoadOverrides(
  call: keyof typeof FIELDS,
  request: Uint8Array,
  { replicaNumber, resourceGroups }: LoadOverrides,
): Uint8Array {
  const fields = FIELDS[call];
  const replaced: number[] = [];
  const own: Uint8Array[] = [];
  if (replicaNumber !== undefined) {
    replaced.push(fields.replicaNumber);
    own.push(numberField(fields.replicaNumber, replicaNumber));
  }
  if (resourceGroups !== undefined) {
    replaced.push(fields.resourceGroups);
    own.push(...resourceGroups.map((name) => stringField(fields.resourceGroups, name)));
  }
  if (own.length === 0) return request;
  const rewritten = orFailure(() => concatBytes([withoutFields(request, replaced), ...own]));
  return rewritten instanceof Uint8Array ? rewritten : request;
}
