/** Roles, what they may do, and who has them: as a cluster's public API tells and takes it. */

export interface Grant {
  /** `Collection`, `Global` or `User`. */
  readonly object: string;
  readonly objectName: string;
  /** Empty: `default`, or a server without databases in grants. */
  readonly database: string;
  /** As the API names it, such as `Search`. */
  readonly privilege: string;
}

export interface RoleRights {
  readonly name: string;
  readonly members: readonly string[];
  readonly grants: readonly Grant[];
}

export interface ClusterRights {
  readonly users: readonly string[];
  readonly roles: readonly RoleRights[];
}

export type RightsChange =
  | { readonly operation: 'createRole' | 'dropRole'; readonly role: string }
  | { readonly operation: 'operateUserRole'; readonly role: string; readonly user: string; readonly isAdded: boolean }
  | { readonly operation: 'operatePrivilege'; readonly role: string; readonly grant: Grant; readonly isAdded: boolean };

export interface RightsReader {
  read(signal: AbortSignal): Promise<ClusterRights>;
  close(): Promise<void>;
}

export interface RightsKeeper extends RightsReader {
  change(change: RightsChange, signal: AbortSignal): Promise<void>;
}
