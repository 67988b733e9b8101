/** What a task's thread is told by the core, done by its engine. */
import type { CopyBudget } from '../../shared/model/copy-budget.ts';
import { asCollectionId, type CollectionId } from '../../shared/model/ids.ts';
import type { OperationDecision } from '../../shared/model/operation-event.ts';
import type { OperationSettings } from '../../shared/model/operation-policy.ts';
import type { QuarantinedRecord } from '../../shared/model/quarantine.ts';
import type { Selection } from '../../shared/model/selection.ts';
import { ReplicationError } from '../../shared/model/replication-error.ts';
import { summarizeRecord } from './codec/record-summary.ts';
import type { OrderResult, QuarantinedContent, TaskOrder } from './host/task-messages.ts';

/** The part of `TaskEngine` that takes orders. */
export interface OrderedEngine {
  /** Takes a collection that is held or has failed up again at its checkpoint. */
  retry(id: CollectionId): Promise<void>;
  /** Resolves when the copies have begun. */
  recopy(ids: readonly CollectionId[]): Promise<void>;
  setCopyBudget(budget: CopyBudget): void;
  /** Resolves when what is added is being copied, and what is taken out has stopped. */
  select(selection: Selection): Promise<void>;
  setOperationSettings(settings: OperationSettings): void;
  /** Of an operation that waits for a person. */
  decideOperation(id: string, decision: OperationDecision): void;
  quarantine(): readonly QuarantinedRecord[];
  quarantinedBytes(id: string): Uint8Array;
  /** Drops it with a reason, and takes its collection up again. */
  skip(id: string, reason: string): Promise<void>;
}

/** @param schemaOf The serialized schema of a collection that the task knows. */
export async function performOrder(
  engine: OrderedEngine,
  order: TaskOrder,
  schemaOf: (id: CollectionId) => Uint8Array | undefined,
): Promise<OrderResult<TaskOrder['name']>> {
  switch (order.name) {
    case 'retry':
      return engine.retry(asCollectionId(BigInt(order.input.collectionId)));
    case 'recopy':
      return engine.recopy(order.input.collectionIds.map((id) => asCollectionId(BigInt(id))));
    case 'setCopyBudget':
      engine.setCopyBudget(order.input.budget);
      return;
    case 'select':
      return engine.select(order.input.selection);
    case 'setOperationSettings':
      engine.setOperationSettings(order.input.settings);
      return;
    case 'decideOperation':
      engine.decideOperation(order.input.operationId, order.input.decision);
      return;
    case 'quarantinedRecord':
      return content(engine, order.input, schemaOf);
    case 'skip':
      return engine.skip(order.input.recordId, order.input.reason);
  }
}

function content(
  engine: OrderedEngine,
  { recordId, bytesMax }: { readonly recordId: string; readonly bytesMax: number },
  schemaOf: (id: CollectionId) => Uint8Array | undefined,
): QuarantinedContent {
  const record = engine.quarantine().find(({ id }) => id === recordId);
  if (record === undefined) {
    throw new ReplicationError(
      'notFound',
      'internal',
      `There is no quarantined message "${recordId}" any more. It was decided on, or its collection is gone.`,
    );
  }
  const bytes = engine.quarantinedBytes(recordId);
  return {
    // A copy: what is sent must not be a view of a larger buffer.
    bytes: bytes.slice(0, bytesMax),
    isCut: bytes.byteLength > bytesMax,
    summary: summarizeRecord(bytes, schemaOf(asCollectionId(BigInt(record.collectionId)))),
  };
}
