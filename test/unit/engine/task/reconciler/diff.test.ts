import { describe, expect, test } from 'vitest';
import {
  stepsBetween,
  type FoundState,
  type WantedState,
} from '../../../../../electron/engine/task/reconciler/diff.ts';

const INDEX = { fieldName: 'v', indexName: 'iv', params: [{ key: 'index_type', value: 'FLAT' }] };
const OTHER = { ...INDEX, params: [{ key: 'index_type', value: 'HNSW' }] };

const wanted = (change: Partial<WantedState> = {}): WantedState => ({
  properties: [],
  removed: [],
  fields: [],
  indexes: [],
  load: undefined,
  ...change,
});
const found = (change: Partial<FoundState> = {}): FoundState => ({
  properties: new Map(),
  fields: new Map(),
  indexes: [],
  partitions: ['_default'],
  loadedPartitions: [],
  ...change,
});
const kinds = (...given: Parameters<typeof stepsBetween>): string[] => stepsBetween(...given).map(({ kind }) => kind);

describe('the steps between catalogue and copy', () => {
  test('are none where both are alike, whatever the target has besides', () => {
    const properties = new Map([
      ['lifeline.origin', '1/2'],
      ['of.the.operator', 'x'],
    ]);
    expect(stepsBetween(wanted({ indexes: [INDEX] }), found({ properties, indexes: [INDEX] }))).toEqual([]);
  });

  test('set properties that differ, and never those that are not to be copied', () => {
    const properties = [
      { key: 'collection.ttl.seconds', value: '60' },
      { key: 'replicate.id', value: 'x' },
      { key: 'lifeline.origin', value: 'another' },
      { key: 'lifeline.owner', value: 'another' },
      { key: 'lifeline.chain', value: 'another' },
    ];
    expect(stepsBetween(wanted({ properties }), found())).toEqual([
      { kind: 'setProperties', properties: [{ key: 'collection.ttl.seconds', value: '60' }] },
    ]);
  });

  test('make an index before it is loaded', () => {
    const load = { replicaNumber: 2, partitions: ['_default'], isWhole: true };
    expect(stepsBetween(wanted({ indexes: [INDEX], load }), found())).toEqual([
      { kind: 'createIndex', index: INDEX },
      { kind: 'load', replicaNumber: 2 },
    ]);
  });

  test('replace an index of other parameters, released meanwhile', () => {
    const load = { replicaNumber: 1, partitions: ['_default'], isWhole: true };
    const there = found({ indexes: [OTHER], loadedPartitions: ['_default'] });
    expect(kinds(wanted({ indexes: [INDEX], load }), there)).toEqual(['release', 'dropIndex', 'createIndex', 'load']);
  });

  test('take settings that the server has added for no difference', () => {
    const indexes = [{ ...INDEX, params: [...INDEX.params, { key: 'metric_type', value: 'L2' }] }];
    expect(stepsBetween(wanted({ indexes: [INDEX] }), found({ indexes }))).toEqual([]);
  });

  test('release what the source has released', () => {
    expect(kinds(wanted(), found({ loadedPartitions: ['_default'] }))).toEqual(['release']);
  });

  test('load the fields that the source has loaded', () => {
    const load = { replicaNumber: 1, partitions: ['_default'], isWhole: true, fields: ['id', 'vector'] };
    const there = found({ indexes: [INDEX] });
    const whole = wanted({ indexes: [INDEX], load });
    expect(stepsBetween(whole, there)).toEqual([{ kind: 'load', replicaNumber: 1, fields: ['id', 'vector'] }]);
    expect(stepsBetween({ ...whole, load: { ...load, isWhole: false } }, there)).toEqual([
      { kind: 'loadPartitions', partitions: ['_default'], replicaNumber: 1, fields: ['id', 'vector'] },
    ]);
  });

  test('load and release single partitions', () => {
    const load = { replicaNumber: 1, partitions: ['p', 'q'], isWhole: false };
    const there = found({ indexes: [INDEX], partitions: ['_default', 'p', 'q'], loadedPartitions: ['_default', 'p'] });
    expect(stepsBetween(wanted({ indexes: [INDEX], load }), there)).toEqual([
      { kind: 'releasePartitions', partitions: ['_default'] },
      { kind: 'loadPartitions', partitions: ['q'], replicaNumber: 1 },
    ]);
  });

  test('load nothing that the target does not have yet, and nothing without an index', () => {
    const load = { replicaNumber: 1, partitions: ['p'], isWhole: false };
    expect(stepsBetween(wanted({ indexes: [INDEX], load }), found({ indexes: [INDEX] }))).toEqual([]);
    const there = found({ partitions: ['_default', 'p'] });
    expect(stepsBetween(wanted({ load }), there)).toEqual([]);
  });

  test('release a loaded copy to change how it is mapped into memory, and load it again', () => {
    const properties = [{ key: 'mmap.enabled', value: 'true' }];
    const load = { replicaNumber: 1, partitions: ['_default'], isWhole: true };
    const there = found({ indexes: [INDEX], loadedPartitions: ['_default'] });
    expect(kinds(wanted({ properties, indexes: [INDEX], load }), there)).toEqual(['release', 'setProperties', 'load']);
  });

  test('take away properties that the source has no more, where they are there', () => {
    const properties = new Map([
      ['collection.ttl.seconds', '60'],
      ['of.the.operator', 'x'],
    ]);
    const removed = ['collection.ttl.seconds', 'not.there'];
    expect(stepsBetween(wanted({ removed }), found({ properties }))).toEqual([
      { kind: 'removeProperties', keys: ['collection.ttl.seconds'] },
    ]);
    const load = { replicaNumber: 1, partitions: ['_default'], isWhole: true };
    const there = found({
      ...{ properties: new Map([['mmap.enabled', 'true']]), indexes: [INDEX], loadedPartitions: ['_default'] },
    });
    expect(kinds(wanted({ removed: ['mmap.enabled'], indexes: [INDEX], load }), there)).toEqual([
      ...['release', 'removeProperties', 'load'],
    ]);
  });

  describe('alter the settings of a field', () => {
    const load = { replicaNumber: 1, partitions: ['_default'], isWhole: true };
    const there = found({
      fields: new Map([['v', new Map([['max_length', '64']])]]),
      indexes: [INDEX],
      loadedPartitions: ['_default'],
    });
    const setting = (field: string, key: string, value: string) =>
      stepsBetween(wanted({ fields: [{ field, key, value }], indexes: [INDEX], load }), there);

    test('where it is loaded, too', () => {
      expect(setting('v', 'max_length', '32')).toEqual([
        { kind: 'alterField', field: 'v', property: { key: 'max_length', value: '32' } },
      ]);
    });

    test('after a release, where they are how it is mapped into memory', () => {
      expect(setting('v', 'mmap.enabled', 'true').map(({ kind }) => kind)).toEqual(['release', 'alterField', 'load']);
    });

    test('where they differ, and of fields that the target has', () => {
      expect(setting('v', 'max_length', '64')).toEqual([]);
      expect(setting('not.there', 'max_length', '32')).toEqual([]);
    });
  });
});
