/** The clusters that are known: kept, shown without their secrets, and tested. */
import type { z } from 'zod';
import type {
  connectionDraftSchema,
  ConnectionParts,
  ConnectionView,
  Hop,
  OldestKept,
} from '../../../shared/contract/procedures.ts';
import type { SourceConnection, TargetConnection } from '../../../shared/model/connection.ts';
import { findOldestKept } from '../../engine/host/oldest-kept.ts';
import type { ConnectionStore, StoredConnection } from '../store/connection-store.ts';
import { inheritSecrets, joinSecrets, splitSecrets } from './connection-secrets.ts';
import { ConnectionTests } from './connection-tests.ts';
import type { EventHub } from './event-hub.ts';
import { newId } from './new-id.ts';
import { Refusal } from './refusal.ts';

type Draft = z.output<typeof connectionDraftSchema>;

/** `user:password@` in an address would be shown and logged with it. */
const CREDENTIALS_IN_ADDRESS = /@/;

export interface ConnectionServiceOptions {
  readonly store: ConnectionStore;
  readonly hub: EventHub;
  /** Names of the tasks that use a connection. */
  readonly usersOf: (id: string) => readonly string[];
  /** Called after a connection was changed: tasks that run on it begin again with what it is now. */
  readonly onChanged: (id: string) => void;
  readonly logLevel: string;
}

export class ConnectionService {
  readonly #options: ConnectionServiceOptions;
  readonly #tests: ConnectionTests;
  readonly #end = new AbortController();

  constructor(options: ConnectionServiceOptions) {
    this.#options = options;
    this.#tests = new ConnectionTests(options);
  }

  list(): ConnectionView[] {
    return this.#options.store.list().map((connection) => this.#view(connection));
  }

  /** @throws Refusal notFound. */
  get(id: string): StoredConnection {
    const found = this.#options.store.get(id);
    if (found !== undefined) return found;
    throw new Refusal('notFound', `There is no cluster with the id "${id}".`, 'Look at the list of clusters again.');
  }

  /** With its secrets: for the engine. @throws Refusal invalidInput when its etcd or log is not known. */
  asSource(id: string): SourceConnection {
    const { name, parts, secrets } = this.get(id);
    const { etcd, wal, milvus } = joinSecrets(parts, secrets);
    if (etcd !== undefined && wal !== undefined) return { etcd, wal, ...(milvus === undefined ? {} : { milvus }) };
    throw new Refusal(
      'invalidInput',
      `${name} cannot be a source: its etcd and its log are not both known.`,
      'Add both to the cluster, or choose another one.',
      { field: 'sourceId' },
    );
  }

  /** As `asSource`. */
  asTarget(id: string): TargetConnection {
    const { name, parts, secrets } = this.get(id);
    const { milvus } = joinSecrets(parts, secrets);
    if (milvus !== undefined) return { milvus };
    throw new Refusal(
      'invalidInput',
      `${name} cannot be a target: the address of its Milvus is not known.`,
      'Add it to the cluster, or choose another one.',
      { field: 'targetId' },
    );
  }

  save(draft: Draft): ConnectionView {
    const { store, onChanged } = this.#options;
    const before = draft.id === undefined ? undefined : this.get(draft.id);
    if (before?.isLab === true) throw ownedByLab(before.name);
    const namesake = store.list().find((other) => other.name === draft.name && other.id !== draft.id);
    if (namesake !== undefined) {
      throw new Refusal('invalidInput', `A cluster named ${draft.name} is known already.`, 'Choose another name.', {
        field: 'name',
      });
    }
    const parts = this.#whole(draft, before);
    const id = before?.id ?? newId(draft.name, 'cluster');
    if (before !== undefined) this.#assertStillFits(before, parts);
    store.put({ id, name: draft.name, isLab: false, ...splitSecrets(parts) });
    this.changed();
    if (before !== undefined) onChanged(id);
    return this.#view(this.get(id));
  }

  /** Of the lab: made or brought up to date without anyone's asking. */
  register(id: string, name: string, parts: ConnectionParts): void {
    const { store, onChanged } = this.#options;
    const split = splitSecrets(parts);
    const before = store.get(id);
    store.put({ id, name, isLab: true, ...split });
    this.changed();
    if (before !== undefined) onChanged(id);
  }

  remove(id: string): void {
    const { name, isLab } = this.get(id);
    if (isLab) throw ownedByLab(name);
    this.assertUnused(id);
    this.#options.store.remove(id);
    this.changed();
  }

  /** The lab's own way: `remove` refuses what the lab owns. Nothing happens when there is none. */
  unregister(id: string): void {
    this.#options.store.remove(id);
    this.changed();
  }

  /** @throws Refusal conflict, which names the users. */
  assertUnused(id: string): void {
    const users = this.#options.usersOf(id);
    if (users.length === 0) return;
    const name = this.#options.store.get(id)?.name ?? id;
    throw new Refusal(
      'conflict',
      `${name} is used by ${users.join(', ')} and was not removed.`,
      'Delete the protections that use it first.',
    );
  }

  /** As it stands, unsaved. */
  async test({ testId, ...draft }: Draft & { readonly testId?: string | undefined }): Promise<Hop[]> {
    const before = draft.id === undefined ? undefined : this.get(draft.id);
    return this.#tests.run(this.#whole(draft, before), testId);
  }

  cancelTest(testId: string): void {
    this.#tests.cancel(testId);
  }

  /** How far back its log goes. @throws Refusal: see `asSource`; and what the log's server says. */
  async oldestKept(sourceId: string): Promise<OldestKept> {
    const { wal } = this.asSource(sourceId);
    return findOldestKept(wal, this.#options.logLevel, { signal: this.#end.signal });
  }

  /** At the core's end: tests and questions under way end. */
  close(): void {
    this.#tests.close();
    this.#end.abort(new Error('Lifeline ends.'));
  }

  /** To be called when something that a view shows has changed. */
  changed(): void {
    this.#options.hub.publish('connections.changed', { connections: this.list() });
  }

  #whole({ milvus, etcd, wal }: Draft, before: StoredConnection | undefined): ConnectionParts {
    if (milvus === undefined && (etcd === undefined || wal === undefined)) {
      throw new Refusal(
        'invalidInput',
        'The cluster can be neither a source nor a target yet.',
        'Give the address of its Milvus (target), or its etcd and its log (source), or all three.',
      );
    }
    const parts: ConnectionParts = { milvus, etcd, wal };
    assertNoCredentials(parts);
    return before === undefined ? parts : inheritSecrets(parts, before.parts, before.secrets);
  }

  /** What a protection needs must not be taken away under it. */
  #assertStillFits(before: StoredConnection, parts: ConnectionParts): void {
    const lost =
      (before.parts['milvus'] !== undefined && parts.milvus === undefined) ||
      (before.parts['etcd'] !== undefined && parts.etcd === undefined) ||
      (before.parts['wal'] !== undefined && parts.wal === undefined);
    if (lost) this.assertUnused(before.id);
  }

  #view({ id, name, isLab, parts, secrets }: StoredConnection): ConnectionView {
    const { milvus, etcd, wal } = parts as ConnectionParts;
    return {
      id,
      name,
      isLab,
      ...(milvus === undefined ? {} : { milvus }),
      ...(etcd === undefined ? {} : { etcd }),
      ...(wal === undefined ? {} : { wal }),
      secretsSet: Object.keys(secrets).sort(),
      canBeSource: etcd !== undefined && wal !== undefined,
      canBeTarget: milvus !== undefined,
      usedBy: [...this.#options.usersOf(id)],
    };
  }
}

function assertNoCredentials({ milvus, etcd, wal }: ConnectionParts): void {
  const logAddresses = wal === undefined ? [] : wal.kind === 'nats' ? wal.servers : wal.brokers;
  const addresses: [string, readonly string[]][] = [
    ['milvus.address', milvus === undefined ? [] : [milvus.address]],
    ['etcd.endpoints', etcd?.endpoints ?? []],
    [wal?.kind === 'kafka' ? 'wal.brokers' : 'wal.servers', logAddresses],
  ];
  for (const [field, values] of addresses) {
    if (!values.some((value) => CREDENTIALS_IN_ADDRESS.test(value))) continue;
    throw new Refusal(
      'invalidInput',
      `The address in "${field}" holds a user name or password.`,
      'Enter them in their own fields, where they are kept secret.',
      { field },
    );
  }
}

function ownedByLab(name: string): Refusal {
  return new Refusal(
    'conflict',
    `${name} belongs to the embedded lab, which keeps it up to date itself.`,
    'Stop or remove the lab instead.',
  );
}
