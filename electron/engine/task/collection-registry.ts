/** The collections of a task that are alive or still to be dropped, by identity and by the name that they bore at a time. */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import type { CollectionReplica } from './collection-replica.ts';

export class CollectionRegistry {
  readonly #byId = new Map<CollectionId, CollectionReplica>();

  add(replica: CollectionReplica): void {
    this.#byId.set(replica.id, replica);
  }

  get(id: CollectionId): CollectionReplica | undefined {
    return this.#byId.get(id);
  }

  remove(replica: CollectionReplica): void {
    this.#byId.delete(replica.id);
  }

  all(): Iterable<CollectionReplica> {
    return this.#byId.values();
  }

  /** The collection that bore the name at that time. */
  aliveAt(database: string, name: string, tick: TimeTick): CollectionReplica | undefined {
    return this.#named(database, name).find((replica) => replica.isAliveAt(tick));
  }

  /** Earlier collections of the same name whose copies are not yet gone. */
  predecessorsOf(replica: CollectionReplica): CollectionReplica[] {
    const { database, collection } = replica.address;
    return this.#named(database, collection).filter(
      (other) => other !== replica && other.createTick < replica.createTick,
    );
  }

  inDatabase(database: string): CollectionReplica[] {
    return [...this.#byId.values()].filter((replica) => replica.address.database === database);
  }

  #named(database: string, name: string): CollectionReplica[] {
    return [...this.#byId.values()].filter(
      (replica) => replica.address.database === database && replica.address.collection === name,
    );
  }
}
