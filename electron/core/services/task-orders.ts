/** What a running task is told beside running and stopping: checked here, done by its engine. */
import type { QuarantinedRecordView, RecordSummary } from '../../../shared/contract/procedures.ts';
import { RECORD_BYTES_MAX } from '../../../shared/contract/task-procedures.ts';
import type { OperationDecision } from '../../../shared/model/operation-event.ts';
import type { QuarantinedRecord } from '../../../shared/model/quarantine.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { EngineHost } from '../../engine/host/engine-host.ts';
import { errorDataWithHint } from '../../engine/host/error-data.ts';
import { Refusal } from './refusal.ts';

export interface OrderedTask {
  readonly name: string;
  /** Absent while it does not run. */
  readonly host: Pick<EngineHost, 'order' | 'isRunning' | 'status'> | undefined;
  /** The address of the source's Milvus is known. */
  readonly canReadRows: boolean;
}

export interface TaskOrdersOptions {
  /** @throws Refusal notFound. */
  readonly find: (id: string) => OrderedTask;
  /** As it is stored, the newest first. */
  readonly quarantineOf: (id: string) => readonly QuarantinedRecord[];
}

export interface RecordContent {
  readonly record: QuarantinedRecordView;
  readonly bytes: string;
  readonly isCut: boolean;
  readonly summary: RecordSummary;
}

/** Every call but `quarantine` throws a Refusal conflict when the task does not run, and what its engine refuses. */
export class TaskOrders {
  readonly #options: TaskOrdersOptions;

  constructor(options: TaskOrdersOptions) {
    this.#options = options;
  }

  /** @throws Refusal notFound: no such collection in the task. */
  async retryCollection(id: string, collectionId: string): Promise<void> {
    const host = this.#running(this.#options.find(id));
    assertKnown(host, [collectionId], 'collectionId');
    await host.order('retry', { collectionId });
  }

  /** Returns when it has begun. @throws Refusal notFound; conflict: the source's rows cannot be read. */
  async recopy(id: string, collectionIds: readonly string[]): Promise<void> {
    const task = this.#options.find(id);
    if (!task.canReadRows) {
      throw new Refusal(
        'conflict',
        `The source of ${task.name} cannot be copied: the address of its Milvus is not known.`,
        'Add the address of its Milvus to the source cluster.',
      );
    }
    const host = this.#running(task);
    assertKnown(host, collectionIds, 'collectionIds');
    await host.order('recopy', { collectionIds: [...new Set(collectionIds)] });
  }

  /** Also of a task that does not run. @throws Refusal notFound. */
  quarantine(id: string): QuarantinedRecordView[] {
    const { find, quarantineOf } = this.#options;
    find(id);
    return quarantineOf(id).map(withHint);
  }

  /** @throws notFound: it was decided on, or its collection is gone. */
  async quarantineRecord(id: string, recordId: string): Promise<RecordContent> {
    const { find, quarantineOf } = this.#options;
    const host = this.#running(find(id));
    const record = quarantineOf(id).find((one) => one.id === recordId);
    if (record === undefined) throw recordGone(recordId);
    const { bytes, isCut, summary } = await host.order('quarantinedRecord', { recordId, bytesMax: RECORD_BYTES_MAX });
    return { record: withHint(record), bytes: Buffer.from(bytes).toString('base64'), isCut, summary };
  }

  async skipRecord(id: string, recordId: string, reason: string): Promise<void> {
    await this.#running(this.#options.find(id)).order('skip', { recordId, reason });
  }

  /** @throws notFound: it does not wait; invalidRequest: it can only be skipped. */
  async decideOperation(id: string, operationId: string, decision: OperationDecision): Promise<void> {
    await this.#running(this.#options.find(id)).order('decideOperation', { operationId, decision });
  }

  #running({ name, host }: OrderedTask): NonNullable<OrderedTask['host']> {
    if (host?.isRunning === true) return host;
    throw new Refusal('conflict', `${name} does not run, so nothing can be done in it.`, 'Resume it first.');
  }
}

function assertKnown(host: NonNullable<OrderedTask['host']>, ids: readonly string[], field: string): void {
  const known = new Set(host.status?.collections.map((collection) => collection.id));
  const unknown = ids.find((id) => !known.has(id));
  if (unknown === undefined) return;
  throw new Refusal(
    'notFound',
    `The protection has no collection with the id ${unknown}.`,
    'Look at the list of its collections again.',
    { field },
  );
}

function recordGone(recordId: string): Refusal {
  return new Refusal(
    'notFound',
    `There is no quarantined message "${recordId}" any more.`,
    'Look at the list again: it was decided on, or its collection is gone.',
  );
}

function withHint(record: QuarantinedRecord): QuarantinedRecordView {
  const { hint } = errorDataWithHint(ReplicationError.fromData(record.cause));
  const { context, causes, ...cause } = record.cause;
  const { decision, ...rest } = record;
  return {
    ...rest,
    cause: { ...cause, context: { ...context }, causes: [...causes] },
    hint,
    ...(decision === undefined ? {} : { decision }),
  };
}
