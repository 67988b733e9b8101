/**
 * A core in memory with plausible, moving data: for the tests of the window and for screenshots. It keeps to the
 * contract's rules that a window can see: what is refused, which events follow which call, that secrets never come back.
 */
import { ContractError, type ContractClient, type LinkState } from '../../shared/contract/client.ts';
import type {
  ConnectionDraft,
  ConnectionView,
  ContractErrorData,
  DrillView,
  EventName,
  EventPayload,
  GapRecord,
  Hop,
  JoinRecord,
  LabView,
  OldestKept,
  OperationRecordView,
  PreviewConflict,
  ProcedureInput,
  ProcedureName,
  ProcedureOutput,
  QuarantinedRecordView,
  RecordSummary,
  SelectionPreview,
  TaskView,
} from '../../shared/contract/procedures.ts';
import { nameText } from '../../shared/model/collection-name.ts';
import { compileMapping, nameMappingSchema, type NameMappingInput } from '../../shared/model/name-mapping.ts';
import { compileSelection, selectionSchema, type SelectionInput } from '../../shared/model/selection.ts';
import { startPointSchema } from '../../shared/model/start-point.ts';

export interface FakeState {
  connections: ConnectionView[];
  tasks: TaskView[];
  lab: LabView;
  drill: DrillView;
  /** By task. */
  joins?: Record<string, JoinRecord[]>;
  /** By task. */
  gaps?: Record<string, GapRecord[]>;
  /** By task. */
  quarantine?: Record<string, QuarantinedRecordView[]>;
  /** By task, those that wait first. */
  operations?: Record<string, OperationRecordView[]>;
  /** There are older ones than those. */
  areOperationsCut?: boolean;
  /** By record. */
  summaries?: Record<string, RecordSummary>;
  /** By connection. */
  oldestKept?: Record<string, OldestKept>;
  /** What a connection holds as a source, by connection. */
  held?: Record<string, readonly HeldCollection[]>;
  /** What stands in the way of every selection. */
  conflicts?: PreviewConflict[];
}

export interface HeldCollection {
  readonly database: string;
  readonly collection: string;
  readonly rows: number;
}

type Handlers = { [N in ProcedureName]: (input: ProcedureInput<N>) => ProcedureOutput<N> };

export interface FakeClient extends ContractClient {
  readonly state: FakeState;
  /** Every call in order, by name. */
  readonly calls: { readonly name: ProcedureName; readonly input: unknown }[];
  emit<N extends EventName>(name: N, payload: EventPayload<N>): void;
  setLink(state: LinkState, message?: string): void;
  /** The next call of that name fails with it. */
  failNext(name: ProcedureName, thrown: unknown): void;
  /** Calls of that name wait until the returned function is called; each call has its own. */
  hold(name: ProcedureName): { release(index: number): void; readonly waitingCount: number };
}

/** About 100 bytes a row. */
function previewOf(
  { held, conflicts = [] }: FakeState,
  sourceId: string,
  selection: SelectionInput = {},
  mapping: NameMappingInput = {},
): SelectionPreview {
  const { matches } = compileSelection(selectionSchema.parse(selection));
  const { address } = compileMapping(nameMappingSchema.parse(mapping));
  const collections = (held?.[sourceId] ?? []).map(({ rows, ...name }) => {
    const isSelected = matches(name);
    const counted = { rows: String(rows), rowsFrom: 'count' as const, bytesEstimated: String(rows * 100) };
    return { ...name, isSelected, target: address(name), ...(isSelected ? counted : {}) };
  });
  const selected = collections.filter(({ isSelected }) => isSelected);
  const rows = selected.reduce((sum, one) => sum + Number('rows' in one ? one.rows : 0), 0);
  const names = collections.filter(({ isSelected }) => !isSelected).map(nameText);
  return {
    collections,
    selectedCount: selected.length,
    leftOutCount: names.length,
    rows: String(rows),
    bytesEstimated: String(rows * 100),
    conflicts,
    warnings: names.length === 0 ? [] : [{ kind: 'leftOut', count: names.length, names }],
  };
}

export function errorData(code: string, side: string, message: string, hint = ''): ContractErrorData {
  return { code, side, message, hint, context: {}, causes: [] };
}

const refuse = (code: string, message: string, hint: string): never => {
  throw new ContractError(errorData(code, 'config', message, hint));
};

/** @param now Unix ms. */
export function createFakeClient(state: FakeState, now: () => number = Date.now): FakeClient {
  const listeners = new Map<string, Set<(payload: never) => void>>();
  const linkListeners = new Set<(state: LinkState, message?: string) => void>();
  const failures = new Map<ProcedureName, unknown[]>();
  const gates = new Map<ProcedureName, (() => void)[]>();
  const calls: FakeClient['calls'] = [];
  let nextId = 1;

  function emit<N extends EventName>(name: N, payload: EventPayload<N>): void {
    for (const listener of [...(listeners.get(name) ?? [])]) listener(payload as never);
  }

  const connectionOf = (id: string): ConnectionView =>
    state.connections.find((connection) => connection.id === id) ??
    refuse('notFound', `There is no cluster with the id "${id}".`, 'Look at the list of clusters again.');
  const taskOf = (id: string): TaskView =>
    state.tasks.find((task) => task.id === id) ??
    refuse('notFound', `There is no protection with the id "${id}".`, 'Look at the list again.');

  function usersChanged(): void {
    state.connections = state.connections.map((connection) => ({
      ...connection,
      usedBy: state.tasks
        .filter(({ sourceId, targetId }) => sourceId === connection.id || targetId === connection.id)
        .map(({ name }) => name),
    }));
    emit('connections.changed', { connections: state.connections });
  }

  function putTask(task: TaskView): { task: TaskView } {
    state.tasks = [...state.tasks.filter(({ id }) => id !== task.id), task].sort((a, b) => a.createdAt - b.createdAt);
    emit('tasks.changed', { tasks: state.tasks });
    return { task };
  }

  function setTroublesRight(
    id: string,
    collectionIds: readonly string[],
    next: 'initializing' | 'copying',
  ): Record<string, never> {
    const { status } = taskOf(id);
    if (status === undefined) return {};
    const collections = status.collections.map((collection) => {
      if (!collectionIds.includes(collection.id)) return collection;
      const calm = { ...collection, state: next };
      delete calm.trouble;
      return calm;
    });
    const changed = { ...status, at: Math.max(now(), status.at + 1), collections };
    state.tasks = state.tasks.map((task) => (task.id === id ? { ...task, status: changed } : task));
    emit('task.status', { id, status: changed });
    return {};
  }

  const recordOf = (id: string, recordId: string): QuarantinedRecordView =>
    state.quarantine?.[taskOf(id).id]?.find((record) => record.id === recordId) ??
    refuse('notFound', `There is no quarantined message "${recordId}" any more.`, 'Look at the list again.');

  function setLab(lab: LabView): { lab: LabView } {
    state.lab = lab;
    emit('lab.changed', { lab });
    return { lab };
  }

  function setDrill(drill: DrillView): { drill: DrillView } {
    state.drill = drill;
    emit('drill.changed', { drill });
    return { drill };
  }

  const handlers: Handlers = {
    'system.info': () => ({
      version: '0.2.0',
      node: '24.21.0',
      platform: 'linux',
      dataDirectory: '/home/kim/.local/share/lifeline',
      secrets: 'keyFile',
    }),
    'connections.list': () => ({ connections: state.connections }),
    'connections.save'(draft) {
      const before = draft.id === undefined ? undefined : connectionOf(draft.id);
      if (state.connections.some(({ id, name }) => name === draft.name && id !== draft.id)) {
        refuse('invalidInput', `A cluster named ${draft.name} is known already.`, 'Choose another name.');
      }
      const connection = viewOf(draft, before, `cluster-${String(nextId++)}`);
      state.connections =
        before === undefined
          ? [...state.connections, connection]
          : state.connections.map((other) => (other.id === connection.id ? connection : other));
      emit('connections.changed', { connections: state.connections });
      return { connection };
    },
    'connections.remove'({ id }) {
      const { name, usedBy } = connectionOf(id);
      if (usedBy.length > 0) {
        refuse(
          'conflict',
          `${name} is used by ${usedBy.join(', ')} and was not removed.`,
          'Delete the protections that use it first.',
        );
      }
      state.connections = state.connections.filter((connection) => connection.id !== id);
      emit('connections.changed', { connections: state.connections });
      return {};
    },
    'connections.test'({ testId, ...draft }) {
      const hops = hopsFor(draft);
      if (testId !== undefined) {
        for (const hop of hops) {
          emit('connections.hop', { testId, hop: { ...hop, state: 'running', message: '', durationMs: 0 } });
          emit('connections.hop', { testId, hop });
        }
      }
      return { hops };
    },
    'connections.cancelTest': () => ({}),
    'connections.oldestKept': ({ sourceId }) => state.oldestKept?.[connectionOf(sourceId).id] ?? { perChannel: [] },
    'tasks.list': () => ({ tasks: state.tasks }),
    'tasks.history': ({ id }) => ({ joins: state.joins?.[taskOf(id).id] ?? [], gaps: state.gaps?.[id] ?? [] }),
    'tasks.preview': ({ sourceId, selection, mapping }) => previewOf(state, sourceId, selection, mapping),
    'tasks.select': ({ id, selection }) => putTask({ ...taskOf(id), selection: selectionSchema.parse(selection) }),
    'tasks.create'({ name, sourceId, targetId, start, selection, mapping, onGap, copyBudget, operations }) {
      connectionOf(sourceId);
      connectionOf(targetId);
      const task: TaskView = {
        id: `task-${String(nextId++)}`,
        name,
        sourceId,
        targetId,
        desired: 'running',
        createdAt: now(),
        ...(start === undefined ? {} : { start: startPointSchema.parse(start) }),
        ...(selection === undefined ? {} : { selection: selectionSchema.parse(selection) }),
        ...(mapping === undefined ? {} : { mapping: nameMappingSchema.parse(mapping) }),
        ...(onGap === undefined ? {} : { onGap }),
        ...(copyBudget === undefined ? {} : { copyBudget }),
        ...(operations === undefined ? {} : { operations }),
      };
      const answer = putTask(task);
      usersChanged();
      return answer;
    },
    'tasks.pause': ({ id }) => putTask({ ...taskOf(id), desired: 'paused', pausedAt: now() }),
    'tasks.resume'({ id, mayLoad }) {
      const task: TaskView = {
        ...taskOf(id),
        desired: 'running',
        ...(mayLoad ? { start: { kind: 'copy', mayLoad } } : {}),
      };
      delete task.pausedAt;
      return putTask(task);
    },
    'tasks.remove'({ id }) {
      taskOf(id);
      state.tasks = state.tasks.filter((task) => task.id !== id);
      emit('tasks.changed', { tasks: state.tasks });
      usersChanged();
      return {};
    },
    'tasks.retryCollection': ({ id, collectionId }) => setTroublesRight(id, [collectionId], 'initializing'),
    'tasks.recopy': ({ id, collectionIds }) => setTroublesRight(id, collectionIds, 'copying'),
    'tasks.copyBudget': ({ id, budget }) => putTask({ ...taskOf(id), copyBudget: budget }),
    'tasks.operationSettings': ({ id, settings }) => putTask({ ...taskOf(id), operations: settings }),
    'tasks.operations': ({ id, collectionId }) => ({
      operations: (state.operations?.[taskOf(id).id] ?? []).filter(
        ({ collection }) => collectionId === undefined || collection === undefined || collection.id === collectionId,
      ),
      isCut: state.areOperationsCut ?? false,
    }),
    'tasks.decideOperation'({ id, operationId, decision }) {
      const known = state.operations?.[taskOf(id).id] ?? [];
      if (!known.some((one) => one.id === operationId && one.outcome === 'waiting')) {
        refuse('notFound', `No operation "${operationId}" waits for a decision any more.`, 'Look at the list again.');
      }
      const outcome = decision === 'apply' ? 'applied' : 'skipped';
      state.operations = {
        ...state.operations,
        [id]: known.map((one) => (one.id === operationId ? { ...one, outcome } : one)),
      };
      const { status } = taskOf(id);
      const left = state.operations[id]?.filter((one) => one.outcome === 'waiting').length ?? 0;
      if (status === undefined) return {};
      const changed = { ...status, at: Math.max(now(), status.at + 1), operationsWaiting: left };
      state.tasks = state.tasks.map((task) => (task.id === id ? { ...task, status: changed } : task));
      emit('task.status', { id, status: changed });
      return {};
    },
    'tasks.gapPolicy': ({ id, onGap }) => putTask({ ...taskOf(id), onGap }),
    'tasks.quarantine': ({ id }) => ({ records: (taskOf(id), state.quarantine?.[id] ?? []) }),
    'tasks.quarantineRecord'({ id, recordId }) {
      const record = recordOf(id, recordId);
      const summary = state.summaries?.[recordId] ?? { kind: record.kind };
      return { record, bytes: btoa('bytes of the message'), isCut: false, summary };
    },
    'tasks.skipRecord'({ id, recordId, reason }) {
      const { collectionId } = recordOf(id, recordId);
      state.quarantine = {
        ...state.quarantine,
        [id]: (state.quarantine?.[id] ?? []).map((record) =>
          record.id === recordId ? { ...record, decision: { kind: 'skip', reason, at: now() } } : record,
        ),
      };
      return setTroublesRight(id, [collectionId], 'initializing');
    },
    'lab.get': () => ({ lab: state.lab }),
    'lab.start': () => setLab({ state: 'starting', progress: { message: 'Preparing' } }),
    'lab.stop': () => setLab({ state: 'stopping' }),
    'lab.remove': () => setLab({ state: 'absent' }),
    'drill.get': () => ({ drill: state.drill }),
    'drill.start': ({ wal = 'nats' }) =>
      setDrill({ state: 'running', wal, steps: [{ title: 'Start the source and the target', state: 'running' }] }),
    'drill.cancel': () => setDrill({ state: 'done', steps: state.drill.steps }),
  };

  return {
    state,
    calls,
    emit,
    async call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>> {
      calls.push({ name, input });
      const failure = failures.get(name)?.shift();
      if (failure !== undefined) throw failure;
      // What is answered is as it was when it was asked: the way back is what takes long.
      const answer = copy(handlers[name](input));
      const waiting = gates.get(name);
      if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      return answer;
    },
    on(name, listener) {
      const all = listeners.get(name) ?? new Set();
      listeners.set(name, all);
      all.add(listener);
      return () => void all.delete(listener);
    },
    onLink(listener) {
      linkListeners.add(listener);
      return () => void linkListeners.delete(listener);
    },
    close() {
      listeners.clear();
      linkListeners.clear();
    },
    setLink(link, message) {
      for (const listener of [...linkListeners]) listener(link, message);
    },
    failNext(name, thrown) {
      failures.set(name, [...(failures.get(name) ?? []), thrown]);
    },
    hold(name) {
      const waiting: (() => void)[] = [];
      gates.set(name, waiting);
      return {
        release: (index) => waiting[index]?.(),
        get waitingCount() {
          return waiting.length;
        },
      };
    },
  };
}

/** The oldest browser that is looked at has no `structuredClone`; the contract carries JSON anyhow. */
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const SECRETS = ['password', 'token'] as const;

function viewOf(draft: ConnectionDraft, before: ConnectionView | undefined, newId: string): ConnectionView {
  const { id, name, ...parts } = copy(draft) as ConnectionDraft & Record<string, unknown>;
  const secrets = new Set(before?.secretsSet ?? []);
  for (const [part, value] of Object.entries(parts) as [string, Record<string, unknown>][]) {
    for (const secret of SECRETS) {
      if (value[secret] === '') secrets.delete(`${part}.${secret}`);
      else if (value[secret] !== undefined) secrets.add(`${part}.${secret}`);
      delete value[secret];
    }
  }
  return {
    ...(parts as Pick<ConnectionView, 'milvus' | 'etcd' | 'wal'>),
    id: id ?? newId,
    name,
    secretsSet: [...secrets].sort(),
    canBeSource: parts.etcd !== undefined && parts.wal !== undefined,
    canBeTarget: parts.milvus !== undefined,
    isLab: false,
    usedBy: before?.usedBy ?? [],
  };
}

function hopsFor({ milvus, etcd, wal }: ConnectionDraft): Hop[] {
  const hop = (name: Hop['hop'], message: string, durationMs: number): Hop => ({
    hop: name,
    state: 'ok',
    message,
    durationMs,
  });
  const hops: Hop[] = [];
  if (milvus?.address.includes('wrong') === true) {
    hops.push(
      {
        hop: 'milvus',
        state: 'failed',
        message: `Milvus does not answer at ${milvus.address}. Check that it runs and that the port can be reached from here.`,
        durationMs: 5000,
      },
      { hop: 'writes', state: 'skipped', message: '', durationMs: 0 },
    );
  } else if (milvus !== undefined) {
    hops.push(hop('milvus', 'Milvus 2.3.5, signed in as root.', 84));
    hops.push(hop('writes', 'A database and a collection were created and dropped again.', 412));
  }
  if (etcd !== undefined) {
    hops.push(hop('etcd', `etcd 3.5.5 answers at ${etcd.endpoints.join(', ')}.`, 31));
    hops.push(hop('catalog', '12 collections under by-dev/meta.', 58));
  }
  if (wal !== undefined) {
    hops.push(hop('log', wal.kind === 'kafka' ? 'Kafka 3.9.1, 3 brokers.' : 'NATS 2.10, JetStream on.', 22));
    hops.push(hop('channels', '16 channels begin with by-dev.', 47));
  }
  if (milvus !== undefined && etcd !== undefined && wal !== undefined) {
    hops.push(hop('rows', 'Rows can be read (shop.orders: 1204300 rows).', 63));
  }
  return hops;
}
