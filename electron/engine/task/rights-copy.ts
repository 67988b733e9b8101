/**
 * Privilege groups, roles, memberships and grants brought over from what the source's API shows: 2.3.5 writes nothing of them into
 * its log, with authorization on too (seen), and later servers say there only what changes from now on. Users cannot be brought
 * over so: nobody can read a password. Those that the target lacks are named.
 *
 * A role or a group that this task has made on the target is kept exactly as the source's, and dropped when the source no longer
 * shows it in an answer that shows Milvus' own roles. One that was there before is only added to.
 *
 * Each change goes by the policy of its operation. What a person is asked about waits with all that the API shows behind it, and
 * the source is read again when it is decided.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { OperationAction } from '../../../shared/model/operation-policy.ts';
import type { CompiledMapping } from '../../../shared/model/name-mapping.ts';
import {
  grantText,
  mapGrants,
  type ClusterRights,
  type Grant,
  type PrivilegeGroup,
  type RightsChange,
  type RightsKeeper,
  type RightsReader,
  type RoleRights,
} from '../milvus/rights.ts';
import type { Clock } from '../runtime/clock.ts';
import { SerialLane } from '../runtime/waiting.ts';
import type { OperationJournal } from './operation-journal.ts';
import { StepJournal } from './reconciler/step-journal.ts';
import { isNotTaken } from './rights-operations.ts';

/** Between two readings. Rights change rarely, and each reading is a call for every role. */
const READ_INTERVAL_MS = 5_000;
/** Milvus makes it itself and nobody can drop it: an answer without it is not a cluster's (2.3: `util.RoleAdmin`). */
const ADMIN = 'admin';

export interface RightsCopyContext {
  readonly source: RightsReader | undefined;
  readonly target: RightsKeeper | undefined;
  readonly journal: OperationJournal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Also that of the log's operations on rights: what was read of the source would undo one that comes between the reading and
   * the change that follows from it.
   */
  readonly lane: SerialLane;
  readonly mapping: Pick<CompiledMapping, 'database' | 'address'>;
  /** Never changed on the target. */
  readonly protectedUsers: ReadonlySet<string>;
  /** Repeated after the policy; a failure is the caller's. */
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly notice: (text: string) => void;
  /** Works on its own; a failure is the task's. */
  readonly guard: (work: Promise<unknown>) => void;
}

export class RightsCopy {
  readonly #context: RightsCopyContext;
  readonly #steps: StepJournal;
  readonly #lane = new SerialLane();
  #lastMs = Number.NEGATIVE_INFINITY;
  #isReading = false;
  /** Made on the target by this task. */
  #own: Set<string> | undefined;
  /** Refused by the target, and said: not asked for again and again. */
  readonly #refused = new Set<string>();
  /** Left out, and told in the history, under the policy that held then. */
  readonly #leftOut = new Map<string, OperationAction>();

  constructor(context: RightsCopyContext) {
    this.#context = context;
    this.#steps = new StepJournal(context);
  }

  /** Several times a second. */
  poll(): void {
    const { clock, guard } = this.#context;
    if (!this.#isOn || this.#isReading || clock.now() < this.#lastMs + READ_INTERVAL_MS) return;
    this.#lastMs = clock.now();
    this.#isReading = true;
    // A source that cannot be asked just now is asked again.
    const reading = this.now().catch((error: unknown) => {
      if (!(error instanceof ReplicationError) || error.side !== 'source') throw error;
      this.#context.notice(`The rights of the source cannot be read: ${error.message}`);
    });
    guard(reading.finally(() => (this.#isReading = false)));
  }

  /** Resolves when the target has what the source shows now; at once where rights are not replicated. */
  now(): Promise<void> {
    return this.#isOn ? this.#lane.run(() => this.#bringOver()) : Promise.resolve();
  }

  get #isOn(): boolean {
    const { source, target, journal } = this.#context;
    return source !== undefined && target !== undefined && journal.settings.replicateRights === true;
  }

  async #bringOver(): Promise<void> {
    const { lane } = this.#context;
    while (this.#isOn) {
      const asked = await lane.run(() => this.#applyUntilAsked());
      if (asked === undefined) return;
      // What was read before a person has decided is not what the source has now. Those of the log go on meanwhile.
      await this.#apply(asked, (make) => lane.run(make));
    }
  }

  /** @returns what a person is to be asked about. Without an answer of a whole cluster nothing is done. */
  async #applyUntilAsked(): Promise<RightsChange | undefined> {
    const { source, target, signal, onTarget, notice } = this.#context;
    if (source === undefined || target === undefined) return undefined;
    const wanted = mapGrants(await source.read(signal), this.#context.mapping);
    if (!wanted.roles.some(({ name }) => name === ADMIN)) return undefined;
    const found = await onTarget('readRights', (call) => target.read(call));
    const missing = wanted.users.filter((user) => !found.users.includes(user));
    if (missing.length > 0) {
      notice(
        `Users that the target lacks, since passwords cannot be read: ${missing.toSorted().join(', ')}. Create them there; their roles follow.`,
      );
    }
    const notMade = new Set<string>();
    for (const change of this.#changes(wanted, found)) {
      // What is not made has nothing that could be changed.
      if (needsOf(change).some((name) => notMade.has(name))) continue;
      if (this.#context.journal.policyOf(change.operation) === 'ask' && !this.#isToldOf(change)) return change;
      if (!(await this.#apply(change)) && MAKING.has(change.operation)) notMade.add(keyOf(change));
    }
    return undefined;
  }

  /** @returns what makes the rights of `found` those of `wanted`, in an order that a server takes. */
  #changes(wanted: ClusterRights, found: ClusterRights): RightsChange[] {
    this.#own ??= this.#ownOnes();
    const changes: RightsChange[] = [];
    const there = new Map((found.groups ?? []).map((group) => [group.name, group]));
    // All of them before any is filled: groups may have groups.
    for (const { name } of wanted.groups ?? []) {
      if (!there.has(name)) changes.push({ operation: 'createPrivilegeGroup', group: name });
    }
    for (const group of wanted.groups ?? []) changes.push(...this.#inGroup(group, there.get(group.name)));
    changes.push(...this.#ofRoles(wanted, found));
    if (wanted.groups === undefined) return changes;
    // Behind the grants that named them.
    for (const group of there.keys()) {
      const isWanted = wanted.groups.some(({ name }) => name === group);
      if (!isWanted && this.#own.has(groupKey(group))) changes.push({ operation: 'dropPrivilegeGroup', group });
    }
    return changes;
  }

  *#inGroup({ name: group, privileges }: PrivilegeGroup, found: PrivilegeGroup | undefined): Iterable<RightsChange> {
    const had = found?.privileges ?? [];
    const more = had.filter((privilege) => !privileges.includes(privilege));
    const lacks = privileges.filter((privilege) => !had.includes(privilege));
    const operation = 'operatePrivilegeGroup';
    // First, since a group has privileges of one level only.
    if (more.length > 0 && this.#own?.has(groupKey(group)) === true)
      yield { operation, group, privileges: more, isAdded: false };
    if (lacks.length > 0) yield { operation, group, privileges: lacks, isAdded: true };
  }

  *#ofRoles(wanted: ClusterRights, found: ClusterRights): Iterable<RightsChange> {
    for (const role of wanted.roles) {
      const there = found.roles.find(({ name }) => name === role.name);
      if (there === undefined) yield { operation: 'createRole', role: role.name };
      const isOwn = there === undefined || this.#own?.has(roleKey(role.name)) === true;
      yield* this.#inRole(role, there ?? { ...role, members: [], grants: [] }, found, isOwn);
    }
    for (const role of found.roles) {
      const isWanted = wanted.roles.some(({ name }) => name === role.name);
      if (isWanted || this.#own?.has(roleKey(role.name)) !== true) continue;
      yield* this.#inRole({ ...role, members: [], grants: [] }, role, found, true);
      yield { operation: 'dropRole', role: role.name };
    }
  }

  *#inRole(
    wanted: RoleRights,
    found: RoleRights,
    { users, databases }: ClusterRights,
    isOwn: boolean,
  ): Iterable<RightsChange> {
    const { name: role } = wanted;
    const { protectedUsers } = this.#context;
    const mayChange = (user: string): boolean => users.includes(user) && !protectedUsers.has(user);
    for (const user of wanted.members) {
      if (!found.members.includes(user) && mayChange(user))
        yield { operation: 'operateUserRole', role, user, isAdded: true };
    }
    // A grant in a database that the target has not got yet follows it: until then nobody could see it there.
    const isShown = (database: string): boolean => ['', '*', ...databases].includes(database);
    const had = new Set(found.grants.map(grantText));
    for (const grant of wanted.grants) {
      if (!had.has(grantText(grant)) && isShown(grant.database))
        yield { operation: operationOf(grant), role, grant, isAdded: true };
    }
    if (!isOwn) return;
    for (const user of found.members) {
      if (!wanted.members.includes(user) && mayChange(user))
        yield { operation: 'operateUserRole', role, user, isAdded: false };
    }
    const has = new Set(wanted.grants.map(grantText));
    for (const grant of found.grants) {
      if (!has.has(grantText(grant))) yield { operation: operationOf(grant), role, grant, isAdded: false };
    }
  }

  #isLeftOut(change: RightsChange): boolean {
    return this.#leftOut.get(textOf(change)) === this.#context.journal.policyOf(change.operation);
  }

  /** There is nothing to ask about any more, in this run. */
  #isToldOf(change: RightsChange): boolean {
    return this.#refused.has(textOf(change)) || this.#isLeftOut(change);
  }

  /** By its policy. @param during What the call to the target is made in. @returns whether it is done. */
  async #apply(
    change: RightsChange,
    during: (make: () => Promise<void>) => Promise<void> = (make) => make(),
  ): Promise<boolean> {
    const { target, journal, onTarget, notice } = this.#context;
    const { operation } = change;
    const object = describe(change);
    const text = textOf(change);
    if (this.#isToldOf(change)) return false;
    const make = () => during(() => onTarget(operation, async (signal) => target?.change(change, signal)));
    try {
      if (!(await this.#steps.run({ operation, object }, undefined, make))) {
        this.#leftOut.set(text, journal.policyOf(operation));
        return false;
      }
    } catch (error) {
      if (!isNotTaken(error)) throw error;
      this.#refused.add(text);
      notice(`The target refused ${operation} of ${object}. Rights differ there; see the history of operations.`);
      return false;
    }
    if (MAKING.has(operation)) this.#own?.add(keyOf(change));
    else if (DROPPING.has(operation)) this.#own?.delete(keyOf(change));
    return true;
  }

  /** As the history has it: made by this task, and not dropped by it since. */
  #ownOnes(): Set<string> {
    const own = new Set<string>();
    for (const { source, operation, object, outcome } of this.#context.journal.events().toReversed()) {
      if (source !== 'catalogue' || outcome !== 'applied' || object === undefined) continue;
      const key = OF_GROUPS.has(operation) ? groupKey(object) : roleKey(object);
      if (MAKING.has(operation)) own.add(key);
      else if (DROPPING.has(operation)) own.delete(key);
    }
    return own;
  }
}

const roleKey = (role: string): string => `role ${role}`;
const groupKey = (group: string): string => `group ${group}`;

const operationOf = ({ isGroup }: Grant): 'operatePrivilege' | 'operatePrivilegeV2' =>
  isGroup === true ? 'operatePrivilegeV2' : 'operatePrivilege';

const MAKING: ReadonlySet<string> = new Set(['createRole', 'createPrivilegeGroup']);
const DROPPING: ReadonlySet<string> = new Set(['dropRole', 'dropPrivilegeGroup']);
const OF_GROUPS: ReadonlySet<string> = new Set(['createPrivilegeGroup', 'dropPrivilegeGroup']);

/** The role or the group that it is about. */
const keyOf = (change: RightsChange): string => ('group' in change ? groupKey(change.group) : roleKey(change.role));

/** What has to be there for it. */
const needsOf = (change: RightsChange): string[] =>
  'grant' in change && change.grant.isGroup === true
    ? [keyOf(change), groupKey(change.grant.privilege)]
    : [keyOf(change)];

const textOf = (change: RightsChange): string => `${change.operation} ${describe(change)}`;

function describe(change: RightsChange): string {
  const sign = 'isAdded' in change && change.isAdded ? '+' : '−';
  switch (change.operation) {
    case 'createRole':
    case 'dropRole':
      return change.role;
    case 'operateUserRole':
      return `${change.user} ${sign} ${change.role}`;
    case 'operatePrivilege':
    case 'operatePrivilegeV2':
      return `${change.role} ${sign} ${grantText(change.grant)}`;
    case 'createPrivilegeGroup':
    case 'dropPrivilegeGroup':
      return change.group;
    case 'operatePrivilegeGroup':
      return `${change.group} ${sign} ${change.privileges.join(', ')}`;
  }
}
