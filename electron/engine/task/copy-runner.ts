/**
 * Copies collections, a few at a time: takes S, has the rows copied, takes E, and hands the shards over to be followed
 * from S. Proof and states: SPEC.md.
 */
import type { CopyBudget } from '../../../shared/model/copy-budget.ts';
import { asVChannel } from '../../../shared/model/ids.ts';
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import { asOrdinal, type MessageOrdinal } from '../../../shared/model/position.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { CopyProgress, StoredShard, TaskStore } from '../../../shared/model/task-state.ts';
import type { CopyStatus } from '../../../shared/model/task-status.ts';
import { TIME_TICK_ZERO } from '../../../shared/time/time-tick.ts';
import { hasPartitionKey } from '../codec/collection-schema.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { retrying } from '../runtime/retry.ts';
import { orAborted } from '../runtime/waiting.ts';
import type { Catalog, CatalogCollection, CatalogImport } from '../source/catalog/catalog.ts';
import type { KeySource, RowSource } from '../source/rows/row-source.ts';
import type { Wal } from '../source/wal/wal.ts';
import type { Target } from '../target/target.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import { copyRows } from './collection-copy.ts';
import type { CollectionReplica } from './collection-replica.ts';
import { CopyAllowance } from './copy-budget.ts';
import { CopySource, type DescribedCollection } from './copy-source.ts';
import { indexSteps, type Step } from './reconciler/diff.ts';
import { StepJournal, type StepJournalContext } from './reconciler/step-journal.ts';
import { askedOf, makeIndexes, makeStep } from './reconciler/steps.ts';
import { loadOf } from './reconciler/wanted.ts';
import { readLogCut } from './log-cut.ts';
import { readLogEnd, type LogEnd } from './log-end.ts';
import { RecopyTarget } from './recopy-target.ts';

/** A collection whose rows are confirmed, ready to be followed from S. */
export interface CopiedReplica {
  readonly replica: CollectionReplica;
  /** Pinned at S, their intent at E. */
  readonly shards: readonly StoredShard[];
  /** E of each shard: the last message that could be a change. */
  readonly ends: ReadonlyMap<VChannel, MessageOrdinal>;
  readonly copyBeganMs: number;
  readonly copyEndedMs: number;
}

export interface CopyRunnerContext {
  readonly rows: RowSource | undefined;
  /** The target's keys, for copies that stand on rows already. */
  readonly targetRows?: KeySource | undefined;
  /** Collections that are not loaded on the source may be loaded for the copy, and are released after it. */
  readonly mayLoad: boolean;
  readonly wal: Wal;
  readonly catalog: Catalog;
  readonly target: Target;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly observer: (place: string) => RetryObserver;
  readonly journal: StepJournalContext['journal'];
  readonly predecessorsOf: (replica: CollectionReplica) => readonly CollectionReplica[];
  readonly copied: (copy: CopiedReplica) => void;
  /** A copy begins whose S is behind the end of these imports: it is to read all their rows. `begin` stores that, with S. */
  readonly covers: (
    replica: CollectionReplica,
    imports: readonly CatalogImport[],
    begin: (ids: readonly bigint[]) => void,
  ) => void;
  /** The copy that was begun last is to read the import's rows, or an earlier one has. */
  readonly isCovered: (id: bigint) => boolean;
  /** Resolves when the copy has all fields that are shown. */
  readonly takeFields: (replica: CollectionReplica, shown: CatalogCollection) => Promise<void>;
  readonly notice?: (text: string) => void;
}

interface QueuedCopy {
  readonly replica: CollectionReplica;
  /** Pinned at S by an earlier run; none where the copy has not been begun. */
  readonly shards: readonly StoredShard[];
}

export class CopyRunner {
  readonly #context: CopyRunnerContext;
  readonly #allowance: CopyAllowance;
  readonly #steps: StepJournal;
  readonly #queue: QueuedCopy[] = [];
  #running = 0;

  constructor(context: CopyRunnerContext) {
    this.#context = context;
    this.#allowance = new CopyAllowance(context.clock);
    this.#steps = new StepJournal(context);
  }

  /** One that stands on rows already needs its stream held, and none of its writes under way. */
  add(copy: QueuedCopy): void {
    const { replica } = copy;
    // From the first moment on: as long as it waits for its turn it is a copy too.
    replica.copyStatus ??= copiedSoFar(this.#context.store.copyProgress(replica.id));
    const queue = (): void => {
      this.#queue.push(copy);
      this.#next();
    };
    // Without a turn of its own, which the one that bears its name may need to be renamed.
    if (this.#context.predecessorsOf(replica).length === 0) queue();
    else replica.whenNameFree().then(queue, (error: unknown) => replica.fail(error));
  }

  /** In force at once. Copies that run beyond a smaller number go on to their end. */
  setBudget(budget: CopyBudget): void {
    this.#allowance.set(budget);
    this.#next();
  }

  #next(): void {
    while (this.#running < this.#allowance.collectionsAtOnce) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#running += 1;
      this.#run(next)
        .catch((error: unknown) => next.replica.fail(error))
        .finally(() => {
          this.#running -= 1;
          this.#next();
        });
    }
  }

  async #run({ replica, shards }: QueuedCopy): Promise<void> {
    const { clock, store, rows, notice = () => undefined } = this.#context;
    if (rows === undefined) throw noRowSource(replica.address);
    const source = new CopySource({ ...this.#context, rows, notice, allowance: this.#allowance }, replica);
    const copyBeganMs = clock.now();
    const pinned = replica.copy === 'due' ? await this.#pin(source, replica) : shards;
    if (pinned === undefined) {
      if (replica.isRecopy && (await this.#isOnTarget(replica))) throw sourceGone(replica.address);
      replica.passedOver();
      return;
    }
    await this.#copy(source, replica);
    const ends = new Map<VChannel, MessageOrdinal>();
    const lastChanges = new Map<VChannel, MessageOrdinal>();
    for (const { vchannel, channel } of pinned) {
      const { ordinal, tick } = await this.#logEnd(channel);
      ends.set(vchannel, ordinal);
      lastChanges.set(vchannel, tick === TIME_TICK_ZERO ? ordinal : asOrdinal(ordinal - 1n));
    }
    replica.signal.throwIfAborted();
    store.endCopy(replica.id, ends);
    replica.copyMoved('copied');
    this.#context.copied({
      replica,
      shards: pinned.map((shard) => ({ ...shard, intent: ends.get(shard.vchannel) })),
      ends: lastChanges,
      copyBeganMs,
      copyEndedMs: clock.now(),
    });
  }

  async #isOnTarget(replica: CollectionReplica): Promise<boolean> {
    const { target } = this.#context;
    const describe = (signal: AbortSignal) => target.describeCollection(replica.address, signal);
    return (await replica.onTarget('describeCollection', describe)) !== undefined;
  }

  /**
   * S: where each shard's channel ends now, before the first row is read. `undefined`: the collection is gone, and so
   * perhaps is its drop in the log. One that the catalogue shows after S was taken has its drop behind S: Milvus marks
   * the catalogue before it writes the message (internal/rootcoord, 2.3).
   */
  async #pin(source: CopySource, replica: CollectionReplica): Promise<readonly StoredShard[] | undefined> {
    // Before S: what is replayed behind the copy must be younger than they are.
    const imports = await source.completedImports();
    const found = await source.find();
    if (found === undefined) return undefined;
    const ends = await Promise.all(found.startPositions.map(({ pchannel }) => this.#logEnd(pchannel)));
    const now = await source.now();
    const shards = await Promise.all(
      found.startPositions.map(async ({ vchannel, pchannel }, index): Promise<StoredShard> => {
        const end = ends[index];
        if (end === undefined) throw new ReplicationError('bug', 'internal', 'A shard has no end of its log.');
        const { wal, observer } = this.#context;
        const cut = () => readLogCut(wal, pchannel, end, now, replica.signal);
        const checkpoint = await retrying(cut, replica.signal, observer(pchannel));
        return {
          vchannel: asVChannel(vchannel),
          collectionId: replica.id,
          channel: pchannel,
          checkpoint,
          intent: end.ordinal,
        };
      }),
    );
    const shown = await source.find();
    if (shown === undefined) return undefined;
    // Another may have taken its place while the log was asked.
    replica.signal.throwIfAborted();
    // Their drop may stand behind S in one shard and before it in another, which then never comes to it: the rows of a later
    // partition of the name would go with it. None of theirs is copied, so nothing of them is replayed either.
    for (const id of shown.endedPartitions ?? []) replica.leaveEndedPartition(id);
    const { store, covers } = this.#context;
    covers(replica, imports, (ids) => store.beginCopy(replica.id, shards, ids));
    replica.copyMoved('copying');
    return shards;
  }

  async #copy(source: CopySource, replica: CollectionReplica): Promise<void> {
    const found = await source.describe();
    // Its drop stands behind S.
    if (found === undefined) return;
    await orAborted(replica.whenNameFree(), replica.signal);
    await orAborted(replica.ensureReady(), replica.signal);
    // Read behind S: what is added later stands with all its values in the log that is replayed.
    const shown = await source.find();
    if (shown !== undefined) await orAborted(this.#context.takeFields(replica, shown), replica.signal);
    const filled = replica.isRecopy ? this.#filledTarget(replica) : undefined;
    const hasIndexes = filled !== undefined || (await this.#createIndexes(replica, found));
    await filled?.prepare(found, async () => partitionsOf(await source.find()));
    await source.makeReadable(found);
    try {
      await this.#copyRows(source, replica, found, filled);
    } finally {
      await source.release(found.address);
    }
    if (filled !== undefined) {
      await filled.finish(found);
    } else if (found.replicaNumber !== undefined && hasIndexes && this.#steps.applies('loadCollection')) {
      await this.#make(replica, loadOf(replica.schema, found.replicaNumber, found.loadFields));
    }
  }

  #filledTarget(replica: CollectionReplica): RecopyTarget {
    const { targetRows, target, store } = this.#context;
    if (targetRows === undefined) {
      throw new ReplicationError('bug', 'internal', 'A filled copy is to be compared, and nobody reads the target.');
    }
    return new RecopyTarget({ keys: targetRows, target, store, steps: this.#steps }, replica);
  }

  /**
   * What somebody is to be asked about, or is left out, no copy waits for: it is met again as a difference, once its rows are
   * joined. @returns whether all indexes are there
   */
  async #createIndexes(replica: CollectionReplica, { indexes }: DescribedCollection): Promise<boolean> {
    if (!this.#steps.applies('createIndex')) return indexes.length === 0;
    const { targetRows } = this.#context;
    const { address } = replica;
    // An earlier run may have made some.
    const found = await replica.onTarget('describe', async (signal) => targetRows?.describe(address, signal));
    const steps = indexSteps(indexes, found?.indexes ?? []);
    return makeIndexes(this.#steps, replica, steps, (step) => makeStep(this.#context.target, replica, step));
  }

  async #make(replica: CollectionReplica, step: Step): Promise<void> {
    await this.#steps.run(askedOf(step), replica, () => makeStep(this.#context.target, replica, step));
  }

  async #copyRows(
    source: CopySource,
    replica: CollectionReplica,
    found: DescribedCollection,
    filled: RecopyTarget | undefined,
  ): Promise<void> {
    const { store, isCovered } = this.#context;
    await source.whenImportsShown(isCovered);
    const guarantee = await source.guarantee();
    await source.assertReadable(found, guarantee);
    const rowsTotal = await source.countRows(found, guarantee);
    let rowsCopied = 0;
    let sourceDoubles = 0;
    // Rows of a collection with a partition key are placed by the target: they are read as a whole.
    const partitions = hasPartitionKey(replica.schema) ? [''] : found.partitions;
    await copyRows(
      {
        store,
        readPage: (partition, after) => source.readPage(found, guarantee, partition, after),
        ensurePartition: (partition) => replica.ensurePartition(partition),
        write: (partition, page, isDoubtful) => replica.writer.writeCopied(partition, page, isDoubtful),
        deleteOthers:
          filled === undefined ? undefined : (partition, range, keep) => filled.deleteOthers(partition, range, keep),
        copied: (rowCount, doubles) => {
          rowsCopied += rowCount;
          sourceDoubles += doubles;
          replica.copyStatus = { rowsCopied, rowsTotal, sourceDoubles };
        },
      },
      { id: replica.id, partitions },
    );
  }

  #logEnd(channel: PChannel): Promise<LogEnd> {
    const { wal, signal, observer } = this.#context;
    return retrying(() => readLogEnd(wal, channel, signal), signal, observer(channel));
  }
}

const partitionsOf = (found: CatalogCollection | undefined): ReadonlySet<string> | undefined =>
  found === undefined ? undefined : new Set(found.partitions.map(({ name }) => name));

function noRowSource({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'invalidConfig',
    'config',
    `The rows of ${database}.${collection} are to be copied, and the source has no Milvus address to read them from. Add it to the source, then resume.`,
  );
}

function sourceGone({ database, collection }: CollectionAddress): ReplicationError {
  return new ReplicationError(
    'sourceGone',
    'source',
    `${database}.${collection} was to be copied again, and the source no longer has it. Its copy on the target was left as it is. Once it is dropped there, resume.`,
    { context: { database, collection } },
  );
}

function copiedSoFar(progress: readonly CopyProgress[]): CopyStatus {
  const sum = (of: (one: CopyProgress) => bigint): number =>
    Number(progress.reduce((total, one) => total + of(one), 0n));
  return { rowsCopied: sum((one) => one.rowCount), sourceDoubles: sum((one) => one.doubledRowCount) };
}
