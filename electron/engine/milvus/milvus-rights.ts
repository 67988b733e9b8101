/**
 * A cluster's roles and grants through its public API (SelectRole, SelectGrant, ListCredUsers; the same from 2.3 to 2.5).
 * SelectGrant shows the grants of one database and those for all of them, so it is asked of each (seen with 2.3.5).
 *
 * Privilege groups came with ListPrivilegeGroups, which older servers do not offer. A grant of one is made by OperatePrivilegeV2:
 * OperatePrivilege refuses it (internal/rootcoord/root_coord.go, `isValidPrivilege`, 2.5).
 */
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { MilvusRpc } from './milvus-rpc.ts';
import {
  grantText,
  type ClusterRights,
  type Grant,
  type PrivilegeGroup,
  type RightsChange,
  type RightsKeeper,
} from './rights.ts';

/** Milliseconds when all is well. */
const READ_DEADLINE_MS = 15_000;
const CHANGE_DEADLINE_MS = 30_000;

/** `milvus.OperateUserRoleType` and `milvus.OperatePrivilegeType`. */
const ADD = 0;
const REMOVE = 1;

/** Nobody can make or change them (common.proto, `ObjectPrivilege`: `PrivilegeGroup...`; 2.5). */
const BUILT_IN_GROUPS: readonly string[] = ['Cluster', 'Database', 'Collection'].flatMap((level) =>
  ['ReadOnly', 'ReadWrite', 'Admin'].map((kind) => `${level}${kind}`),
);

/** Connects with the first call. @throws invalidConfig */
export function openMilvusRights(endpoint: MilvusEndpoint, side: 'source' | 'target'): RightsKeeper {
  const rpc = new MilvusRpc(endpoint, side);
  const reading = (signal: AbortSignal) => ({ deadlineMs: READ_DEADLINE_MS, signal });
  const readGroups = async (signal: AbortSignal): Promise<PrivilegeGroup[] | undefined> => {
    try {
      const { privilegeGroups } = await rpc.call('ListPrivilegeGroups', {}, reading(signal));
      const groups = privilegeGroups.map(({ groupName, privileges }) => ({
        name: groupName,
        privileges: privileges.map(({ name }) => name),
      }));
      return groups.filter(({ name }) => !BUILT_IN_GROUPS.includes(name));
    } catch (error) {
      if (error instanceof ReplicationError && error.code === 'unsupported') return undefined;
      throw error;
    }
  };
  return {
    async read(signal): Promise<ClusterRights> {
      // Before the grants: what a grant names is known by then, unless it is made in between, and read with the next reading.
      const groups = await readGroups(signal);
      const groupNames = new Set([...BUILT_IN_GROUPS, ...(groups ?? []).map(({ name }) => name)]);
      const [{ usernames }, { dbNames }, { results }] = await Promise.all([
        rpc.call('ListCredUsers', {}, reading(signal)),
        rpc.call('ListDatabases', {}, reading(signal)),
        rpc.call('SelectRole', { includeUserInfo: true }, reading(signal)),
      ]);
      const grantsOf = async (name: string): Promise<Grant[]> => {
        const grants = new Map<string, Grant>();
        for (const dbName of dbNames) {
          const { entities } = await rpc.call('SelectGrant', { entity: { role: { name }, dbName } }, reading(signal));
          for (const { object, objectName, dbName: database, grantor } of entities) {
            const privilege = grantor?.privilege?.name ?? '';
            const isGroup = groupNames.has(privilege) ? { isGroup: true } : {};
            const grant = { object: object?.name ?? '', objectName, database, privilege, ...isGroup };
            grants.set(grantText(grant), grant);
          }
        }
        return [...grants.values()];
      };
      const roles = results.map(async ({ role, users }) => {
        const name = role?.name ?? '';
        return { name, members: users.map((user) => user.name), grants: await grantsOf(name) };
      });
      return { users: usernames, databases: dbNames, roles: await Promise.all(roles), groups };
    },
    async change(change: RightsChange, signal): Promise<void> {
      const context = 'role' in change ? { role: change.role } : { privilegeGroup: change.group };
      const options = { deadlineMs: CHANGE_DEADLINE_MS, signal, context };
      const type = 'isAdded' in change && !change.isAdded ? REMOVE : ADD;
      switch (change.operation) {
        case 'createRole':
          await rpc.call('CreateRole', { entity: { name: change.role } }, options);
          return;
        case 'dropRole':
          await rpc.call('DropRole', { roleName: change.role }, options);
          return;
        case 'operateUserRole':
          await rpc.call('OperateUserRole', { username: change.user, roleName: change.role, type }, options);
          return;
        case 'operatePrivilege': {
          const { object, objectName, database, privilege } = change.grant;
          const entity = {
            role: { name: change.role },
            object: { name: object },
            objectName,
            dbName: database,
            grantor: { privilege: { name: privilege } },
          };
          await rpc.call('OperatePrivilege', { entity, type }, options);
          return;
        }
        case 'operatePrivilegeV2': {
          const { objectName, database, privilege } = change.grant;
          const grantor = { privilege: { name: privilege } };
          const request = { role: { name: change.role }, grantor, dbName: database, collectionName: objectName, type };
          await rpc.call('OperatePrivilegeV2', request, options);
          return;
        }
        case 'createPrivilegeGroup':
          await rpc.call('CreatePrivilegeGroup', { groupName: change.group }, options);
          return;
        case 'dropPrivilegeGroup':
          await rpc.call('DropPrivilegeGroup', { groupName: change.group }, options);
          return;
        case 'operatePrivilegeGroup': {
          const privileges = change.privileges.map((name) => ({ name }));
          await rpc.call('OperatePrivilegeGroup', { groupName: change.group, privileges, type }, options);
        }
      }
    },
    close(): Promise<void> {
      rpc.close();
      return Promise.resolve();
    },
  };
}
