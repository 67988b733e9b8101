/** Makes the steps of a difference on one copy. In its line of operations; each may be repeated. */
import {
  createIndexRequest,
  dropIndexRequest,
  loadPartitionsRequest,
  loadRequest,
  releasePartitionsRequest,
  releaseRequest,
} from '../../source/rows/definition-requests.ts';
import type { Target } from '../../target/target.ts';
import type { CollectionReplica } from '../collection-replica.ts';
import { OPERATION_OF, type IndexStep, type Step } from './diff.ts';
import type { Asked, StepJournal } from './step-journal.ts';

/** What it is asked about, and told, as. */
export function askedOf(step: Step): Asked {
  return { operation: OPERATION_OF[step.kind], object: objectOf(step), what: JSON.stringify(step) };
}

function objectOf(step: Step): string | undefined {
  if ('field' in step) return step.field;
  if ('index' in step) return step.index.indexName;
  if ('keys' in step) return step.keys.join();
  return 'partitions' in step ? step.partitions.join() : undefined;
}

/**
 * Those of a copy, whose rows wait meanwhile: by their policies. A field has one index, so beside one that is left where it is no
 * other is made. @returns whether all of them were
 */
export async function makeIndexes(
  journal: StepJournal,
  replica: CollectionReplica,
  steps: readonly IndexStep[],
  make: (step: IndexStep) => Promise<void>,
): Promise<boolean> {
  const left = new Set<string>();
  for (const step of steps) {
    if (left.has(step.index.fieldName)) continue;
    const asked = { ...askedOf(step), holdsRows: true };
    if (!(await journal.run(asked, replica, () => make(step)))) left.add(step.index.fieldName);
  }
  return left.size === 0;
}

export function makeStep(target: Target, replica: CollectionReplica, step: Step): Promise<void> {
  const { address } = replica;
  switch (step.kind) {
    case 'setProperties':
      return replica.onTarget('alterCollection', (signal) => target.setProperties(address, step.properties, signal));
    case 'removeProperties':
      return replica.onTarget('alterCollection', (signal) => target.removeProperties(address, step.keys, signal));
    case 'alterField': {
      const { field, property } = step;
      return replica.onTarget('alterCollectionField', (signal) =>
        target.alterField(address, field, [property], signal),
      );
    }
    case 'release': {
      const request = releaseRequest(address);
      return replica.onTarget('releaseCollection', (signal) => target.releaseCollection(request, signal));
    }
    case 'dropIndex': {
      const request = dropIndexRequest(address, step.index);
      return replica.onTarget('dropIndex', (signal) => target.dropIndex(request, signal));
    }
    case 'createIndex': {
      const request = createIndexRequest(address, step.index);
      return replica.onTarget('createIndex', (signal) => target.createIndex(request, signal));
    }
    case 'releasePartitions': {
      const request = releasePartitionsRequest(address, step.partitions);
      return replica.onTarget('releasePartitions', (signal) => target.releasePartitions(request, signal));
    }
    case 'load': {
      const request = loadRequest(address, step.replicaNumber, step.fields);
      return replica.onTarget('loadCollection', (signal) => target.loadCollection(request, signal));
    }
    case 'loadPartitions': {
      const request = loadPartitionsRequest(address, step.partitions, step.replicaNumber, step.fields);
      return replica.onTarget('loadPartitions', (signal) => target.loadPartitions(request, signal));
    }
  }
}
