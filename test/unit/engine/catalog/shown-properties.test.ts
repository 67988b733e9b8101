import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { asCollectionId, type CollectionId } from '../../../../shared/model/ids.ts';
import { ReplicationError } from '../../../../shared/model/replication-error.ts';
import type { KeyValue } from '../../../../shared/model/key-value.ts';
import type { Catalog, CatalogCollection } from '../../../../electron/engine/source/catalog/catalog.ts';
import { withShownProperties } from '../../../../electron/engine/source/catalog/shown-properties.ts';
import { MemorySource } from '../../../support/memory-source.ts';

beforeEach(() => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
});

const ttl = (value: string): readonly KeyValue[] => [{ key: 'collection.ttl.seconds', value }];

/** A 2.3: its etcd is one alteration behind. */
function oldSource() {
  const memory = new MemorySource(1);
  const id = asCollectionId(memory.createCollection('a', { channels: [0] }).id);
  const { catalog } = memory;
  const shown = { calls: 0, properties: [] as readonly KeyValue[], isAnswering: true, isSlow: false };
  let before: readonly KeyValue[] = [];
  const put = (change: Partial<CatalogCollection>): void => {
    const found = catalog.collections.get(id);
    if (found === undefined) throw new Error('There is no such collection.');
    catalog.put({ ...found, ...change });
  };
  put({ changedAt: 1n });
  const alter = (properties: readonly KeyValue[], changedAt: bigint): void => {
    put({ properties: before, changedAt });
    before = properties;
    if (!shown.isSlow) shown.properties = properties;
  };
  const wrapped = withShownProperties(catalog, {
    read: () => {
      shown.calls += 1;
      if (!shown.isAnswering) throw new ReplicationError('unreachable', 'source', 'It does not answer.');
      return Promise.resolve(shown.properties);
    },
    close: () => undefined,
  });
  onTestFinished(() => wrapped.close());
  return { wrapped, shown, alter, id };
}

async function propertiesOf(catalog: Catalog, id: CollectionId): Promise<unknown> {
  const found = (await catalog.snapshot()).collections.find((collection) => collection.id === id);
  return found?.isBehind === true ? 'of the past, perhaps' : found?.properties;
}

const LATE_MS = 2_000;

describe("a collection's properties", () => {
  test('are those that the source shows, where its etcd is one alteration behind', async () => {
    const { wrapped, alter, id } = oldSource();
    alter(ttl('60'), 2n);
    expect(await propertiesOf(wrapped, id)).toEqual(ttl('60'));
    alter(ttl('90'), 3n);
    expect(await propertiesOf(wrapped, id)).toEqual(ttl('90'));
  });

  test('are asked for again only when the collection has been stored anew', async () => {
    const { wrapped, shown, alter, id } = oldSource();
    await propertiesOf(wrapped, id);
    await vi.advanceTimersByTimeAsync(LATE_MS);
    await propertiesOf(wrapped, id);
    expect(shown.calls).toBe(2);
    await propertiesOf(wrapped, id);
    expect(shown.calls).toBe(2);
    alter(ttl('60'), 2n);
    await propertiesOf(wrapped, id);
    expect(shown.calls).toBe(3);
  });

  test('that the source shows late are looked for once more', async () => {
    const { wrapped, shown, alter, id } = oldSource();
    let changes = 0;
    wrapped.watch(() => (changes += 1), new AbortController().signal);
    shown.isSlow = true;
    alter(ttl('60'), 2n);
    expect(await propertiesOf(wrapped, id)).toEqual([]);
    const before = changes;
    shown.properties = ttl('60');
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(changes).toBe(before + 1);
    expect(await propertiesOf(wrapped, id)).toEqual(ttl('60'));
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(changes).toBe(before + 1);
  });

  test('are called of the past while the source does not answer, and are asked for until it does', async () => {
    const { wrapped, shown, alter, id } = oldSource();
    let changes = 0;
    wrapped.watch(() => (changes += 1), new AbortController().signal);
    shown.isAnswering = false;
    alter(ttl('60'), 2n);
    expect(await propertiesOf(wrapped, id)).toBe('of the past, perhaps');
    const before = changes;
    shown.isAnswering = true;
    await vi.advanceTimersByTimeAsync(LATE_MS);
    expect(changes).toBe(before + 1);
    expect(await propertiesOf(wrapped, id)).toEqual(ttl('60'));
  });
});
