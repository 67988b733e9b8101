/** A cluster's roles and grants through its public API (SelectRole, SelectGrant, ListCredUsers; the same from 2.3 to 2.5). */
import type { MilvusEndpoint } from '../../../shared/model/connection.ts';
import { MilvusRpc } from './milvus-rpc.ts';
import type { ClusterRights, RightsChange, RightsKeeper } from './rights.ts';

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
      const [{ usernames }, { results }] = await Promise.all([
        rpc.call('ListCredUsers', {}, reading(signal)),
        rpc.call('SelectRole', { includeUserInfo: true }, reading(signal)),
      ]);
      const roles = results.map(async ({ role, users }) => {
        const name = role?.name ?? '';
        const { entities } = await rpc.call('SelectGrant', { entity: { role: { name } } }, reading(signal));
        return {
          name,
          members: users.map((user) => user.name),
          grants: entities.map(({ object, objectName, dbName, grantor }) => ({
            object: object?.name ?? '',
            objectName,
            database: dbName,
            privilege: grantor?.privilege?.name ?? '',
          })),
        };
      });
      return { users: usernames, roles: await Promise.all(roles) };
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
