/** What the journal answers, keeps and waits for, on the real store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openDatabase } from '../../../../electron/core/store/database.ts';
import { SqliteTaskStore } from '../../../../electron/core/store/sqlite-task-store.ts';
import {
  decisionNeeded,
  OperationJournal,
  type OperationQuestion,
} from '../../../../electron/engine/task/operation-journal.ts';
import { asTaskId } from '../../../../shared/model/ids.ts';
import { OPERATION_EVENTS_MAX } from '../../../../shared/model/operation-event.ts';
import { asTimeTick } from '../../../../shared/time/time-tick.ts';
import { COLLECTION, fillStore } from '../../../support/store-samples.ts';

let folder: string;
let database: DatabaseSync;
let journal: OperationJournal;
const never = new AbortController().signal;

const open = (): OperationJournal => {
  const opened = new OperationJournal({
    store: new SqliteTaskStore(database, asTaskId('one')),
    clock: { now: () => 1_000 },
  });
  opened.takeUp();
  return opened;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-journal-'));
  database = openDatabase(join(folder, 'lifeline.db'));
  fillStore(new SqliteTaskStore(database, asTaskId('one')));
  journal = open();
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true });
});

const question: OperationQuestion = {
  id: 'log/7/1',
  tick: asTimeTick(9n),
  source: 'log',
  operation: 'dropPartition',
  database: 'shop',
  collection: { id: COLLECTION, name: 'orders' },
  object: 'p1',
};
const outcomes = () => journal.events().map(({ operation, outcome }) => `${operation} ${outcome}`);

describe('the policy', () => {
  test('applies what is known, and asks about the unknown and about truncation, unless told otherwise', () => {
    expect(
      ['dropCollection', 'flush', 'createAlias', 'truncateCollection', 'messageType 2110'].map((one) =>
        journal.policyOf(one),
      ),
    ).toEqual(['apply', 'apply', 'apply', 'ask', 'ask']);
    journal.setSettings({ policies: { dropCollection: 'skip', unknown: 'skip' } });
    expect(['dropCollection', 'flush', 'messageType 2110'].map((one) => journal.policyOf(one))).toEqual([
      'skip',
      'apply',
      'skip',
    ]);
  });
});

describe('an operation that is asked about', () => {
  beforeEach(() => journal.setSettings({ policies: { dropPartition: 'ask' } }));

  test('waits, is shown as waiting, and goes on as decided', async () => {
    const decided = journal.decide(question, never);
    expect(outcomes()).toEqual(['dropPartition waiting']);
    expect(journal.waiting()).toEqual([question]);
    journal.answer('log/7/1', 'skip');
    expect(await decided).toBe('skip');
    expect(journal.waiting()).toEqual([]);
  });

  test('says what waits with it', () => {
    const rights = { ...question, operation: 'createRole', database: '', collection: undefined, object: 'reader' };
    const said = [
      { ...question, holdsRows: true },
      question,
      { ...question, operation: 'import' },
      { ...question, operation: 'dropDatabase', collection: undefined, object: undefined },
      rights,
      { ...question, isSkipOnly: true },
    ].map((one) => decisionNeeded(one).message);
    expect(said).toEqual([
      'dropPartition of shop.orders, p1 waits for your decision. Apply it or skip it; the collection waits at that place until then.',
      'dropPartition of shop.orders, p1 waits for your decision. Apply it or skip it; operations of the collection that come behind it wait, its rows go on.',
      'import of shop.orders, p1 waits for your decision. Apply it, which copies the collection again, or skip it; the rows of the stream go on meanwhile.',
      'dropDatabase of shop waits for your decision. Apply it or skip it; operations on the database that come behind it wait, all rows go on.',
      'createRole of reader waits for your decision. Apply it or skip it; operations on users and rights that come behind it wait, all rows go on.',
      'dropPartition of shop.orders, p1 waits for your decision. Do on the target what it did, then skip it; everything else goes on.',
    ]);
  });

  test('is shown before others of its collection where rows wait for it', () => {
    const before = { ...question, id: 'log/6/1', operation: 'createIndex' };
    journal.setSettings({ policies: { dropPartition: 'ask', createIndex: 'ask' } });
    void journal.decide(before, never);
    expect(journal.waitingOf(COLLECTION)).toEqual(before);
    void journal.decide({ ...question, holdsRows: true }, never);
    expect(journal.waitingOf(COLLECTION)?.id).toBe(question.id);
  });

  test('is not asked about again after a crash', async () => {
    const decided = journal.decide(question, never);
    journal.answer('log/7/1', 'apply');
    await decided;
    journal = open();
    journal.setSettings({ policies: { dropPartition: 'ask' } });
    expect(await journal.decide(question, never)).toBe('apply');
  });

  test('can be answered before a later run has met it again', async () => {
    const stop = new AbortController();
    const decided = journal.decide(question, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(decided).rejects.toThrow('stopped');
    journal = open();
    journal.setSettings({ policies: { dropPartition: 'ask' } });
    journal.answer('log/7/1', 'skip');
    expect(await journal.decide(question, never)).toBe('skip');
  });

  test('goes on when the policy no longer asks', async () => {
    const decided = journal.decide(question, never);
    journal.setSettings({ policies: { dropPartition: 'apply' } });
    expect(await decided).toBe('apply');
  });

  test('stands in the history once, with what became of it', async () => {
    const decided = journal.decide(question, never);
    journal.answer('log/7/1', 'apply');
    await decided;
    journal.record({ ...question, at: 2, outcome: 'applied' });
    expect(outcomes()).toEqual(['dropPartition applied']);
  });

  test('cannot be answered when it does not wait', () => {
    expect(() => journal.answer('log/8/1', 'skip')).toThrow(/waits for a decision/);
  });

  test('that nobody can apply is asked about even where it would be applied, and can only be skipped', async () => {
    journal.setSettings({ policies: { unknown: 'apply' } });
    const decided = journal.decide({ ...question, operation: 'messageType 9', isSkipOnly: true }, never);
    expect(() => journal.answer('log/7/1', 'apply')).toThrow(/by hand/);
    journal.answer('log/7/1', 'skip');
    expect(await decided).toBe('skip');
  });
});

test('the newest events of a collection are kept, and those of others are not touched', () => {
  const event = { at: 1, tick: asTimeTick(1n), source: 'catalogue', database: 'shop', outcome: 'applied' } as const;
  journal.record({ ...event, operation: 'createRole' });
  const left = {
    ...event,
    operation: 'addField',
    outcome: 'skipped',
    collection: { id: COLLECTION, name: 'a' },
  } as const;
  journal.record(left);
  for (let index = 0; index < OPERATION_EVENTS_MAX + 5; index += 1) {
    journal.record({ ...event, operation: 'flush', object: String(index), collection: { id: COLLECTION, name: 'a' } });
  }
  const events = journal.events();
  expect(events).toHaveLength(OPERATION_EVENTS_MAX + 2);
  // Whose a role is, and which field is left out, is asked of the history for good.
  expect(events.map(({ operation }) => operation)).toContain('addField');
  expect(events[0]?.object).toBe(String(OPERATION_EVENTS_MAX + 4));
  expect(events.at(-1)?.operation).toBe('createRole');
  expect(journal.events({ collection: COLLECTION })).toEqual(events.slice(0, -1));
  expect(journal.events({ collection: undefined })).toEqual(events.slice(-1));
});

test('a role that is made and dropped for years leaves the last of each in the history, and what is newer than its limit', () => {
  const event = { at: 1, tick: asTimeTick(1n), source: 'catalogue', database: '', outcome: 'applied' } as const;
  journal.record({ ...event, operation: 'createRole', object: 'kept' });
  const turns = OPERATION_EVENTS_MAX;
  for (let turn = 0; turn < turns; turn += 1) {
    journal.record({ ...event, operation: 'createRole', object: 'restless' });
    journal.record({ ...event, operation: 'dropRole', object: 'restless' });
  }
  const events = journal.events();
  // Counted every so often, so that some more may be there.
  expect(events.length).toBeLessThan(turns * 2 - 500);
  expect(events.length).toBeGreaterThanOrEqual(OPERATION_EVENTS_MAX);
  expect(events.at(-1)).toMatchObject({ operation: 'createRole', object: 'kept' });
  expect(events.filter(({ object }) => object === 'kept')).toHaveLength(1);
});
