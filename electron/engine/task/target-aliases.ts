/** The target's aliases: made and moved as the source's stand, dropped only if this task has made them. */
import type { CollectionId } from '../../../shared/model/ids.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredAlias, TaskStore } from '../../../shared/model/task-state.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { SerialLanes } from '../runtime/waiting.ts';
import { aliasKey } from '../source/catalog/catalog.ts';
import type { Target } from '../target/target.ts';
import type { CollectionReplica } from './collection-replica.ts';

type AliasName = Pick<StoredAlias, 'alias' | 'database'>;

export interface TargetAliasesContext {
  readonly target: Pick<Target, 'alterAlias' | 'createAlias' | 'describeAlias' | 'dropAlias'>;
  readonly store: Pick<TaskStore, 'removeAlias' | 'saveAlias'>;
  /** Whether a target collection of that origin is a copy of this source's. */
  isOurs(origin: string): boolean;
  /** Whether it is a copy that this task has made, and still follows. */
  isOfTask(origin: string): boolean;
  originOf(id: CollectionId): string;
  /**
   * Repeats a call after the policy. `object` and `asks`: what may not be undone by another call on the same object that is
   * still under way.
   */
  define(object: string, asks: string, name: string, call: (signal: AbortSignal) => Promise<void>): Promise<void>;
}

export class TargetAliases {
  readonly #context: TargetAliasesContext;
  readonly #own = new Map<string, StoredAlias>();
  readonly #lanes = new SerialLanes();

  constructor(context: TargetAliasesContext) {
    this.#context = context;
  }

  /** Made (or begun) by an earlier run. */
  takeUp(aliases: readonly StoredAlias[]): void {
    for (const alias of aliases) this.#own.set(aliasKey(alias), alias);
  }

  /** It is no longer replicated, which is stored: its aliases stay as they are, and are nobody's. */
  left(id: CollectionId): void {
    for (const [key, { collectionId }] of [...this.#own]) if (collectionId === id) this.#own.delete(key);
  }

  /** This one stays on the target, as decided, and is nobody's. */
  leave(own: AliasName): void {
    this.#context.store.removeAlias(own);
    this.#own.delete(aliasKey(own));
  }

  own(): readonly StoredAlias[] {
    return [...this.#own.values()];
  }

  /** What it stands for, where this task has made it. */
  owned(name: AliasName): StoredAlias | undefined {
    return this.#own.get(aliasKey(name));
  }

  /** What the target has of that name: made by this task for that very collection, nothing, or one that stands elsewhere. */
  async standing(name: AliasName, id: CollectionId): Promise<'there' | 'none' | 'elsewhere'> {
    const origin = await this.#standsFor(name, aliasKey(name));
    if (origin === null) return 'none';
    const isThere = this.owned(name)?.collectionId === id && origin === this.#context.originOf(id);
    return isThere ? 'there' : 'elsewhere';
  }

  /** In a step of the replica, so that its name stays. @throws alreadyExists: it is somebody else's on the target. */
  ensure({ database, alias }: AliasName, replica: CollectionReplica): Promise<void> {
    const { target, store } = this.#context;
    const key = aliasKey({ database, alias });
    return this.#lanes.run(key, async () => {
      const wanted = { database, alias, collectionId: replica.id };
      if (!this.#own.has(key)) await this.#assertFree(wanted, key);
      // Before the call: a later run must know that it may be there.
      store.saveAlias(wanted);
      this.#own.set(key, wanted);
      await this.#define(key, replica.id, 'alterAlias', async (signal) => {
        try {
          await target.alterAlias(replica.address, alias, signal);
        } catch (error) {
          if (!isMissingAlias(error)) throw error;
          await target.createAlias(replica.address, alias, signal);
        }
      });
    });
  }

  /** What it stands for on the target. `null`: there is none; `undefined`: nothing that Lifeline has made. */
  async #standsFor({ database, alias }: AliasName, key: string): Promise<string | undefined | null> {
    let origin: string | undefined | null = null;
    await this.#define(key, undefined, 'describeAlias', async (signal) => {
      const found = await this.#context.target.describeAlias(database, alias, signal);
      origin = found === undefined ? null : found.origin;
    });
    return origin;
  }

  /** There is none of that name, or it stands for a copy of ours, where nobody else has a reason to make one. */
  async #assertFree({ database, alias }: AliasName, key: string): Promise<void> {
    const origin = await this.#standsFor({ database, alias }, key);
    if (origin === null || (origin !== undefined && this.#context.isOurs(origin))) return;
    throw new ReplicationError(
      'alreadyExists',
      'target',
      `The target's alias ${database}.${alias} stands for a collection that Lifeline did not make. Drop it there; the source's is made in its place by the next run, or when the source's catalogue changes.`,
      { context: { database, alias, outcome: 'refused' } },
    );
  }

  #isOfTask(origin: string, { collectionId }: StoredAlias): boolean {
    return origin === this.#context.originOf(collectionId) || this.#context.isOfTask(origin);
  }

  /** One that this task has not made stays; and one that stands for another's copy by now, which is `forgotten`. */
  drop({ database, alias }: AliasName): Promise<'dropped' | 'forgotten' | 'notOwn'> {
    const { target, store } = this.#context;
    const key = aliasKey({ database, alias });
    return this.#lanes.run(key, async () => {
      const own = this.#own.get(key);
      if (own === undefined) return 'notOwn';
      const origin = await this.#standsFor({ database, alias }, key);
      // Where its collection is gone already, so is what tells whose it was.
      const isOwn = typeof origin === 'string' && this.#isOfTask(origin, own);
      if (isOwn) await this.#define(key, undefined, 'dropAlias', (signal) => target.dropAlias(database, alias, signal));
      store.removeAlias({ database, alias });
      this.#own.delete(key);
      return isOwn ? 'dropped' : 'forgotten';
    });
  }

  /** The source has a collection of that name, which it could not have beside an alias. */
  async freeName({ database, collection }: CollectionAddress): Promise<void> {
    await this.drop({ database, alias: collection });
  }

  /** Servers refuse to drop a collection that aliases stand for (2.4 and later), or drop these with it. */
  async freeOf(id: CollectionId): Promise<void> {
    for (const alias of this.own()) if (alias.collectionId === id) await this.drop(alias);
  }

  #define(
    key: string,
    id: CollectionId | undefined,
    name: string,
    call: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    return this.#context.define(`@${key}`, `alias ${id ?? 'gone'}`, name, call);
  }
}

const isMissingAlias = (error: unknown): boolean =>
  error instanceof ReplicationError && error.code === 'notFound' && error.context['object'] === 'alias';
