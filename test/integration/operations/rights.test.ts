/**
 * Fifty operations on roles, their members and grants, chosen by a seed, end in equal effective rights on the target. 2.3.5 writes
 * nothing of them into its log, with authorization on too: they are brought over from what its API shows.
 */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { LabSide } from '../../../electron/core/lab/lab.ts';
import { openMilvusRights } from '../../../electron/engine/milvus/milvus-rights.ts';
import { grantText } from '../../../electron/engine/milvus/rights.ts';
import { announceSeed } from '../../support/lab-figures.ts';
import { labRandom } from '../../support/lab-seed.ts';
import { done, OperationLab } from '../../support/operation-lab.ts';

const OPERATIONS = 50;
const USERS = ['ann', 'bob', 'cid', 'dot'];
const ROLES = ['reader', 'writer', 'keeper'];
const PRIVILEGES = ['Search', 'Query', 'Insert', 'Delete', 'Load'];
const DATABASES = ['default', 'shop', '*'];
const OBJECTS = ['orders', 'items', '*'];

let world: OperationLab;
beforeAll(async () => {
  world = await OperationLab.begin({ operations: { replicateRights: true } });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function rightsOf({ asTarget: { milvus } }: LabSide) {
  const cluster = openMilvusRights(milvus, 'source');
  try {
    const { users, roles } = await cluster.read(AbortSignal.timeout(30_000));
    return {
      users: users.toSorted(),
      roles: roles
        .map(({ name, members, grants }) => ({
          name,
          users: members.toSorted(),
          grants: grants.map(grantText).toSorted(),
        }))
        .toSorted((a, b) => a.name.localeCompare(b.name)),
    };
  } finally {
    await cluster.close();
  }
}

it('fifty random operations end in equal effective rights', { timeout: 300_000 }, async (context) => {
  await announceSeed(context);
  const random = labRandom('rights');
  const { source, target, task, lab } = world;
  const pick = <T>(all: readonly T[]): T => {
    const one = all[random.below(all.length)];
    if (one === undefined) throw new Error('nothing to pick');
    return one;
  };
  const told: Record<string, number> = {};
  // The client's own call knows no database in a grant.
  const keeper = openMilvusRights(lab.source.asTarget.milvus, 'source');
  onTestFinished(() => keeper.close());
  const grant = (isAdded: boolean) =>
    keeper.change(
      {
        operation: 'operatePrivilege',
        role: pick(ROLES),
        grant: {
          object: 'Collection',
          objectName: pick(OBJECTS),
          database: pick(DATABASES),
          privilege: pick(PRIVILEGES),
        },
        isAdded,
      },
      AbortSignal.timeout(30_000),
    );
  const operations: Readonly<Record<string, () => Promise<unknown>>> = {
    createRole: () => done(source.createRole({ roleName: pick(ROLES) })),
    dropRole: () => done(source.dropRole({ roleName: pick(ROLES) })),
    addUserToRole: () => done(source.addUserToRole({ username: pick(USERS), roleName: pick(ROLES) })),
    removeUserFromRole: () => done(source.removeUserFromRole({ username: pick(USERS), roleName: pick(ROLES) })),
    grant: () => grant(true),
    revoke: () => grant(false),
  };
  // Making is likelier than unmaking, or nothing would ever be there.
  const names = ['createRole', 'addUserToRole', 'grant', 'grant', ...Object.keys(operations)];
  // Nobody can read a password: users are made on both sides by the operator.
  for (const username of USERS) {
    for (const client of [source, target]) await done(client.createUser({ username, password: 'first-one' }));
  }
  await done(source.createDatabase({ db_name: 'shop' }));
  task.start();
  for (let count = 0; count < OPERATIONS;) {
    const name = pick(names);
    try {
      await operations[name]?.();
    } catch {
      // What the source refuses is no operation.
      continue;
    }
    told[name] = (told[name] ?? 0) + 1;
    count += 1;
    // Whatever was under way is read again.
    if (count === 20 || count === 35) {
      await task.kill();
      task.start();
    }
  }
  await task.stop();
  try {
    expect(await task.untilLevel(), task.lines.slice(-40).join('\n')).toBe(0);
    const [atSource, atTarget] = await Promise.all([rightsOf(lab.source), rightsOf(lab.target)]);
    console.log(`${OPERATIONS} operations:`, told);
    console.table(
      atTarget.roles.map(({ name, users, grants }) => ({ role: name, users: users.join(), grants: grants.join('; ') })),
    );
    expect(atTarget).toEqual(atSource);
  } finally {
    for (const line of task.lines) expect(line).not.toContain('first-one');
  }
});
