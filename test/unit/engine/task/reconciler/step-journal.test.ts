/** Steps of the reconciler by policy, and in the history. */
import { beforeEach, expect, test } from 'vitest';
import { OperationJournal, AS_DECIDED } from '../../../../../electron/engine/task/operation-journal.ts';
import { StepJournal } from '../../../../../electron/engine/task/reconciler/step-journal.ts';
import type { CollectionReplica } from '../../../../../electron/engine/task/collection-replica.ts';
import { asCollectionId } from '../../../../../shared/model/ids.ts';
import type { OperationDecision, OperationEvent } from '../../../../../shared/model/operation-event.ts';
import type { OperationAction } from '../../../../../shared/model/operation-policy.ts';
import { asTimeTick } from '../../../../../shared/time/time-tick.ts';

const { signal } = new AbortController();
const replica = {
  id: asCollectionId(7n),
  address: { database: 'shop', collection: 'orders' },
  signal,
  step: (body: () => Promise<void>) => body(),
} as unknown as CollectionReplica;
const RENAME = { operation: 'renameCollection', object: 'shop.sales', what: 'shop.orders' };
const INDEX = { operation: 'createIndex', object: 'by_value', what: 'by_value' };

let events: OperationEvent[];
let decisions: Map<string, OperationDecision>;
let made: number;
const body = (): Promise<void> => {
  made += 1;
  return Promise.resolve();
};

function begin(policies: Readonly<Record<string, OperationAction>> = {}) {
  const store = {
    recordOperation: (event: OperationEvent) => {
      events = [event, ...events.filter(({ id }) => id === undefined || id !== event.id)];
    },
    operations: () => events,
    decideOperation: (id: string, decision: OperationDecision) => void decisions.set(id, decision),
    operationDecisions: () => decisions,
  };
  const clock = { now: () => 1_000 };
  const journal = new OperationJournal({ store, clock });
  journal.takeUp();
  journal.setSettings({ policies });
  return { journal, steps: new StepJournal({ journal, clock, signal }) };
}

const outcomes = (): string[] => events.toReversed().map(({ operation, outcome }) => `${operation} ${outcome}`);
const waitingId = (): string => events.find(({ outcome }) => outcome === 'waiting')?.id ?? 'none';

beforeEach(() => {
  events = [];
  decisions = new Map();
  made = 0;
});

test('a step that is applied stands in the history each time', async () => {
  const { steps } = begin();
  expect(await steps.inLine(RENAME, replica, body)).toBe(true);
  expect(await steps.inLine(RENAME, replica, body)).toBe(true);
  expect(outcomes()).toEqual(['renameCollection applied', 'renameCollection applied']);
});

test('a step that is left out by policy stands there once', async () => {
  const { steps } = begin({ renameCollection: 'skip' });
  expect(await steps.inLine(RENAME, replica, body)).toBe(false);
  expect(await steps.inLine(RENAME, replica, body)).toBe(false);
  expect(outcomes()).toEqual(['renameCollection skipped']);
  expect(made).toBe(0);
});

test('a step that is asked about waits, and what was decided holds after a restart', async () => {
  const { journal, steps } = begin({ renameCollection: 'ask' });
  const waits = steps.inLine(RENAME, replica, body);
  await new Promise(setImmediate);
  expect(outcomes()).toEqual(['renameCollection waiting']);
  journal.answer(waitingId(), 'skip');
  expect(await waits).toBe(false);
  expect(await begin({ renameCollection: 'ask' }).steps.inLine(RENAME, replica, body)).toBe(false);
  expect(outcomes()).toEqual(['renameCollection skipped']);
});

test('a step that was made as decided, and is due once more, is asked about anew', async () => {
  const { journal, steps } = begin({ renameCollection: 'ask' });
  for (const count of [1, 2]) {
    const waits = steps.inLine(RENAME, replica, body);
    await new Promise(setImmediate);
    journal.answer(waitingId(), 'apply');
    expect(await waits).toBe(true);
    expect(made).toBe(count);
  }
  expect(outcomes()).toEqual(['renameCollection applied', 'renameCollection applied']);
});

test.each(['ask', 'skip', 'apply'] as const)(
  'what was left out of the log is left out of the catalogue, unasked and untold: %s',
  async (policy) => {
    const { journal, steps } = begin({ createIndex: policy });
    journal.record({
      id: 'log/1/7',
      at: 1,
      tick: asTimeTick(1n),
      source: 'log',
      operation: 'createIndex',
      database: 'shop',
      collection: { id: replica.id, name: 'orders' },
      outcome: 'skipped',
      reason: AS_DECIDED,
    });
    expect(await steps.inLine(INDEX, replica, body)).toBe(false);
    expect(outcomes()).toEqual(['createIndex skipped']);
    expect(made).toBe(0);
  },
);

test("a step that is refused is told, and its error is the caller's", async () => {
  const { steps } = begin();
  await expect(steps.inLine(RENAME, replica, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  expect(outcomes()).toEqual(['renameCollection failed']);
});
