import { expect, it } from 'vitest';
import { fieldOfPath, partOf } from '../../../renderer/features/clusters/form-fields.ts';

it.each([
  ['name', 'name'],
  ['milvus.address', 'milvus.address'],
  ['milvus', 'milvus.address'],
  ['etcd.endpoints[1]', 'etcd.endpoints'],
  ['etcd.endpoints.1', 'etcd.endpoints'],
  ['wal.servers[0]', 'log.addresses'],
  ['wal.brokers', 'log.addresses'],
  ['wal.sasl.username', 'log.username'],
  ['wal.sasl.mechanism', 'log.mechanism'],
  ['wal.tls.ca', 'log.tls.ca'],
  ['etcd', 'etcd.endpoints'],
  ['wal', 'log.addresses'],
])('finds the field for the path %s of the contract', (path, field) => {
  expect(fieldOfPath(path)).toBe(field);
});

it('has no field for the input as a whole, nor for what is no part of the form', () => {
  for (const path of ['', 'testId', 'sourceId']) expect(fieldOfPath(path)).toBeUndefined();
});

it('knows the tab of a field', () => {
  expect(['name', 'milvus.address', 'log.tls.ca'].map(partOf)).toEqual([undefined, 'milvus', 'log']);
});
