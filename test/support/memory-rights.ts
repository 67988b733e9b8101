/**
 * Users, roles, privilege groups and grants of a cluster in memory, as far as tests compare them; what it refuses, and with which
 * words and code, as Milvus does (internal/rootcoord/root_coord.go and meta_table.go, 2.3 to 2.5).
 */
import { ReplicationError } from '../../shared/model/replication-error.ts';
import {
  grantText,
  type ClusterRights,
  type Grant,
  type RightsChange,
  type RightsKeeper,
} from '../../electron/engine/milvus/rights.ts';
import type { RightsOperation } from '../../electron/engine/target/target.ts';

type Body = Readonly<Record<string, unknown>>;

const text = (body: Body, field: string): string => {
  const value = body[field];
  return typeof value === 'string' ? value : '';
};
const part = (body: Body, field: string): Body => (body[field] ?? {}) as Body;
const nameIn = (body: Body, field: string): string => text(part(body, field), 'name');

/** As all of these come from a server: with no code of their own, so that what the call has done is left open. */
const refused = (what: string): ReplicationError =>
  new ReplicationError('unknown', 'target', `The target at memory failed in the call: ${what}.`);

/** `type` of every request that adds or takes away. */
const REMOVE = 1;
const OF_COLLECTIONS: ReadonlySet<string> = new Set(['Search', 'Query', 'Insert', 'Delete', 'Load']);
const BUILT_IN_GROUPS: ReadonlySet<string> = new Set(['CollectionReadOnly', 'DatabaseAdmin', 'ClusterReadOnly']);

export class MemoryRights {
  /** Passwords by user. */
  readonly users = new Map<string, string>([['root', 'Milvus']]);
  /** Grants of each, by their texts. */
  readonly roles = new Map<string, Map<string, Grant>>([
    ['admin', new Map()],
    ['public', new Map()],
  ]);
  readonly members = new Set<string>();
  /** Made by users: the privileges of each. */
  readonly groups = new Map<string, Set<string>>();

  /** @throws what Milvus would answer; nothing has changed then. */
  apply(operation: RightsOperation, body: Body): void {
    const isRemoved = body['type'] === REMOVE;
    switch (operation) {
      case 'createCredential':
        if (this.users.has(text(body, 'username'))) throw refused('user already exists');
        this.users.set(text(body, 'username'), text(body, 'password'));
        return;
      case 'updateCredential':
        if (this.users.get(text(body, 'username')) !== text(body, 'oldPassword')) throw refused('wrong old password');
        this.users.set(text(body, 'username'), text(body, 'newPassword'));
        return;
      case 'deleteCredential':
        this.users.delete(text(body, 'username'));
        for (const member of this.members) if (userOf(member) === text(body, 'username')) this.members.delete(member);
        return;
      case 'createRole': {
        const role = nameIn(body, 'entity');
        if (this.roles.has(role)) throw refused(`role [name:"${role}"] already exists`);
        this.roles.set(role, new Map());
        return;
      }
      case 'dropRole': {
        const role = text(body, 'roleName');
        if (this.#grantsOf(role).size > 0) {
          throw refused('fail to drop the role that it has privileges. Use REVOKE API to revoke privileges');
        }
        this.roles.delete(role);
        for (const member of this.members) if (roleOf(member) === role) this.members.delete(member);
        return;
      }
      case 'operateUserRole': {
        const [user, role] = [text(body, 'username'), text(body, 'roleName')];
        this.#grantsOf(role);
        if (isRemoved) this.members.delete(memberOf(user, role));
        else {
          if (!this.users.has(user))
            throw refused("not found the user, maybe the user isn't existed or internal system error");
          this.members.add(memberOf(user, role));
        }
        return;
      }
      case 'operatePrivilege': {
        const entity = part(body, 'entity');
        const privilege = nameIn(part(entity, 'grantor'), 'privilege');
        if (this.#isGroup(privilege)) throw refused(`can not operate the custom privilege group [${privilege}]`);
        const object = nameIn(entity, 'object');
        const objectName = object === 'Global' ? '*' : text(entity, 'objectName');
        this.#grant(
          nameIn(entity, 'role'),
          { object, objectName, database: text(entity, 'dbName'), privilege },
          isRemoved,
        );
        return;
      }
      case 'operatePrivilegeV2': {
        const privilege = nameIn(part(body, 'grantor'), 'privilege');
        if (!OF_COLLECTIONS.has(privilege) && !this.#isGroup(privilege))
          throw refused(`not found the privilege name[${privilege}]`);
        const object = OF_COLLECTIONS.has(privilege) ? 'Collection' : 'Global';
        const [objectName, database] = [text(body, 'collectionName'), text(body, 'dbName')];
        this.#grant(nameIn(body, 'role'), { object, objectName, database, privilege }, isRemoved);
        return;
      }
      case 'createPrivilegeGroup': {
        const group = text(body, 'groupName');
        if (this.groups.has(group)) throw refused(`privilege group name [${group}] is defined by users`);
        this.groups.set(group, new Set());
        return;
      }
      case 'dropPrivilegeGroup': {
        const group = text(body, 'groupName');
        if (!this.groups.has(group)) throw refused('not a custom privilege group');
        for (const [role, grants] of this.roles) {
          if ([...grants.values()].some(({ privilege }) => privilege === group))
            throw refused(`privilege group [${group}] is used by role [${role}], Use REVOKE API to revoke it first`);
        }
        this.groups.delete(group);
        return;
      }
      case 'operatePrivilegeGroup': {
        const group = text(body, 'groupName');
        const held = this.groups.get(group);
        if (held === undefined)
          throw refused(`there is no privilege group name [${group}] defined in system to operate`);
        const privileges = ((body['privileges'] ?? []) as readonly Body[]).map((one) => text(one, 'name'));
        for (const privilege of privileges) {
          if (isRemoved) held.delete(privilege);
          else held.add(privilege);
        }
      }
    }
  }

  #isGroup(privilege: string): boolean {
    return this.groups.has(privilege) || BUILT_IN_GROUPS.has(privilege);
  }

  #grantsOf(role: string): Map<string, Grant> {
    const grants = this.roles.get(role);
    if (grants === undefined)
      throw refused("not found the role, maybe the role isn't existed or internal system error");
    return grants;
  }

  #grant(role: string, grant: Grant, isRemoved: boolean): void {
    const grants = this.#grantsOf(role);
    if (isRemoved) grants.delete(grantText(grant));
    else grants.set(grantText(grant), grant);
  }

  /** As the public API tells and takes it. @param onTheWay Before each answer comes, and before each change is made. */
  keeper(databases: () => readonly string[], onTheWay: () => Promise<void>): RightsKeeper {
    return {
      read: async () => {
        const shown = this.#shown(databases());
        await onTheWay();
        return shown;
      },
      change: async (change, signal) => {
        await onTheWay();
        signal.throwIfAborted();
        this.apply(change.operation, requestOf(change));
      },
      close: () => Promise.resolve(),
    };
  }

  #shown(databases: readonly string[]): ClusterRights {
    const shown = (grant: Grant): Grant => (this.#isGroup(grant.privilege) ? { ...grant, isGroup: true } : grant);
    const roles = [...this.roles].map(([name, grants]) => ({
      name,
      members: [...this.members].filter((member) => roleOf(member) === name).map(userOf),
      grants: [...grants.values()].map(shown),
    }));
    const groups = [...this.groups].map(([name, privileges]) => ({ name, privileges: [...privileges] }));
    return { users: [...this.users.keys()], databases, roles, groups };
  }

  content() {
    const sorted = (all: Iterable<string>): string[] => [...all].toSorted();
    const byName = (all: Iterable<[string, string[]]>) => Object.fromEntries(all);
    return {
      users: Object.fromEntries([...this.users].toSorted()),
      roles: byName([...this.roles].map(([name, grants]) => [name, sorted(grants.keys())])),
      groups: byName([...this.groups].map(([name, privileges]) => [name, sorted(privileges)])),
      members: sorted(this.members),
    };
  }
}

function requestOf(change: RightsChange): Body {
  const type = 'isAdded' in change && !change.isAdded ? REMOVE : 0;
  if ('group' in change) {
    const privileges = 'privileges' in change ? change.privileges.map((name) => ({ name })) : [];
    return { groupName: change.group, privileges, type };
  }
  const role = { name: change.role };
  if ('user' in change) return { username: change.user, roleName: change.role, type };
  if (!('grant' in change)) return { entity: role, roleName: change.role };
  const { object, objectName, database: dbName, privilege } = change.grant;
  const grantor = { privilege: { name: privilege } };
  const entity = { role, object: { name: object }, objectName, dbName, grantor };
  return { entity, role, grantor, dbName, collectionName: objectName, type };
}

const memberOf = (user: string, role: string): string => `${user} is ${role}`;
const userOf = (member: string): string => member.split(' is ')[0] ?? '';
const roleOf = (member: string): string => member.split(' is ')[1] ?? '';
