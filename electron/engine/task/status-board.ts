/**
 * Gathers what a task can say of itself: counters, lag, throughput, troubles by place, notices.
 *
 * A lag is the age of what is confirmed, counted when it is asked for, so whatever stands still between source and target
 * makes it grow by the clock. The one thing that could stand still unseen is a target that is asked nothing; see
 * `target-pulse.ts`.
 */
import type { CollectionId, PChannel } from '../../../shared/model/ids.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type {
  CollectionStatus,
  SourceStatus,
  TaskState,
  TaskStatus,
  Trouble,
} from '../../../shared/model/task-status.ts';
import { timeTickToMs, type TimeTick } from '../../../shared/time/time-tick.ts';
import type { WalRecord } from '../codec/records.ts';
import { hintFor, isHeld } from '../errors/policy.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RetryObserver } from '../runtime/retry.ts';
import { Conditions } from '../runtime/waiting.ts';
import { bottleneckOf, LEVEL_LAG_MS_MAX } from './bottleneck.ts';
import { LatencyWindow } from './latency-window.ts';
import { SourceClock, type ChannelReading } from './source-clock.ts';
import { StageMeter } from './stage-meter.ts';

/** Notices are for a person; the first ones say it all. */
const NOTICES_MAX = 50;

/** The rest of a snapshot, known elsewhere. Lags of the collections and their shards are filled in here. */
export interface StatusInput extends Pick<
  TaskStatus,
  | 'taskId'
  | 'collections'
  | 'operationsPending'
  | 'operationsWaiting'
  | 'budgetUsedBytes'
  | 'budgetPeakBytes'
  | 'headroom'
  | 'gaps'
  | 'leftOut'
> {
  /** The channels that are being read. */
  readonly channels?: readonly ChannelReading[];
  /** Rows that have been read and are not confirmed. */
  readonly rowsWaiting?: number;
  /** An operation that is about no collection waits for a person. */
  readonly question?: Trouble | undefined;
  /** See `TargetPulse.silentSinceMs`. */
  readonly targetSilentSinceMs?: number | undefined;
}

export class StatusBoard {
  readonly #clock: Clock;
  readonly #source: SourceClock;
  readonly #stages: StageMeter;
  readonly #latencies: LatencyWindow;
  readonly #calls: Record<string, number> = {};
  readonly #unknown: Record<string, number> = {};
  readonly #skipped: Record<string, number> = {};
  readonly #troubles = new Map<string, Trouble>();
  readonly #notices: string[] = [];
  readonly #failures = new Conditions();
  #failure: { error: ReplicationError; trouble: Trouble } | undefined;
  readonly #collectionFailures = new Map<CollectionId, ReplicationError>();
  #hasStarted = false;
  #isClockNoted = false;
  #messagesRead = 0;
  #bytesRead = 0;
  #retiredRowsWritten = 0;
  #retiredRowsDeleted = 0;
  #retiredRowsCopied = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#source = new SourceClock(clock);
    this.#stages = new StageMeter(clock);
    this.#latencies = new LatencyWindow(clock);
  }

  started(): void {
    this.#hasStarted = true;
  }

  /** Shows what one place (a channel, the start, the operations) is blocked by, until it is not. */
  observer(place: string): RetryObserver {
    return {
      blocked: (error, pauseMs) => {
        const now = this.#clock.now();
        const since = this.#troubles.get(place)?.since ?? now;
        this.#troubles.set(place, { error: error.toData(), hint: hintFor(error), since, nextTryAt: now + pauseMs });
      },
      unblocked: () => void this.#troubles.delete(place),
    };
  }

  /** Part of the task, or all of it, cannot go on. The first cause is kept: what follows is its consequence. */
  failed(error: ReplicationError): void {
    this.#failure ??= { error, trouble: { error: error.toData(), hint: hintFor(error), since: this.#clock.now() } };
    this.#failures.changed();
  }

  collectionFailed(id: CollectionId, error: ReplicationError): void {
    this.#collectionFailures.set(id, error);
    this.#failures.changed();
  }

  /** It is taken up again. */
  collectionRecovered(id: CollectionId): void {
    this.#collectionFailures.delete(id);
  }

  /** Rejects as soon as anything has failed for good; otherwise when the signal aborts. */
  async whenFailed(signal: AbortSignal): Promise<never> {
    const failure = (): ReplicationError | undefined =>
      this.#failure?.error ?? this.#collectionFailures.values().next().value;
    await this.#failures.until(() => failure() !== undefined, signal);
    throw failure() ?? new ReplicationError('bug', 'internal', 'A failure was announced and then gone.');
  }

  called(name: string): void {
    this.#calls[name] = (this.#calls[name] ?? 0) + 1;
  }

  /** Rows of the log, stamped with `tick`. Not for copied and replayed ones: how late those are says nothing. */
  rowsConfirmed(tick: TimeTick): void {
    this.#latencies.record(this.#source.ageMs(timeTickToMs(tick)));
  }

  /**
   * @param channel Of a data channel that is read for its news; `undefined` for others.
   * @returns whether a type was seen for the first time that this version does not know.
   */
  messageRead(record: WalRecord, bytes: number, channel?: PChannel): boolean {
    this.#messagesRead += 1;
    this.#bytesRead += bytes;
    if (channel !== undefined) this.#source.messageRead(channel, record);
    if (record.kind !== 'unknown') return false;
    const count = this.#unknown[record.messageType] ?? 0;
    this.#unknown[record.messageType] = count + 1;
    return count === 0;
  }

  /** Rows that nobody follows: the source has changed, whatever is made of it. */
  rowsPassed(bytes: number, channel: PChannel): void {
    this.#messagesRead += 1;
    this.#bytesRead += bytes;
    this.#source.changed(channel);
  }

  skipped(operation: string): void {
    this.#skipped[operation] = (this.#skipped[operation] ?? 0) + 1;
  }

  /** It is no longer so. */
  withdraw(text: string): void {
    const at = this.#notices.indexOf(text);
    if (at !== -1) this.#notices.splice(at, 1);
  }

  notice(text: string): void {
    if (this.#notices.length < NOTICES_MAX && !this.#notices.includes(text)) this.#notices.push(text);
  }

  /** A collection leaves the list for good; what it did still counts. */
  retire(status: CollectionStatus): void {
    this.#retiredRowsWritten += status.rowsWritten;
    this.#retiredRowsDeleted += status.rowsDeleted;
    this.#retiredRowsCopied += status.copy?.rowsCopied ?? 0;
  }

  snapshot(input: StatusInput): TaskStatus {
    const { channels = [], rowsWaiting, targetSilentSinceMs, question, ...told } = input;
    const now = this.#clock.now();
    const trouble = this.#failure?.trouble ?? this.#troubles.values().next().value ?? question;
    const collections = input.collections.map((status) => this.#withLag(status, targetSilentSinceMs));
    const sum = (of: (status: CollectionStatus) => number): number =>
      collections.reduce((total, status) => total + of(status), 0);
    const rowsWritten = this.#retiredRowsWritten + sum((status) => status.rowsWritten);
    const rowsDeleted = this.#retiredRowsDeleted + sum((status) => status.rowsDeleted);
    const rates = this.#stages.measure({
      messagesRead: this.#messagesRead,
      bytesRead: this.#bytesRead,
      rowsApplied: rowsWritten + rowsDeleted,
      rowsCopied: this.#retiredRowsCopied + sum((status) => status.copy?.rowsCopied ?? 0),
    });
    const source = this.#source.status(channels);
    this.#noteClock(source);
    const state = this.#state(collections, question !== undefined || (told.operationsWaiting ?? 0) > 0);
    const lagMs = { ...lagNow(collections), ...this.#latencies.summary() };
    const { budgetUsedBytes } = input;
    return {
      ...told,
      collections: collections.map(withoutLevelShards),
      at: now,
      state,
      ...(trouble === undefined ? {} : { trouble }),
      calls: { ...this.#calls },
      rowsWritten,
      rowsDeleted,
      bytesRead: this.#bytesRead,
      messagesRead: this.#messagesRead,
      unknownMessages: { ...this.#unknown },
      skippedOperations: { ...this.#skipped },
      lagMs,
      isInSync: state === 'following' && targetSilentSinceMs === undefined && isLevel(lagMs.now, source),
      source,
      stages: {
        ...(rates === undefined ? {} : { rates }),
        ...(rowsWaiting === undefined ? {} : { rowsWaiting }),
        bottleneck: bottleneckOf({
          trouble,
          collections,
          channels,
          source,
          rates,
          budgetUsedBytes,
          targetSilentSinceMs,
          now,
        }),
      },
      notices: [...this.#notices],
    };
  }

  #noteClock({ clockAheadMs }: SourceStatus): void {
    if (clockAheadMs === undefined || this.#isClockNoted) return;
    this.#isClockNoted = true;
    const seconds = Math.round(clockAheadMs / 1000);
    this.notice(
      `The source's clock is ${seconds} s ahead of this machine's. Lags are counted by the source's clock; set both by one time server.`,
    );
  }

  #withLag(status: CollectionStatus, targetSilentSinceMs: number | undefined): CollectionStatus {
    // What a copy has not brought yet has no age.
    if (status.state === 'copying') return status;
    const lag = (confirmedMs: number): { lagMs?: number } => {
      if (confirmedMs === 0) return {};
      const silenceMs = targetSilentSinceMs === undefined ? 0 : this.#clock.now() - targetSilentSinceMs;
      return { lagMs: Math.max(this.#source.ageMs(confirmedMs), silenceMs) };
    };
    const { shards } = status;
    return {
      ...status,
      ...lag(status.confirmedMs),
      ...(shards === undefined ? {} : { shards: shards.map((shard) => ({ ...shard, ...lag(shard.confirmedMs) })) }),
    };
  }

  /** @param isAsked A person is asked about something, whether or not rows wait for it. */
  #state(collections: readonly CollectionStatus[], isAsked: boolean): TaskState {
    if (this.#failure !== undefined) return isHeld(this.#failure.error.code) ? 'held' : 'failed';
    const states = new Set(collections.map((status) => status.state));
    if (states.has('failed')) return 'failed';
    if (isAsked) return 'held';
    for (const state of ['held', 'blocked'] as const) if (states.has(state)) return state;
    if (this.#troubles.size > 0) return 'blocked';
    if (!this.#hasStarted) return 'initializing';
    // Those whose copy is still to come are on their way too: a task follows only once every collection does.
    const isCopied = ({ state, copy }: CollectionStatus): boolean =>
      state === 'copying' || (state === 'initializing' && copy !== undefined);
    if (collections.some(isCopied)) return 'copying';
    return states.has('replaying') ? 'replaying' : 'following';
  }
}

function withoutLevelShards(status: CollectionStatus): CollectionStatus {
  const { shards, ...rest } = status;
  const isLevel = status.lagMs !== undefined && status.lagMs <= LEVEL_LAG_MS_MAX;
  return shards === undefined || !isLevel ? status : rest;
}

/** Of the collection that is furthest behind; none where one cannot be measured. */
function lagNow(collections: readonly CollectionStatus[]): { now?: number } {
  let now = 0;
  for (const { lagMs } of collections) {
    if (lagMs === undefined) return {};
    now = Math.max(now, lagMs);
  }
  return collections.length === 0 ? {} : { now };
}

const isLevel = (lagMs: number | undefined, { activity }: SourceStatus): boolean =>
  lagMs !== undefined && lagMs <= LEVEL_LAG_MS_MAX && (activity === 'changing' || activity === 'idle');
