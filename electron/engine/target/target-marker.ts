/**
 * The marker: a small collection in the target, never loaded and without rows, whose properties say which run of which task
 * writes there for one source. Milvus keeps properties that it does not know, and setting some leaves the others as they are
 * (seen with 2.3.5, about 3 ms a call, 0.1 s while 70 collections a second are made and dropped).
 *
 * Milvus has no compare-and-set, so each property has one kind of writer: `holder` is set by a claim alone, `beat` by whoever
 * takes itself for the holder, `left` by one that ends in order. A beat that lands late does not bring its run back.
 */
import { createHash } from 'node:crypto';
import { MARKER_DATABASE, markerName } from '../../../shared/model/marker-name.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { SourceIdentity, TaskRun } from '../../../shared/model/task-state.ts';
import { boolField, bytesField, concatBytes, numberField, stringField } from '../codec/wire-write.ts';
import type { CollectionAddress } from '../milvus/collection-address.ts';
import type { CollectionIdentity, CollectionProperties, Target } from './target.ts';

const HOLDER = 'lifeline.holder';
const BEAT = 'lifeline.beat';
const LEFT = 'lifeline.left';
/** Like every collection that Lifeline makes it says whose it is. */
const ORIGIN = 'marker';

export interface MarkerHolder extends TaskRun {
  readonly task: string;
}

/** Numbered through all runs that ever held the marker. */
interface MarkerBeat {
  readonly runId: string;
  readonly number: bigint;
}

export interface MarkerReading extends CollectionIdentity {
  readonly holder: MarkerHolder | undefined;
  readonly beat: MarkerBeat | undefined;
  /** The run that has ended in order. */
  readonly leftRunId: string | undefined;
}

/** Errors are those of the target's calls. Nothing is repeated here. */
export class TargetMarker {
  readonly address: CollectionAddress;
  readonly #target: Target;

  /** @param scope Of a task that shares source and target with others; empty: the one of the source. */
  constructor(target: Target, source: SourceIdentity, scope = '') {
    this.#target = target;
    this.address = { database: MARKER_DATABASE, collection: markerName(digestOf(source, scope)) };
  }

  /** `undefined`: there is none. */
  async read(signal: AbortSignal): Promise<MarkerReading | undefined> {
    const found = await this.#target.readProperties(this.address, signal);
    return found === undefined ? undefined : toReading(found);
  }

  /** Succeeds when another has made it meanwhile. */
  async make(signal: AbortSignal): Promise<void> {
    try {
      await this.#target.createCollection(
        {
          ...this.address,
          schema: markerSchema(this.address.collection),
          shardCount: 1,
          consistencyLevel: 0,
          properties: [],
          partitionKeyCount: 0,
          origin: ORIGIN,
        },
        signal,
      );
    } catch (error) {
      if (!(error instanceof ReplicationError && error.code === 'alreadyExists')) throw error;
    }
  }

  /** Leaves beats as they are: whoever was displaced may have beaten a moment before. */
  claim(holder: MarkerHolder, signal: AbortSignal): Promise<void> {
    const { id, host, folder, pid, began, task } = holder;
    const text = JSON.stringify({ id, host, folder, pid, began, task });
    return this.#set({ [HOLDER]: text }, signal);
  }

  beat(runId: string, number: bigint, signal: AbortSignal): Promise<void> {
    return this.#set({ [BEAT]: `${runId}/${number}` }, signal);
  }

  leave(runId: string, signal: AbortSignal): Promise<void> {
    return this.#set({ [LEFT]: runId }, signal);
  }

  /**
   * Twice: 2.3.5 keeps on disk what a collection's properties were before their last alteration, and shows that after a
   * restart, ordered or not (seen in 16 of 16).
   */
  async #set(values: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const properties = Object.entries(values).map(([key, value]) => ({ key, value }));
    try {
      await this.#target.setProperties(this.address, properties, signal);
      await this.#target.setProperties(this.address, properties, signal);
    } catch (error) {
      throw error instanceof ReplicationError && error.code === 'notFound' ? markerGone(this.address, error) : error;
    }
  }
}

/** It was there a moment ago: somebody is dropping it. */
export const markerGone = ({ collection }: CollectionAddress, cause?: unknown): ReplicationError =>
  new ReplicationError(
    'notReady',
    'target',
    `Lifeline's marker ${collection} was dropped on the target while it was set. It is made again.`,
    { cause, context: { collection } },
  );

/** By source: tasks of different sources may share a target. */
function digestOf({ etcdClusterId, rootPath, walKind, walIdentity }: SourceIdentity, scope: string): string {
  const identity = [etcdClusterId, rootPath, walKind, walIdentity];
  const text = JSON.stringify(scope === '' ? identity : [...identity, scope]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** What somebody else has put there, by hand or with a later version, is as good as nothing. */
function toReading({ id, createTick, properties }: CollectionProperties): MarkerReading {
  const [runId, number] = (properties.get(BEAT) ?? '').split('/');
  const beat =
    runId !== undefined && number !== undefined && /^\d{1,20}$/.test(number)
      ? { runId, number: BigInt(number) }
      : undefined;
  return { id, createTick, holder: toHolder(properties.get(HOLDER)), beat, leftRunId: properties.get(LEFT) };
}

function toHolder(text: string | undefined): MarkerHolder | undefined {
  if (text === undefined) return undefined;
  let parsed: Partial<Record<keyof MarkerHolder, unknown>> | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    parsed = null;
  }
  if (typeof parsed?.id !== 'string') return undefined;
  return {
    id: parsed.id,
    host: String(parsed.host),
    folder: String(parsed.folder),
    task: String(parsed.task),
    pid: Number(parsed.pid),
    began: Number(parsed.began),
  };
}

/** The least that Milvus takes for a collection: a key, and a vector of the smallest dimension that all versions allow. */
function markerSchema(name: string): Uint8Array {
  const description = 'Made by Lifeline: says which of its tasks writes into this cluster. Holds no rows.';
  const [int64, floatVector] = [5, 101];
  const key = [numberField(1, 100), stringField(2, 'id'), boolField(3, true), numberField(5, int64)];
  const dimension = concatBytes([stringField(1, 'dim'), stringField(2, '2')]);
  const vector = [numberField(1, 101), stringField(2, 'vector'), numberField(5, floatVector), bytesField(6, dimension)];
  return concatBytes([
    stringField(1, name),
    stringField(2, description),
    bytesField(4, concatBytes(key)),
    bytesField(4, concatBytes(vector)),
  ]);
}
