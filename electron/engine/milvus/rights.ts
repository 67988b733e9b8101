/** Roles, what they may do, and who has them: as a cluster's public API tells and takes it. */
import { DEFAULT_DATABASE } from '../../../shared/model/collection-name.ts';
import type { CompiledMapping } from '../../../shared/model/name-mapping.ts';

type NameMap = Pick<CompiledMapping, 'database' | 'address'>;

/** What grants call "all of them". */
const EVERY = '*';

export interface Grant {
  /** `Collection`, `Global` or `User`. */
  readonly object: string;
  readonly objectName: string;
  /** `*`: all. Empty: `default`, or a server without databases in grants. */
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
  readonly databases: readonly string[];
  readonly roles: readonly RoleRights[];
}

export type RightsChange =
  | { readonly operation: 'createRole'; readonly role: string }
  | { readonly operation: 'dropRole'; readonly role: string }
  | { readonly operation: 'operateUserRole'; readonly role: string; readonly user: string; readonly isAdded: boolean }
  | { readonly operation: 'operatePrivilege'; readonly role: string; readonly grant: Grant; readonly isAdded: boolean };

export interface RightsReader {
  read(signal: AbortSignal): Promise<ClusterRights>;
  close(): Promise<void>;
}

export interface RightsKeeper extends RightsReader {
  change(change: RightsChange, signal: AbortSignal): Promise<void>;
}

/** Equal grants have equal texts. */
export const grantText = ({ object, objectName, database, privilege }: Grant): string =>
  [object, database === 'default' ? '' : database, objectName, privilege].join(' ');

/** The source's grants under the names that databases and collections have on the target. */
export function mapGrants(rights: ClusterRights, map: NameMap): ClusterRights {
  const mapped = (grant: Grant): Grant => {
    if (grant.database === EVERY) return grant;
    const database = grant.database === '' ? DEFAULT_DATABASE : grant.database;
    const isOne = grant.object === 'Collection' && grant.objectName !== EVERY;
    if (!isOne) return { ...grant, database: map.database(database) };
    const address = map.address({ database, collection: grant.objectName });
    return { ...grant, database: address.database, objectName: address.collection };
  };
  return { ...rights, roles: rights.roles.map((role) => ({ ...role, grants: role.grants.map(mapped) })) };
}
