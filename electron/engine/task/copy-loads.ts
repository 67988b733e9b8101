/**
 * What is loaded so that a copy can read it, on either side. It is on disk before it is loaded, so that a later run releases
 * it after a crash. What was loaded before stays so. That somebody loads it while it is loaded for a copy cannot be seen.
 */
import type { CollectionId } from '../../../shared/model/ids.ts';
import type { LoadedForCopy, LoadedPart, TaskStore } from '../../../shared/model/task-state.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { KeySource } from '../source/rows/row-source.ts';

export interface CopyLoadsContext {
  readonly side: keyof LoadedForCopy;
  readonly cluster: Pick<KeySource, 'load' | 'release'>;
  readonly store: Pick<TaskStore, 'loadedForCopy' | 'setLoadedForCopy'>;
  readonly id: CollectionId;
}

export class CopyLoads {
  readonly #context: CopyLoadsContext;

  constructor(context: CopyLoadsContext) {
    this.#context = context;
  }

  /** By this run or an earlier one. */
  get loaded(): LoadedPart | undefined {
    const { store, id, side } = this.#context;
    return store.loadedForCopy(id)[side];
  }

  /** Loads what is not loaded. @throws notReady where that takes longer than some seconds; to be called again then. */
  load(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    return this.#context.cluster.load(address, this.loaded, (part) => this.#note(part), signal);
  }

  /** Releases what was loaded for the copy. */
  async release(address: CollectionAddress, signal: AbortSignal): Promise<void> {
    const { loaded } = this;
    if (loaded === undefined) return;
    await this.#context.cluster.release(address, loaded, signal);
    this.#note(undefined);
  }

  /** It stays as it is. */
  keep(): void {
    if (this.loaded !== undefined) this.#note(undefined);
  }

  #note(part: LoadedPart | undefined): void {
    const { store, id, side } = this.#context;
    store.setLoadedForCopy(id, side, part);
  }
}
