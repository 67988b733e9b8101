/** States of a fake core in which a protection lags, waits for a person, or is refused: beside those of `fake-states.ts`. */
import type { QuarantinedRecordView, TaskView } from '../../shared/contract/procedures.ts';
import { errorData, type FakeState } from './fake-client.ts';
import { calmState, joinOf, MINUTE_MS, type Collection, type Status } from './fake-states.ts';

type Change = (status: Status) => Partial<Status>;

/** As calm, but with another status of "orders". */
function changed(change: Change, parts: Partial<TaskView> = {}): FakeState {
  const state = calmState();
  state.tasks = state.tasks.map((one) =>
    one.id !== 'orders' || one.status === undefined
      ? one
      : { ...one, ...parts, status: { ...one.status, ...change(one.status) } },
  );
  return state;
}

/** The target does not keep up, and the log begins to run away. */
export function laggingState(): FakeState {
  return changed(({ at, collections, lagMs, stages, headroom = [] }) => ({
    isInSync: false,
    collections: collections.map((one, index) => ({
      ...one,
      confirmedMs: at - 260_000 + index,
      lagMs: 260_000 - index,
    })),
    lagMs: { ...lagMs, now: 260_000, p50: 4200, p99: 31_000 },
    stages: {
      ...stages,
      rowsWaiting: 312_400,
      bottleneck: {
        stage: 'target',
        reason: 'Reading waits, since 254 MiB of changes wait for the target (423 rows/s).',
        collection: 'shop.orders',
      },
    },
    budgetUsedBytes: 266_000_000,
    headroom: headroom.map((one, index) =>
      index === 0 ? { ...one, leftMs: 3 * 3_600_000 + 12 * MINUTE_MS, level: 'low', collection: 'shop.orders' } : one,
    ),
  }));
}

/** One channel of the source gives no sign, and what is needed of it will be gone in minutes. */
export function silentState(): FakeState {
  return changed(({ at, stages, headroom = [] }) => ({
    isInSync: false,
    stages: {
      ...stages,
      bottleneck: {
        stage: 'source',
        reason: "The source's log has brought nothing on by-dev-rootcoord-dml_1 for 42 s, not even its clock.",
        channel: 'by-dev-rootcoord-dml_1',
      },
    },
    source: {
      activity: 'silent',
      sinceMs: at - 42_000,
      silentChannels: ['by-dev-rootcoord-dml_1'],
      clockAheadMs: 2_400,
    },
    headroom: headroom.map((one) => ({ ...one, leftMs: 11 * MINUTE_MS, level: 'critical' })),
  }));
}

const lost = (name: string): NonNullable<Collection['trouble']> => {
  const { hint, ...error } = errorData(
    'positionLost',
    'wal',
    `The log no longer holds the changes of ${name} from 2026-11-20 08:12 to 2026-11-20 11:40.`,
    'Copy the collection afresh: the log no longer holds what has to be read.',
  );
  return { error, hint, since: Date.now() - 6 * MINUTE_MS };
};

const blockedAt = (stages: Status['stages'], collection: string, reason: string): Status['stages'] => ({
  ...stages,
  bottleneck: { stage: 'blocked', reason, collection },
});

/** The log has removed changes of two collections. */
export function gapState(): FakeState {
  const state = changed(({ at, collections, stages }) => ({
    state: 'held',
    isInSync: false,
    stages: blockedAt(stages, 'shop.orders', lost('shop.orders').error.message),
    collections: collections.map((one, index) =>
      index > 1 ? one : { ...one, state: 'held', trouble: lost(`shop.${one.name}`) },
    ),
    gaps: [
      {
        channel: 'by-dev-rootcoord-dml_0',
        vchannels: ['by-dev-rootcoord-dml_0_44810v0', 'by-dev-rootcoord-dml_0_44811v0'],
        collections: ['shop.order_items', 'shop.orders'],
        fromMs: at - 5 * 3_600_000,
        toMs: at - 2 * 3_600_000,
      },
    ],
  }));
  const gap = {
    channel: 'by-dev-rootcoord-dml_0',
    vchannel: 'by-dev-rootcoord-dml_0_44810v0',
    collectionId: '44810',
    database: 'shop',
    collection: 'orders',
    reason: 'removed' as const,
    from: { ordinal: '91822', tick: '470658248950677509', ms: Date.now() - 5 * 3_600_000 },
    to: { ordinal: '120034', ms: Date.now() - 2 * 3_600_000 },
    foundAt: Date.now() - 6 * MINUTE_MS,
  };
  const closed = { ...gap, vchannel: 'by-dev-rootcoord-dml_0_44812v0', collectionId: '44812', collection: 'customers' };
  state.gaps = { orders: [gap, { ...closed, foundAt: Date.now() - 20 * MINUTE_MS }] };
  state.joins = { orders: [{ ...joinOf('44812', 'customers', 401_433), isRecopy: true, rowsDeleted: '1204' }] };
  return state;
}

const recordOf = (id: string, parts: Partial<QuarantinedRecordView> = {}): QuarantinedRecordView => {
  const { hint, ...cause } = errorData(
    'invalidRequest',
    'target',
    'The target refuses the rows: the vector field "embedding" has dimension 512, the target expects 768.',
    'Compare the schema and settings of the collection on both sides, then resume.',
  );
  return {
    id,
    collectionId: '44816',
    database: 'shop',
    collection: 'images',
    vchannel: 'by-dev-rootcoord-dml_0_44816v0',
    channel: 'by-dev-rootcoord-dml_0',
    ordinal: '91822',
    tickMs: Date.now() - 9 * MINUTE_MS,
    kind: 'insert',
    byteCount: 412_880,
    rowCount: 200,
    cause,
    hint,
    since: Date.now() - 8 * MINUTE_MS,
    ...parts,
  };
};

/** Two messages that can never be applied, and one that somebody has skipped. */
export function quarantineState(): FakeState {
  const held = new Map([
    ['images', recordOf('r1')],
    ['sessions', recordOf('r2', { collection: 'sessions', collectionId: '44817', kind: 'malformed', rowCount: 0 })],
  ]);
  const state = changed(({ collections, stages }) => ({
    state: 'failed',
    isInSync: false,
    stages: blockedAt(stages, 'shop.images', recordOf('r1').cause.message),
    collections: collections.map((one) => {
      const record = held.get(one.name);
      if (record === undefined) return one;
      const { cause, hint, since } = record;
      return { ...one, state: 'failed', trouble: { error: cause, hint, since } };
    }),
  }));
  const decision = {
    kind: 'skip' as const,
    reason: 'Test rows of the importer; agreed with Mei.',
    at: Date.now() - 8.64e7,
  };
  state.quarantine = {
    orders: [
      ...held.values(),
      recordOf('r0', { collection: 'reviews', collectionId: '44814', ordinal: '77120', rowCount: 3, decision }),
    ],
  };
  state.summaries = {
    r1: {
      kind: 'insert',
      partition: '_default',
      rowCount: 200,
      columns: ['id', 'title', 'embedding'],
      firstKeys: ['470658247834468382', '470658247834468383', '470658247834468384'],
    },
    r2: { kind: 'malformed', problem: 'It cannot be read at byte 412: a field that ends behind its message.' },
  };
  return state;
}

/** Another engine writes into the target of "orders". */
export function inUseState(): FakeState {
  const { hint, ...error } = errorData(
    'targetInUse',
    'target',
    'Another Lifeline writes into the target from the same source: task "orders" on dr-2.example.com. Stop it there, or resume here and take the target over.',
    'Stop the other one, or take the target over if it is no longer needed.',
  );
  return changed(({ stages }) => ({
    state: 'held',
    isInSync: false,
    stages: { ...stages, bottleneck: { stage: 'blocked', reason: error.message } },
    collections: [],
    trouble: { error: { ...error, context: { host: 'dr-2.example.com' } }, hint, since: Date.now() - 2 * MINUTE_MS },
  }));
}

/** A drop waits for the operator's decision; the history beside it. */
export function questionState(): FakeState {
  const state = calmState();
  const [orders, ...others] = state.tasks;
  if (orders?.status === undefined) throw new Error('no protection');
  const [first, ...rest] = orders.status.collections;
  if (first === undefined) throw new Error('no collection');
  const { database, name, id } = first;
  const error = {
    ...errorData('decisionNeeded', 'config', `dropPartition of ${database}.${name}, north waits for your decision.`),
    context: { operationId: 'drop/1/2' },
  };
  const held = { ...first, state: 'held' as const, trouble: { error, hint: '', since: orders.status.at - 60_000 } };
  const event = {
    at: orders.status.at - 60_000,
    tick: '1',
    source: 'log' as const,
    database,
    collection: { id, name },
  };
  return {
    ...state,
    tasks: [
      { ...orders, status: { ...orders.status, state: 'held', operationsWaiting: 2, collections: [held, ...rest] } },
      ...others,
    ],
    operations: {
      [orders.id]: [
        { ...event, id: 'drop/1/2', operation: 'dropPartition', object: 'north', outcome: 'waiting' },
        {
          ...{ id: 'log/9', at: event.at, tick: '2', source: 'log', database: '' },
          ...{ operation: 'messageType 2110', outcome: 'waiting', isSkipOnly: true },
        },
        { ...event, operation: 'createIndex', outcome: 'applied' },
        {
          ...event,
          operation: 'flush',
          outcome: 'skipped',
          reason: 'A later flush of the collection was there already.',
        },
      ],
    },
  };
}

/** Databases, rights, collections that are gone, and a load that came and went often. */
export function historyState(): FakeState {
  const state = calmState();
  const at = Date.now();
  const event = { tick: '1', source: 'log' as const, outcome: 'applied' as const };
  const loads = Array.from({ length: 30 }, (_, index) => ({
    ...{ ...event, at: at - (index + 4) * MINUTE_MS, collection: { id: '447301', name: 'images' } },
    ...{ database: 'default', operation: index % 2 === 0 ? 'loadCollection' : 'releaseCollection' },
  }));
  return {
    ...state,
    operations: {
      orders: [
        { ...event, at: at - MINUTE_MS, operation: 'createDatabase', database: 'shop' },
        {
          ...{ ...event, at: at - 2 * MINUTE_MS, operation: 'operatePrivilege', database: '', object: 'analyst' },
          ...{ outcome: 'failed', reason: 'The target refused it.' },
        },
        {
          ...{ ...event, at: at - 3 * MINUTE_MS, operation: 'dropCollection', database: 'default' },
          ...{ source: 'catalogue', collection: { id: '440001', name: 'of_last_week' } },
        },
        ...loads,
      ],
    },
  };
}
