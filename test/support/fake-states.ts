/** States of a fake core to look at and to test with: a full house, an empty one, one in trouble. */
import type { ConnectionView, DrillView, JoinRecord, TaskView } from '../../shared/contract/procedures.ts';
import { errorData, type FakeClient, type FakeState } from './fake-client.ts';

export type Status = NonNullable<TaskView['status']>;
export type Collection = Status['collections'][number];

export const MINUTE_MS = 60_000;

export function cluster(id: string, name: string, parts: Partial<ConnectionView> = {}): ConnectionView {
  const whole = {
    milvus: { address: `${id}.example.com:19530`, username: 'lifeline' },
    etcd: { endpoints: [`etcd.${id}.example.com:2379`], rootPath: 'by-dev', metaSubPath: 'meta' },
    wal: { kind: 'kafka' as const, brokers: [`kafka.${id}.example.com:9092`], channelPrefix: 'by-dev' },
  };
  return {
    ...whole,
    id,
    name,
    secretsSet: ['milvus.password'],
    canBeSource: true,
    canBeTarget: true,
    isLab: false,
    usedBy: [],
    ...parts,
  };
}

export function collection(id: string, name: string, parts: Partial<Collection> = {}): Collection {
  return {
    id,
    database: 'shop',
    name,
    state: 'following',
    rowsWritten: 120_000,
    rowsDeleted: 400,
    confirmedMs: Date.now() - 400,
    shardCount: 2,
    ...parts,
  };
}

/** What the core derives from the rest is derived here too: lags, and whether all is well. */
export function status(taskId: string, given: Collection[], parts: Partial<Status> = {}): Status {
  const at = parts.at ?? Date.now();
  const collections = given.map((one) => withLag(one, at));
  const lags = collections.map(({ lagMs }) => lagMs);
  const now = lags.includes(undefined) || lags.length === 0 ? undefined : Math.max(...lags.map((lag) => lag ?? 0));
  const isInSync = (parts.state ?? 'following') === 'following' && now !== undefined && now < 2000;
  return {
    taskId,
    state: 'following',
    at,
    calls: { insert: 812, delete: 21 },
    rowsWritten: collections.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0),
    rowsDeleted: collections.reduce((sum, { rowsDeleted }) => sum + rowsDeleted, 0),
    bytesRead: 812_400_000,
    messagesRead: 48_211,
    unknownMessages: {},
    skippedOperations: {},
    operationsPending: 0,
    lagMs: { p50: 180, p99: 640, max: 2100, samples: 812, ...(now === undefined ? {} : { now }) },
    isInSync,
    source: { activity: 'changing' },
    stages: {
      rates: {
        messagesReadPerSecond: 61,
        bytesReadPerSecond: 720_000,
        rowsWrittenPerSecond: 423,
        rowsCopiedPerSecond: 0,
      },
      rowsWaiting: 840,
      bottleneck: { stage: 'none', reason: 'Changes are written as they come.' },
    },
    headroom: [0, 1].map((channel) => ({
      channel: `by-dev-rootcoord-dml_${String(channel)}`,
      leftMs: null,
      keptFromMs: at - 70 * 3_600_000,
      keptUntilMs: at + 72 * 3_600_000,
      level: 'ok' as const,
    })),
    budgetUsedBytes: 2_300_000,
    budgetPeakBytes: 41_000_000,
    notices: [],
    ...parts,
    collections,
  };
}

function withLag(collection: Collection, at: number): Collection {
  const { confirmedMs, state } = collection;
  if (confirmedMs === 0 || state === 'copying') return collection;
  return { ...collection, lagMs: Math.max(0, at - confirmedMs) };
}

export function task(id: string, name: string, parts: Partial<TaskView> = {}): TaskView {
  return {
    id,
    name,
    sourceId: 'orders-prod',
    targetId: 'standby',
    desired: 'running',
    createdAt: Date.UTC(2026, 9, 1),
    ...parts,
  };
}

const NAMES = ['orders', 'order_items', 'customers', 'products', 'reviews', 'search_terms', 'images', 'sessions'];

const refusedSince = (): NonNullable<Collection['trouble']> => {
  const { hint, ...error } = errorData(
    'writeRefused',
    'target',
    'The target refuses writes (quota exceeded). 3 collections wait, nothing is lost.',
    'Free memory on the target, or raise its quota; it goes on by itself.',
  );
  return { error, hint, since: Date.now() - 4 * MINUTE_MS, nextTryAt: Date.now() + 8000 };
};

export function emptyState(): FakeState {
  return { connections: [], tasks: [], lab: { state: 'absent' }, drill: { state: 'idle', steps: [] } };
}

/** Two protections that follow, one that is paused. */
const HELD_BY_ORDERS = [
  ...NAMES.map((name, index) => ({ database: 'shop', collection: name, rows: 1_204_300 - index * 97_000 })),
  { database: 'archive', collection: 'orders_2024', rows: 9_120_000 },
  { database: 'default', collection: 'scratch', rows: 12 },
];

export function calmState(): FakeState {
  const orders = NAMES.map((name, index) =>
    collection(`4481${String(index)}`, name, {
      rowsWritten: 1_204_300 / (index + 1) - ((1_204_300 / (index + 1)) % 1),
    }),
  );
  return {
    connections: [
      cluster('orders-prod', 'orders-prod', { usedBy: ['orders', 'media'] }),
      cluster('standby', 'standby', { usedBy: ['orders', 'media', 'nightly'] }),
      cluster('analytics', 'analytics', { milvus: undefined, canBeTarget: false, usedBy: ['nightly'] }),
      cluster('archive', 'archive', { etcd: undefined, wal: undefined, canBeSource: false }),
    ],
    held: { 'orders-prod': HELD_BY_ORDERS },
    tasks: [
      task('orders', 'orders', {
        status: status('orders', orders, {
          notices: ['Keys of shop.sessions are generated by the source; the target keeps them as they are.'],
          skippedOperations: { createAlias: 2 },
        }),
      }),
      task('media', 'media library', {
        createdAt: Date.UTC(2026, 9, 2),
        status: status('media', [collection('5512', 'clips', { database: 'media', rowsWritten: 88_200 })], {
          bytesRead: 64_000_000,
        }),
      }),
      task('nightly', 'nightly reports', {
        createdAt: Date.UTC(2026, 9, 3),
        sourceId: 'analytics',
        desired: 'paused',
        pausedAt: Date.now() - 26 * MINUTE_MS,
        status: status('nightly', [collection('77', 'facts', { confirmedMs: Date.now() - 26 * MINUTE_MS })]),
      }),
    ],
    lab: { state: 'stopped' },
    drill: { state: 'idle', steps: [] },
    oldestKept: { 'orders-prod': { oldestMs: Date.now() - 70 * 60 * MINUTE_MS, perChannel: [] } },
  };
}

/** The lab runs and nothing is protected yet. */
export function labState(): FakeState {
  return {
    ...emptyState(),
    connections: [
      cluster('lab-source', 'Lab source', { isLab: true }),
      cluster('lab-target', 'Lab target', { isLab: true, etcd: undefined, wal: undefined, canBeSource: false }),
    ],
    lab: { state: 'running', sourceId: 'lab-source', targetId: 'lab-target' },
  };
}

/** As calm, but the target of "orders" refuses writes and one collection has failed. */
export function troubledState(): FakeState {
  const state = calmState();
  const { hint, ...error } = errorData(
    'invalidRequest',
    'target',
    'The target refuses rows of shop.images: the vector field "embedding" has dimension 512, the target expects 768.',
    'Compare the schema and settings of the collection on both sides, then resume.',
  );
  state.tasks = state.tasks.map((one) =>
    one.id !== 'orders' || one.status === undefined
      ? one
      : {
          ...one,
          status: {
            ...one.status,
            state: 'blocked',
            trouble: refusedSince(),
            collections: one.status.collections.map((entry, index) => {
              const confirmedMs = Date.now() - 4 * MINUTE_MS;
              if (index < 3) return { ...entry, state: 'blocked', trouble: refusedSince(), confirmedMs };
              if (entry.name === 'images') {
                return { ...entry, state: 'failed', trouble: { error, hint, since: confirmedMs }, confirmedMs };
              }
              if (entry.name === 'sessions') {
                return {
                  ...entry,
                  state: 'initializing',
                  detail: 'Creating the collection on the target.',
                  confirmedMs: 0,
                };
              }
              return entry;
            }),
          },
        },
  );
  return state;
}

export const joinOf = (collectionId: string, collection: string, rows: number): JoinRecord => ({
  collectionId,
  database: 'shop',
  collection,
  rowsCopied: String(rows),
  sourceDoubles: '0',
  copyBegan: Date.now() - 12 * MINUTE_MS,
  copyEnded: Date.now() - 4 * MINUTE_MS,
  joined: Date.now() - 3 * MINUTE_MS,
  shards: [0, 1].map((shard) => ({
    vchannel: `by-dev-rootcoord-dml_${String(shard)}_${collectionId}v${String(shard)}`,
    copyStart: '1204',
    copyEnd: '5310',
    joinedAt: '5322',
    joinedTick: '470658248950677509',
  })),
});

const RATES_OF_A_COPY = {
  messagesReadPerSecond: 22,
  bytesReadPerSecond: 180_000,
  rowsWrittenPerSecond: 60,
  rowsCopiedPerSecond: 4920,
};

/** As calm, but "orders" is being copied: one collection is through, one has not been counted yet. */
export function copyingState(): FakeState {
  const state = calmState();
  state.tasks = state.tasks.map((one) => {
    if (one.id !== 'orders' || one.status === undefined) return one;
    const collections = one.status.collections.slice(0, 4).map((entry, index): Collection => {
      if (index === 0) return { ...entry, state: 'replaying' };
      const copy = { rowsCopied: 31_000 * index, sourceDoubles: 0, ...(index === 3 ? {} : { rowsTotal: 100_000 }) };
      return { ...entry, state: 'copying', confirmedMs: 0, rowsWritten: copy.rowsCopied, copy };
    });
    const stages = {
      rates: { ...RATES_OF_A_COPY },
      rowsWaiting: 12_000,
      bottleneck: { stage: 'copy' as const, reason: '3 collections are being copied.' },
    };
    const lagMs = { p50: 0, p99: 0, max: 0, samples: 0 };
    return {
      ...one,
      copyBudget: { rowsPerSecond: 5000 },
      status: { ...one.status, state: 'copying', collections, stages, lagMs, isInSync: false },
    };
  });
  state.joins = { orders: [joinOf('44810', 'orders', 1_204_300), joinOf('44811', 'order_items', 602_150)] };
  return state;
}

/** Hundreds of collections in one protection. */
export function crowdedState(count: number): FakeState {
  const state = calmState();
  const collections = Array.from({ length: count }, (_, index) =>
    collection(String(9000 + index), `tenant_${String(index).padStart(4, '0')}`, {
      rowsWritten: (index * 7919) % 100_000,
    }),
  );
  state.tasks = [task('orders', 'orders', { status: status('orders', collections) })];
  return state;
}

export const RUNNING_DRILL: DrillView = {
  state: 'running',
  steps: [
    { title: 'Start the source and the target', state: 'done', durationMs: 24_300 },
    { title: 'Start to replicate', state: 'done', durationMs: 1200 },
    { title: 'Write the load', state: 'running', message: '12,480 of 20,000 rows, 612 rows/s' },
    { title: 'Wait until everything is confirmed', state: 'waiting' },
    { title: 'Compare every row', state: 'waiting' },
  ],
};

export const DONE_DRILL: DrillView = {
  state: 'done',
  steps: RUNNING_DRILL.steps.map(({ title }, index) => ({ title, state: 'done', durationMs: 1200 + index * 7300 })),
  report: {
    version: 1,
    equal: true,
    startedAt: '2026-11-20T08:00:00Z',
    durationMs: 71_400,
    wal: 'nats',
    seed: 7,
    rows: { written: 26_412, source: 19_204, target: 19_204, ledger: 19_204 },
    operations: { total: 1812, byKind: { insert: 800, upsert: 600, delete: 412 }, unknown: 0 },
    lagMs: { p50: 210, p99: 870 },
    rowsPerSecond: 1210,
    collections: ['orders', 'events', 'documents'].map((name, index) => ({
      database: 'drill',
      collection: name,
      equal: true,
      rowsSource: 6401 + index,
      rowsTarget: 6401 + index,
      missing: 0,
      extra: 0,
      different: 0,
      doublesSource: 0,
      doublesTarget: 0,
      ledger: { rows: 6401 + index, sourceMissing: 0, sourceExtra: 0, sourceDifferent: 0 },
      shape: [],
      examples: [],
    })),
    phases: RUNNING_DRILL.steps.map(({ title }, index) => ({ name: title, durationMs: 1200 + index * 7300 })),
  },
};

const MOVING: ReadonlySet<Status['state']> = new Set(['following', 'copying', 'replaying']);

/** Lets the running protections write rows. @returns how to stop it. */
export function keepMoving(client: FakeClient, intervalMs: number): () => void {
  let beat = 0;
  const timer = setInterval(() => {
    beat += 1;
    client.state.tasks = client.state.tasks.map((one, index) => {
      if (one.desired === 'paused' || one.status === undefined || !MOVING.has(one.status.state)) return one;
      // "media" is idle: its source writes nothing.
      const rows = index === 0 ? Math.round(420 * (1 + Math.sin(beat / 6)) + Math.random() * 120) : 0;
      const at = Date.now();
      const next: Status = {
        ...one.status,
        at,
        rowsWritten: one.status.rowsWritten + rows,
        bytesRead: one.status.bytesRead + rows * 1700,
        messagesRead: one.status.messagesRead + Math.ceil(rows / 40),
        collections: one.status.collections.map((entry, place) => ({
          ...entry,
          ...(entry.lagMs === undefined
            ? {}
            : { confirmedMs: at - 300 - (place % 10) * 20, lagMs: 300 + (place % 10) * 20 }),
          rowsWritten: entry.rowsWritten + (place === 0 ? rows : 0),
        })),
        ...(index === 0 || one.status.source === undefined
          ? {}
          : { source: { activity: 'idle', sinceMs: at - 3 * MINUTE_MS - beat * intervalMs } }),
      };
      client.emit('task.status', { id: one.id, status: next });
      return { ...one, status: next };
    });
  }, intervalMs);
  return () => clearInterval(timer);
}
