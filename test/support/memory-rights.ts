/** Users, roles and grants of a cluster in memory, as far as tests compare them; refusals in the words of Milvus 2.3. */
import { ReplicationError } from '../../shared/model/replication-error.ts';
import type { RightsOperation } from '../../electron/engine/target/target.ts';

type Body = Readonly<Record<string, unknown>>;

const text = (body: Body, field: string): string => {
  const value = body[field];
  return typeof value === 'string' ? value : '';
};
const part = (body: Body, field: string): Body => (body[field] ?? {}) as Body;

const refused = (what: string): ReplicationError =>
  new ReplicationError('unknown', 'target', `The target refused: ${what}.`, { context: { outcome: 'refused' } });

export class MemoryRights {
  /** Passwords by user. */
  readonly users = new Map<string, string>([['root', 'Milvus']]);
  readonly roles = new Map<string, Set<string>>([
    ['admin', new Set()],
    ['public', new Set()],
  ]);
  readonly members = new Set<string>();

  apply(operation: RightsOperation, body: Body): void {
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
        return;
      case 'createRole': {
        const name = text(part(body, 'entity'), 'name');
        if (this.roles.has(name)) throw refused('role already exists');
        this.roles.set(name, new Set());
        return;
      }
      case 'dropRole':
        if (!this.roles.delete(text(body, 'roleName'))) throw refused('role not found');
        return;
      case 'operateUserRole': {
        const member = `${text(body, 'username')} is ${text(body, 'roleName')}`;
        if (body['type'] === 1) this.members.delete(member);
        else this.members.add(member);
        return;
      }
      case 'operatePrivilege': {
        const entity = part(body, 'entity');
        const grants = this.roles.get(text(part(entity, 'role'), 'name'));
        if (grants === undefined) throw refused('no such role');
        const grant = JSON.stringify({ ...entity, role: undefined });
        if (body['type'] === 1) grants.delete(grant);
        else grants.add(grant);
        return;
      }
      default:
        throw refused(`${operation} is not known here`);
    }
  }

  content(): unknown {
    return {
      users: Object.fromEntries(this.users),
      roles: Object.fromEntries([...this.roles].map(([name, grants]) => [name, [...grants].toSorted()])),
      members: [...this.members].toSorted(),
    };
  }
}
