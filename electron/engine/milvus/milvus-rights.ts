/**
 * A cluster's roles and grants through its public API (SelectRole, SelectGrant, ListCredUsers; the same from 2.3 to 2.5).
 * SelectGrant shows the grants of one database and those for all of them, so it is asked of each (seen with 2.3.5).
 */
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { MilvusRpc } from './milvus-rpc.ts';
import { grantText, type ClusterRights, type Grant, type RightsChange, type RightsKeeper } from './rights.ts';

/** Milliseconds when all is well. */
const READ_DEADLINE_MS = 15_000;
const CHANGE_DEADLINE_MS = 30_000;

/** `milvus.OperateUserRoleType` and `milvus.OperatePrivilegeType`. */
const ADD = 0;
const REMOVE = 1;

/** Connects with the first call. @throws invalidConfig */
export function openMilvusRights(endpoint: MilvusEndpoint, side: 'source' | 'target'): RightsKeeper {
  const rpc = new MilvusRpc(endpoint, side);
  const reading = (signal: AbortSignal) => ({ deadlineMs: READ_DEADLINE_MS, signal });
  return {
    async read(signal): Promise<ClusterRights> {
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
            const grant = { object: object?.name ?? '', objectName, database, privilege };
            grants.set(grantText(grant), grant);
          }
        }
        return [...grants.values()];
      };
      const roles = results.map(async ({ role, users }) => {
        const name = role?.name ?? '';
        return { name, members: users.map((user) => user.name), grants: await grantsOf(name) };
      });
      return { users: usernames, databases: dbNames, roles: await Promise.all(roles) };
    },
    async change(change: RightsChange, signal): Promise<void> {
      const options = { deadlineMs: CHANGE_DEADLINE_MS, signal, context: { role: change.role } };
      switch (change.operation) {
        case 'createRole':
          await rpc.call('CreateRole', { entity: { name: change.role } }, options);
          return;
        case 'dropRole':
          await rpc.call('DropRole', { roleName: change.role }, options);
          return;
        case 'operateUserRole': {
          const type = change.isAdded ? ADD : REMOVE;
          await rpc.call('OperateUserRole', { username: change.user, roleName: change.role, type }, options);
          return;
        }
        case 'operatePrivilege': {
          const { object, objectName, database, privilege } = change.grant;
          const entity = {
            role: { name: change.role },
            object: { name: object },
            objectName,
            dbName: database,
            grantor: { privilege: { name: privilege } },
          };
          await rpc.call('OperatePrivilege', { entity, type: change.isAdded ? ADD : REMOVE }, options);
        }
      }
    },
    close(): Promise<void> {
      rpc.close();
      return Promise.resolve();
    },
  };
}
