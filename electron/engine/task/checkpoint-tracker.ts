/** Gathers confirmed checkpoints and stores them together, now and then: one transaction instead of five a second each. */
import type { PChannel, VChannel } from '../../../shared/model/ids.ts';
import type { Checkpoint } from '../../../shared/model/position.ts';
import type { TaskStore } from '../../../shared/model/task-state.ts';

/** What a crash makes us read again, at most; a transaction costs a few milliseconds of disk. */
const STORE_INTERVAL_MS = 500;

export class CheckpointTracker {
  readonly #store: TaskStore;
  #epoch: number;
  readonly #failed: (error: unknown) => void;
  readonly #shards = new Map<VChannel, Checkpoint>();
  readonly #channels = new Map<PChannel, Checkpoint>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `failed`: the store refuses; the task must stop. */
  constructor(store: TaskStore, epoch: number, failed: (error: unknown) => void) {
    this.#store = store;
    this.#epoch = epoch;
    this.#failed = failed;
  }

  /** A new epoch was opened in the store: what was confirmed before has been stored. */
  epochOpened(epoch: number): void {
    this.#epoch = epoch;
  }

  confirmShard(vchannel: VChannel, checkpoint: Checkpoint): void {
    this.#shards.set(vchannel, checkpoint);
    this.#schedule();
  }

  confirmChannel(channel: PChannel, checkpoint: Checkpoint): void {
    this.#channels.set(channel, checkpoint);
    this.#schedule();
  }

  /** Stores what is gathered. @throws storeFailed. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#shards.size + this.#channels.size === 0) return;
    this.#store.saveCheckpoints(this.#epoch, { shards: this.#shards, channels: this.#channels });
    this.#shards.clear();
    this.#channels.clear();
  }

  /** Ends the schedule without storing: the store may be closed from now on, whatever is still confirmed. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      try {
        this.flush();
      } catch (error) {
        this.#failed(error);
      }
    }, STORE_INTERVAL_MS);
  }
}
