/**
 * The target of a copy that stands on rows already: given the source's partitions and indexes, loaded to be read, and rid of
 * the keys that the source no longer has. Nobody else writes the collection meanwhile: its stream is held.
 *
 * What is listed here need not show this copy's own writes: keys of a page are never deleted, and those of earlier ranges
 * are not listed again. So one timestamp, taken when nothing of an earlier run can land any more, serves all listings.
 */
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey } from '../codec/collection-schema.ts';
import { keySet, type PrimaryKey } from '../codec/primary-keys.ts';
import type { PrimaryKeys } from '../codec/records.ts';
import { pause } from '../runtime/waiting.ts';
import type { KeyRange } from '../source/rows/key-range.ts';
import { isNotLoaded } from '../source/rows/range-query.ts';
import type { CollectionIndex, CollectionState, KeySource, KeysRead } from '../source/rows/row-source.ts';
import type { Target } from '../target/target.ts';
import type { CollectionReplica } from './collection-replica.ts';
import { indexSteps, type Step } from './reconciler/diff.ts';
import type { StepJournal } from './reconciler/step-journal.ts';
import { askedOf, makeIndexes, makeStep } from './reconciler/steps.ts';
import { loadOf } from './reconciler/wanted.ts';
import { CopyLoads } from './copy-loads.ts';
import type { DescribedCollection } from './copy-source.ts';

/** Before what somebody has released is read again. */
const LOADED_AGAIN_PAUSE_MS = 200;

export interface RecopyTargetContext {
  readonly keys: KeySource;
  readonly target: Target;
  readonly store: TaskStore;
  readonly steps: StepJournal;
}

export class RecopyTarget {
  readonly #context: RecopyTargetContext;
  readonly #replica: CollectionReplica;
  readonly #loads: CopyLoads;
  #guarantee: TimeTick | undefined;
  /** Before the copy. */
  #wasLoaded = false;
  /** It was not left out when the log had it. */
  #mayBeLoaded = true;

  constructor(context: RecopyTargetContext, replica: CollectionReplica) {
    const { keys, store } = context;
    this.#context = context;
    this.#replica = replica;
    this.#loads = new CopyLoads({ side: 'target', cluster: keys, store, id: replica.id });
  }

  /** `listPartitions`: of the source, by now; `undefined`: the collection is gone from there. */
  async prepare(
    source: DescribedCollection,
    listPartitions: () => Promise<ReadonlySet<string> | undefined>,
  ): Promise<void> {
    const replica = this.#replica;
    await replica.dropPartitionsBut(listPartitions);
    for (const name of hasPartitionKey(replica.schema) ? [] : source.partitions) await replica.ensurePartition(name);
    await this.#alignIndexes(source.indexes);
    await this.#loadAsWanted(source);
    await replica.writer.whenSettled();
    this.#guarantee = await replica.onTarget('now', (signal) => this.#context.keys.now(signal));
  }

  /** Deletes the keys of the range but `keep`. May be repeated. @returns how many. */
  async deleteOthers(partition: string, { after, upTo }: KeyRange, keep: PrimaryKeys | undefined): Promise<number> {
    const { schema, address, writer } = this.#replica;
    const kept = keep === undefined ? new Set<PrimaryKey>() : keySet(keep);
    let deleted = 0;
    let from = after;
    for (;;) {
      const read = { ...address, partition, schema, after: from, upTo, guarantee: this.#guarantee };
      const keys = await this.#keysOf(read);
      if (keys === undefined) return deleted;
      const others = withoutKeys(keys, kept);
      if (others.values.length > 0) await writer.deleteKeys(partition, others);
      deleted += others.values.length;
      from = keys.values.at(-1);
      if (from === upTo) return deleted;
    }
  }

  /** Loaded as the source is, but for the copy. What is to be asked about, or left out, stays as it was before the copy. */
  async finish({ replicaNumber, loadFields, isReleased }: DescribedCollection): Promise<void> {
    const { steps } = this.#context;
    const { address, schema } = this.#replica;
    if (replicaNumber !== undefined && this.#mayBeLoaded && steps.applies('loadCollection')) {
      await this.#make(loadOf(schema, replicaNumber, loadFields));
      this.#loads.keep();
    } else if (isReleased && steps.applies('releaseCollection')) {
      await this.#make({ kind: 'release' });
      this.#loads.keep();
    } else if (this.#wasLoaded) {
      this.#loads.keep();
    } else {
      await this.#replica.onTarget('release', (signal) => this.#loads.release(address, signal));
    }
  }

  /**
   * Before keys can be listed, which needs an index: so whoever is to be asked about one is asked here. To be dropped it needs a
   * collection that is not loaded; where it is left, no other one can be made on its field.
   */
  async #alignIndexes(wanted: readonly CollectionIndex[]): Promise<void> {
    const { steps } = this.#context;
    const { indexes, loadedPartitions } = await this.#describe();
    let isLoaded = loadedPartitions.length > 0;
    this.#wasLoaded = isLoaded;
    await makeIndexes(steps, this.#replica, indexSteps(wanted, indexes), async (step) => {
      if (step.kind === 'dropIndex' && isLoaded) await this.#make({ kind: 'release' });
      isLoaded &&= step.kind !== 'dropIndex';
      await this.#make(step);
    });
  }

  #describe(): Promise<CollectionState> {
    const { address } = this.#replica;
    return this.#replica.onTarget('describe', async (signal) => {
      const state = await this.#context.keys.describe(address, signal);
      if (state === undefined) throw gone(this.#replica);
      return state;
    });
  }

  /** A loaded collection keeps the number of its replicas: what is to stay loaded is loaded with the right one from the start. */
  async #loadAsWanted({ replicaNumber, loadFields, indexes }: DescribedCollection): Promise<void> {
    const { loadedPartitions } = await this.#describe();
    const isWanted = replicaNumber !== undefined && indexes.length > 0 && loadedPartitions.length === 0;
    if (isWanted && this.#context.steps.applies('loadCollection')) {
      const step = loadOf(this.#replica.schema, replicaNumber, loadFields);
      this.#mayBeLoaded = await this.#context.steps.run(askedOf(step), this.#replica, () => this.#make(step));
    }
    await this.#load();
  }

  #make(step: Step): Promise<void> {
    return makeStep(this.#context.target, this.#replica, step);
  }

  #load(): Promise<void> {
    const { address } = this.#replica;
    return this.#replica.onTarget('load', (signal) => this.#loads.load(address, signal));
  }

  /** What somebody releases meanwhile is loaded again. */
  async #keysOf(read: KeysRead): Promise<PrimaryKeys | undefined> {
    for (;;) {
      try {
        return await this.#replica.onTarget('readKeys', (signal) => this.#context.keys.readKeys(read, signal));
      } catch (error) {
        if (!isNotLoaded(error)) throw error;
        await this.#load();
        await pause(LOADED_AGAIN_PAUSE_MS, this.#replica.signal);
      }
    }
  }
}

function withoutKeys(keys: PrimaryKeys, kept: ReadonlySet<PrimaryKey>): PrimaryKeys {
  return keys.type === 'int64'
    ? { type: 'int64', values: keys.values.filter((key) => !kept.has(key)) }
    : { type: 'varchar', values: keys.values.filter((key) => !kept.has(key)) };
}

function gone({ address: { database, collection } }: CollectionReplica): ReplicationError {
  return new ReplicationError(
    'targetChanged',
    'target',
    `The copy of ${database}.${collection} was dropped from the target while it was being compared. Copy the collection again.`,
    { context: { database, collection } },
  );
}
