/** The target's keys under the source's names. See `target/mapped-target.ts`. */
import { compileMapping, type CompiledMapping, type NameMapping } from '../../../../shared/model/name-mapping.ts';
import type { LoadedPart } from '../../../../shared/model/task-state.ts';
import type { TimeTick } from '../../../../shared/time/time-tick.ts';
import type { PrimaryKeys } from '../../codec/records.ts';
import type { CollectionAddress } from '../../milvus/collection-address.ts';
import type { CollectionState, KeysCount, KeySource, KeysRead, WillLoad } from './row-source.ts';

class MappedKeys implements KeySource {
  readonly #keys: KeySource;
  readonly #mapping: CompiledMapping;

  constructor(keys: KeySource, mapping: CompiledMapping) {
    this.#keys = keys;
    this.#mapping = mapping;
  }

  now(signal: AbortSignal): Promise<TimeTick | undefined> {
    return this.#keys.now(signal);
  }

  describe(address: CollectionAddress, signal: AbortSignal): Promise<CollectionState | undefined> {
    return this.#keys.describe(this.#mapped(address), signal);
  }

  readKeys(read: KeysRead, signal: AbortSignal): Promise<PrimaryKeys | undefined> {
    return this.#keys.readKeys({ ...read, ...this.#mapped(read) }, signal);
  }

  countKeys(count: KeysCount, signal: AbortSignal): Promise<{ readonly rows: number; readonly keys: number }> {
    return this.#keys.countKeys({ ...count, ...this.#mapped(count) }, signal);
  }

  load(
    address: CollectionAddress,
    earlier: LoadedPart | undefined,
    willLoad: WillLoad,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#keys.load(this.#mapped(address), earlier, willLoad, signal);
  }

  release(address: CollectionAddress, loaded: LoadedPart, signal: AbortSignal): Promise<void> {
    return this.#keys.release(this.#mapped(address), loaded, signal);
  }

  #mapped({ database, collection }: CollectionAddress): CollectionAddress {
    return this.#mapping.address({ database, collection });
  }
}

/** The same ones where no name is another. */
export function mapKeys(keys: KeySource, mapping: NameMapping): KeySource {
  const compiled = compileMapping(mapping);
  return compiled.isSameNames ? keys : new MappedKeys(keys, compiled);
}
