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
  /** The privilege is a group: of users, or built in. Its object says nothing, its name is a collection's. */
  readonly isGroup?: boolean;
}

export interface RoleRights {
  readonly name: string;
  readonly members: readonly string[];
  readonly grants: readonly Grant[];
}

/** Made by users; what is built in is there on every server that knows it. */
export interface PrivilegeGroup {
  readonly name: string;
  /** Privileges, and other groups. */
  readonly privileges: readonly string[];
}

export interface ClusterRights {
  readonly users: readonly string[];
  readonly databases: readonly string[];
  readonly roles: readonly RoleRights[];
  /** `undefined`: the server knows none. */
  readonly groups?: readonly PrivilegeGroup[] | undefined;
}

export type RightsChange =
  | { readonly operation: 'createRole' | 'dropRole'; readonly role: string }
  | { readonly operation: 'operateUserRole'; readonly role: string; readonly user: string; readonly isAdded: boolean }
  | {
      /** V2: of a group. */
      readonly operation: 'operatePrivilege' | 'operatePrivilegeV2';
      readonly role: string;
      readonly grant: Grant;
      readonly isAdded: boolean;
    }
  | { readonly operation: 'createPrivilegeGroup' | 'dropPrivilegeGroup'; readonly group: string }
  | {
      readonly operation: 'operatePrivilegeGroup';
      readonly group: string;
      readonly privileges: readonly string[];
      readonly isAdded: boolean;
    };

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
    const isOfCollection = grant.object === 'Collection' || grant.isGroup === true;
    const isOne = isOfCollection && grant.objectName !== EVERY && grant.objectName !== '';
    if (!isOne) return { ...grant, database: map.database(database) };
    const address = map.address({ database, collection: grant.objectName });
    return { ...grant, database: address.database, objectName: address.collection };
  };
  return { ...rights, roles: rights.roles.map((role) => ({ ...role, grants: role.grants.map(mapped) })) };
}
