/** Privilege groups and grants of them, against a server of ours: 2.3.5, which the lab runs, knows neither. */
import * as grpc from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { openMilvusRights } from '../../../../electron/engine/milvus/milvus-rights.ts';
import type { RightsKeeper } from '../../../../electron/engine/milvus/rights.ts';
import { decodeRequest, encodeMessage } from '../../../support/milvus-messages.ts';

const never = new AbortController().signal;
let server: grpc.Server;
let keeper: RightsKeeper;
let calls: (readonly [string, Record<string, unknown>])[];

const ANSWERS: Readonly<Record<string, Uint8Array>> = {
  ListCredUsers: encodeMessage('ListCredUsersResponse', { status: {}, usernames: ['root'] }),
  ListDatabases: encodeMessage('ListDatabasesResponse', { status: {}, dbNames: ['default'] }),
  SelectRole: encodeMessage('SelectRoleResponse', { status: {}, results: [{ role: { name: 'reader' }, users: [] }] }),
  SelectGrant: encodeMessage('SelectGrantResponse', {
    status: {},
    entities: ['Search', 'looking', 'DatabaseAdmin'].map((name) => ({
      role: { name: 'reader' },
      object: { name: name === 'Search' ? 'Collection' : 'Global' },
      objectName: 'orders',
      dbName: 'default',
      grantor: { privilege: { name } },
    })),
  }),
};
const GROUPS: Readonly<Record<string, Uint8Array>> = {
  ListPrivilegeGroups: encodeMessage('ListPrivilegeGroupsResponse', {
    status: {},
    privilegeGroups: [
      { groupName: 'looking', privileges: [{ name: 'Search' }, { name: 'Query' }] },
      { groupName: 'ClusterAdmin', privileges: [{ name: 'CreateDatabase' }] },
    ],
  }),
  CreatePrivilegeGroup: new Uint8Array(),
  OperatePrivilegeGroup: new Uint8Array(),
  OperatePrivilegeV2: new Uint8Array(),
};

const bytes = (value: Buffer): Buffer => value;

async function open(answers: Readonly<Record<string, Uint8Array>>): Promise<void> {
  calls = [];
  server = new grpc.Server();
  for (const [name, answer] of Object.entries(answers)) {
    const method: grpc.MethodDefinition<Buffer, Buffer> = {
      path: `/milvus.proto.milvus.MilvusService/${name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes,
      requestDeserialize: bytes,
      responseSerialize: bytes,
      responseDeserialize: bytes,
    };
    const handle: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, respond) => {
      calls.push([name, decodeRequest(`${name}Request`, request)]);
      respond(null, Buffer.from(answer));
    };
    server.addService({ [name]: method }, { [name]: handle });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  keeper = openMilvusRights({ address: `127.0.0.1:${port}` }, 'source');
}

afterEach(async () => {
  await keeper.close();
  server.forceShutdown();
});

it('reads the groups that users have made, and tells grants of groups from others', async () => {
  await open({ ...ANSWERS, ...GROUPS });
  const { groups, roles } = await keeper.read(never);
  expect(groups).toEqual([{ name: 'looking', privileges: ['Search', 'Query'] }]);
  expect(roles[0]?.grants.map(({ privilege, isGroup }) => [privilege, isGroup])).toEqual([
    ['Search', undefined],
    ['looking', true],
    ['DatabaseAdmin', true],
  ]);
});

it('finds none at a server that does not offer the call', async () => {
  await open(ANSWERS);
  const { groups, users } = await keeper.read(never);
  expect({ groups, users }).toEqual({ groups: undefined, users: ['root'] });
});

it('makes and fills a group, and grants it by the call that takes groups', async () => {
  await open(GROUPS);
  await keeper.change({ operation: 'createPrivilegeGroup', group: 'looking' }, never);
  const privileges = ['Search', 'Query'];
  await keeper.change({ operation: 'operatePrivilegeGroup', group: 'looking', privileges, isAdded: false }, never);
  const grant = { object: 'Global', objectName: 'orders', database: 'shop', privilege: 'looking', isGroup: true };
  await keeper.change({ operation: 'operatePrivilegeV2', role: 'reader', grant, isAdded: true }, never);
  expect(calls).toEqual([
    ['CreatePrivilegeGroup', { groupName: 'looking' }],
    ['OperatePrivilegeGroup', { groupName: 'looking', privileges: [{ name: 'Search' }, { name: 'Query' }], type: 1 }],
    [
      'OperatePrivilegeV2',
      {
        role: { name: 'reader' },
        grantor: { privilege: { name: 'looking' } },
        dbName: 'shop',
        collectionName: 'orders',
      },
    ],
  ]);
});
