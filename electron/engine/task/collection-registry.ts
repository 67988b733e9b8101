/** The collections of a task that are alive or still to be dropped, by identity and by the name that they bore at a time. */
import { isSameName } from '../../../shared/model/collection-name.ts';
import type { CollectionId, VChannel } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { Conditions } from '../runtime/waiting.ts';
import type { CollectionReplica } from './collection-replica.ts';

export class CollectionRegistry {
  readonly #byId = new Map<CollectionId, CollectionReplica>();
  readonly #conditions = new Conditions();

  /** Takes the place of one with the same identity, which has stopped. */
  add(replica: CollectionReplica): void {
    this.#byId.set(replica.id, replica);
    this.#conditions.changed();
  }

  get(id: CollectionId): CollectionReplica | undefined {
    return this.#byId.get(id);
  }

  remove(replica: CollectionReplica): void {
    this.#byId.delete(replica.id);
    this.#conditions.changed();
  }

  /** Resolves when another has taken the replica's place, or it is gone for good. */
  whenReplaced(replica: CollectionReplica, signal: AbortSignal): Promise<void> {
    return this.#conditions.until(() => this.#byId.get(replica.id) !== replica, signal);
  }

  ofShard(vchannel: VChannel): CollectionReplica | undefined {
    for (const replica of this.#byId.values()) if (replica.vchannels.includes(vchannel)) return replica;
    return undefined;
  }

  all(): Iterable<CollectionReplica> {
    return this.#byId.values();
  }

  /**
   * The collection that bore the name at that time: the youngest that was born by then. (An older one may not have been
   * dropped here yet, although the source had done so.)
   */
  aliveAt(database: string, name: string, tick: TimeTick): CollectionReplica | undefined {
    const youngest = this.#named({ database, collection: name })
      .filter((replica) => replica.createTick <= tick)
      .reduce<CollectionReplica | undefined>(
        (best, replica) => (best === undefined || replica.createTick > best.createTick ? replica : best),
        undefined,
      );
    return youngest?.isAliveAt(tick) === true ? youngest : undefined;
  }

  /** Earlier collections of the same name whose copies are not yet gone. */
  predecessorsOf(replica: CollectionReplica): CollectionReplica[] {
    return this.#named(replica.address).filter((other) => other !== replica && other.createTick < replica.createTick);
  }

  /** By the target's name of it. */
  inTargetDatabase(database: string): CollectionReplica[] {
    return [...this.#byId.values()].filter((replica) => replica.targetAddress.database === database);
  }

  inDatabase(database: string): CollectionReplica[] {
    return [...this.#byId.values()].filter((replica) => replica.address.database === database);
  }

  #named(name: CollectionAddress): CollectionReplica[] {
    return [...this.#byId.values()].filter((replica) => isSameName(replica.address, name));
  }
}
