/**
 * Roles, memberships and grants brought over from what the source's API shows: 2.3.5 writes nothing of them into its
 * log, with authorization on too (seen), and later servers say there only what changes from now on. Users cannot be brought over
 * so: nobody can read a password. Those that the target lacks are named.
 *
 * A role that this task has made on the target is kept exactly as the source's, and dropped when the source no longer shows it in
 * an answer that shows Milvus' own roles. A role that was there before is only added to.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { TIME_TICK_ZERO } from '../../../shared/time/time-tick.ts';
import type { CompiledMapping } from '../../../shared/model/name-mapping.ts';
import {
  grantText,
  mapGrants,
  type ClusterRights,
  type RightsChange,
  type RightsKeeper,
  type RightsReader,
  type RoleRights,
} from '../milvus/rights.ts';
import type { Clock } from '../runtime/clock.ts';
import { isRefused } from '../errors/policy.ts';
import { SerialLane } from '../runtime/waiting.ts';
import type { OperationJournal } from './operation-journal.ts';

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
  readonly #lane = new SerialLane();
  #lastMs = Number.NEGATIVE_INFINITY;
  #isReading = false;
  /** Made on the target by this task. */
  #own: Set<string> | undefined;
  /** Refused by the target, and said: not asked for again and again. */
  readonly #refused = new Set<string>();

  constructor(context: RightsCopyContext) {
    this.#context = context;
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
    const { source, target, signal, onTarget, notice } = this.#context;
    if (source === undefined || target === undefined) return;
    const wanted = mapGrants(await source.read(signal), this.#context.mapping);
    if (!wanted.roles.some(({ name }) => name === ADMIN)) return;
    const found = await onTarget('readRights', (call) => target.read(call));
    const missing = wanted.users.filter((user) => !found.users.includes(user));
    if (missing.length > 0) {
      notice(
        `Users that the target lacks, since passwords cannot be read: ${missing.toSorted().join(', ')}. Create them there; their roles follow.`,
      );
    }
    for (const change of this.#changes(wanted, found)) await this.#apply(change);
  }

  /** @returns what makes the roles of `found` those of `wanted`, in an order that a server takes. */
  #changes(wanted: ClusterRights, found: ClusterRights): RightsChange[] {
    this.#own ??= this.#ownRoles();
    const changes: RightsChange[] = [];
    for (const role of wanted.roles) {
      const there = found.roles.find(({ name }) => name === role.name);
      if (there === undefined) changes.push({ operation: 'createRole', role: role.name });
      const isOwn = there === undefined || this.#own.has(role.name);
      changes.push(...this.#inRole(role, there ?? { ...role, members: [], grants: [] }, found, isOwn));
    }
    for (const role of found.roles) {
      if (!this.#own.has(role.name) || wanted.roles.some(({ name }) => name === role.name)) continue;
      changes.push(...this.#inRole({ ...role, members: [], grants: [] }, role, found, true));
      changes.push({ operation: 'dropRole', role: role.name });
    }
    return changes;
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
        yield { operation: 'operatePrivilege', role, grant, isAdded: true };
    }
    if (!isOwn) return;
    for (const user of found.members) {
      if (!wanted.members.includes(user) && mayChange(user))
        yield { operation: 'operateUserRole', role, user, isAdded: false };
    }
    const has = new Set(wanted.grants.map(grantText));
    for (const grant of found.grants) {
      if (!has.has(grantText(grant))) yield { operation: 'operatePrivilege', role, grant, isAdded: false };
    }
  }

  async #apply(change: RightsChange): Promise<void> {
    const { target, journal, onTarget, notice } = this.#context;
    const { operation, role } = change;
    const object = describe(change);
    // Whether it is applied was decided once for all that the catalogue shows: to ask would hold up what nobody waits for.
    if (this.#refused.has(object) || journal.policyOf(operation) !== 'apply') return;
    try {
      await onTarget(operation, async (signal) => target?.change(change, signal));
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#refused.add(object);
      this.#record(change, 'failed', error.message);
      notice(`The target refused ${operation} of ${object}. Rights differ there; see the history of operations.`);
      return;
    }
    if (operation === 'createRole') this.#own?.add(role);
    if (operation === 'dropRole') this.#own?.delete(role);
    this.#record(change, 'applied');
  }

  #record(change: RightsChange, outcome: 'applied' | 'failed', reason?: string): void {
    const { journal, clock } = this.#context;
    const { operation, role } = change;
    const isOfRole = operation === 'createRole' || operation === 'dropRole';
    journal.record({
      ...(isOfRole ? { id: roleId(role) } : {}),
      at: clock.now(),
      tick: TIME_TICK_ZERO,
      source: 'catalogue',
      operation,
      database: '',
      object: describe(change),
      outcome,
      reason,
    });
  }

  /** One event of each role that it has made or dropped stands in the history. */
  #ownRoles(): Set<string> {
    const events = this.#context.journal.events();
    return new Set(
      events.flatMap(({ id, operation, object, outcome }) =>
        object !== undefined && id === roleId(object) && operation === 'createRole' && outcome === 'applied'
          ? [object]
          : [],
      ),
    );
  }
}

const roleId = (role: string): string => `rights/role/${role}`;

function describe(change: RightsChange): string {
  switch (change.operation) {
    case 'createRole':
    case 'dropRole':
      return change.role;
    case 'operateUserRole':
      return `${change.user} ${change.isAdded ? '+' : '−'} ${change.role}`;
    case 'operatePrivilege':
      return `${change.role} ${change.isAdded ? '+' : '−'} ${grantText(change.grant)}`;
  }
}
