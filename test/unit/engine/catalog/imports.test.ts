/** Imports, from what a live 2.3.5 has stored of two of them, and from messages after the source of 2.4 and 2.5. */
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { assembleImports } from '../../../../electron/engine/source/catalog/assemble-imports.ts';

/** `importtask/<id>`: 500 rows each of one JSON file (its path shortened), into a collection of two shards and a partition of it. */
const RECORDED = [
  'CLeA8PyAm4rEBhgBIJqA8PyAm4rEBiibgPD8gJuKxAYyL2xhYi1zb3VyY2Utcm9vdGNvb3JkLWRtbF8wXzQ3MDY3MTA2OTUwMDE0NTY5MHYwMi9sYWItc291cmNlLXJvb3Rjb29yZC1kbWxfMV80NzA2NzEwNjk1MDAxNDU2OTB2MUo5L3Zhci9saWIvbWlsdnVzL3N0b3JhZ2UvYnVsay9fX19fX19fX19fX19fX19fX19fcm93cy5qc29uUIDTktgGWhkIBhISu4Dw/ICbisQG/Zr8/ICbisQGIPQDYgNpbXBqCF9kZWZhdWx0chcKEHByb2dyZXNzX3BlcmNlbnQSAzEwMHIUCgxwZXJzaXN0X2Nvc3QSBDAuMTF4gNOS2AY=',
  'CLyA8PyAm4rEBhgBIJqA8PyAm4rEBiiegPD8gJuKxAYyL2xhYi1zb3VyY2Utcm9vdGNvb3JkLWRtbF8wXzQ3MDY3MTA2OTUwMDE0NTY5MHYwMi9sYWItc291cmNlLXJvb3Rjb29yZC1kbWxfMV80NzA2NzEwNjk1MDAxNDU2OTB2MUo4L3Zhci9saWIvbWlsdnVzL3N0b3JhZ2UvYnVsay9fX19fX19fX19fX19fX19fX19yb3dzLmpzb25QgNOS2AZaGQgGEhKJm/z8gJuKxAaIm/z8gJuKxAYg9ANiA2ltcGoBcHIXChBwcm9ncmVzc19wZXJjZW50EgMxMDByFAoMcGVyc2lzdF9jb3N0EgQwLjEweIHTktgG',
];

/**
 * milvus-io/milvus: `ImportJob` of pkg/proto/data_coord.proto (2.5; internal/proto/data_coord.proto of 2.4 has the same fields),
 * `ImportFile` and `ImportJobState` of pkg/proto/internal.proto, `KeyValuePair` of common.proto.
 */
const types = protobuf.Root.fromJSON({
  nested: {
    KeyValuePair: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    ImportFile: { fields: { id: { type: 'int64', id: 1 }, paths: { rule: 'repeated', type: 'string', id: 2 } } },
    ImportJob: {
      fields: {
        jobID: { type: 'int64', id: 1 },
        dbID: { type: 'int64', id: 2 },
        collectionID: { type: 'int64', id: 3 },
        collectionName: { type: 'string', id: 4 },
        partitionIDs: { rule: 'repeated', type: 'int64', id: 5 },
        vchannels: { rule: 'repeated', type: 'string', id: 6 },
        timeoutTs: { type: 'uint64', id: 8 },
        cleanupTs: { type: 'uint64', id: 9 },
        requestedDiskSize: { type: 'int64', id: 10 },
        state: { type: 'int32', id: 11 },
        reason: { type: 'string', id: 12 },
        completeTime: { type: 'string', id: 13 },
        files: { rule: 'repeated', type: 'ImportFile', id: 14 },
        options: { rule: 'repeated', type: 'KeyValuePair', id: 15 },
        startTime: { type: 'string', id: 16 },
      },
    },
  },
}).lookupType('ImportJob');

const job = (state: number): Uint8Array =>
  types
    .encode(
      types.fromObject({
        jobID: '455000000000000123',
        dbID: '1',
        collectionID: '455000000000000007',
        collectionName: 'orders',
        partitionIDs: ['455000000000000008'],
        vchannels: ['by-dev-rootcoord-dml_0_455000000000000007v0'],
        timeoutTs: '455000000000000999',
        requestedDiskSize: '1024',
        state,
        completeTime: '2026-11-23T20:00:00Z',
        files: [
          { id: '1', paths: ['a/id.npy', 'a/v.npy'] },
          { id: '2', paths: ['b.parquet'] },
        ],
        options: [{ key: 'timeout', value: '300s' }],
      }),
    )
    .finish();

const entry = (key: string, value: Uint8Array) => ({ key, value });

describe('an import', () => {
  test('of 2.3.5 tells its collection, its rows and what it has made', () => {
    const tasks = RECORDED.map((text, index) => entry(`importtask/${index}`, Buffer.from(text, 'base64')));
    const collectionId = 470671069500145690n;
    expect(assembleImports(tasks, [])).toEqual([
      {
        id: 470671069500145719n,
        collectionId,
        isCompleted: true,
        fileCount: 1,
        rowCount: 500n,
        partition: '_default',
        segments: [470671069500145723n, 470671069500345725n],
      },
      {
        id: 470671069500145724n,
        collectionId,
        isCompleted: true,
        fileCount: 1,
        rowCount: 500n,
        partition: 'p',
        segments: [470671069500345737n, 470671069500345736n],
      },
    ]);
  });

  test.each([
    [1, 'pending', false],
    [2, 'read ahead', false],
    [3, 'importing', false],
    [4, 'failed', false],
    [5, 'completed', true],
    [6, 'building indexes', false],
    [7, 'sorting', false],
  ])('of 2.4 and newer in the state %i (%s)', (state, _name, isCompleted) => {
    expect(assembleImports([], [entry('import-job/455000000000000123', job(state))])).toEqual([
      {
        id: 455000000000000123n,
        collectionId: 455000000000000007n,
        isCompleted,
        fileCount: 3,
        rowCount: undefined,
        partition: undefined,
        segments: [],
      },
    ]);
  });

  test('that cannot be read is named by its key', () => {
    const broken = entry('by-dev/meta/importtask/7', Uint8Array.of(0xff, 0xff));
    expect(() => assembleImports([broken], [])).toThrow(/under by-dev\/meta\/importtask\/7/);
    expect(() => assembleImports([], [entry('import-job/8', new Uint8Array())])).toThrow(/under import-job\/8/);
  });

  test('is none in an etcd without either key', () => {
    expect(assembleImports([], [])).toEqual([]);
  });
});
