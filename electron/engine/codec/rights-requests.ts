/** Whom and what the requests about users, roles and grants are about. Passwords are never read off. */
import type { OperationName } from './records.ts';
import { orFailure, WireCursor } from './wire.ts';
import { takeTexts, withoutFields } from './wire-rewrite.ts';
import { concatBytes, stringField } from './wire-write.ts';

export interface RightsSubject {
  readonly user?: string;
  readonly role?: string;
  readonly privilegeGroup?: string;
}

type Reader = (cursor: WireCursor) => RightsSubject | undefined;

const text =
  (field: number, name: keyof RightsSubject): Reader =>
  (cursor) =>
    cursor.field === field ? { [name]: cursor.string() } : undefined;

/** `milvus.RoleEntity.name`. */
function roleName(cursor: WireCursor): string {
  let name = '';
  while (cursor.next()) {
    if (cursor.field === 1) name = cursor.string();
    else cursor.skip();
  }
  return name;
}

/** `milvus.GrantEntity.role`. */
function grantedRole(cursor: WireCursor): string {
  let name = '';
  while (cursor.next()) {
    if (cursor.field === 1) name = roleName(cursor.nested());
    else cursor.skip();
  }
  return name;
}

const READERS: Partial<Record<OperationName, readonly Reader[]>> = {
  createCredential: [text(2, 'user')],
  updateCredential: [text(2, 'user')],
  deleteCredential: [text(2, 'user')],
  createRole: [(cursor) => (cursor.field === 2 ? { role: roleName(cursor.nested()) } : undefined)],
  dropRole: [text(2, 'role')],
  operateUserRole: [text(2, 'user'), text(3, 'role')],
  operatePrivilege: [(cursor) => (cursor.field === 2 ? { role: grantedRole(cursor.nested()) } : undefined)],
  operatePrivilegeV2: [(cursor) => (cursor.field === 2 ? { role: roleName(cursor.nested()) } : undefined)],
  createPrivilegeGroup: [text(2, 'privilegeGroup')],
  dropPrivilegeGroup: [text(2, 'privilegeGroup')],
  operatePrivilegeGroup: [text(2, 'privilegeGroup')],
};

/** What cannot be read is left out. */
export function readRightsSubject(operation: OperationName, request: Uint8Array): RightsSubject {
  const readers = READERS[operation] ?? [];
  const found = orFailure(() => {
    const cursor = new WireCursor(request);
    let subject: RightsSubject = {};
    while (cursor.next()) {
      // A reader that does not take the field has not moved the cursor.
      const part = readers.map((read) => read(cursor)).find((one) => one !== undefined);
      if (part === undefined) cursor.skip();
      else subject = { ...subject, ...part };
    }
    return subject;
  });
  return 'kind' in found ? {} : found;
}

const TAKEN_AWAY: ReadonlySet<OperationName> = new Set(['deleteCredential', 'dropRole', 'dropPrivilegeGroup']);

/** Where the requests that do either have `type` (milvus.proto, 2.3 to 2.6). */
const FIELD_TYPE: Partial<Record<OperationName, number>> = {
  operateUserRole: 4,
  operatePrivilege: 3,
  operatePrivilegeV2: 4,
  operatePrivilegeGroup: 4,
};
/** `RemoveUserFromRole`, `Revoke`, `RemovePrivilegesFromGroup`. The other one, 0, is not on the wire. */
const TYPE_REMOVE = 1n;

/** It drops something, or takes something away, rather than making or adding it. */
export function isTakenAway(operation: OperationName, request: Uint8Array): boolean {
  const field = FIELD_TYPE[operation];
  if (field === undefined) return TAKEN_AWAY.has(operation);
  const found = orFailure(() => {
    const cursor = new WireCursor(request);
    let isRemoved = false;
    while (cursor.next()) {
      if (cursor.field === field) isRemoved = cursor.uint64() === TYPE_REMOVE;
      else cursor.skip();
    }
    return isRemoved;
  });
  return found === true;
}

/** `oldPassword` and `newPassword` of milvus.UpdateCredentialRequest, base64 of the plain text (internal/proxy/impl.go, 2.3). */
const OLD_PASSWORD = 3;
const NEW_PASSWORD = 4;

/** The same request with the new password as the old one: it succeeds where the change has been made already. */
export function withNewPasswordAsOld(request: Uint8Array): Uint8Array {
  const rewritten = orFailure(() => {
    const password = takeTexts(request, [NEW_PASSWORD]).texts.get(NEW_PASSWORD) ?? '';
    return concatBytes([withoutFields(request, [OLD_PASSWORD]), stringField(OLD_PASSWORD, password)]);
  });
  return rewritten instanceof Uint8Array ? rewritten : request;
}
