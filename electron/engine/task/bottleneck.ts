/** Which stage holds a task up, and why: from what a status knows anyway. Pure. */
import type {
  Bottleneck,
  CollectionStatus,
  SourceStatus,
  StageRates,
  Trouble,
} from '../../../shared/model/task-status.ts';
import type { ChannelReading } from './source-clock.ts';

/** A source's tick comes every 0.2 s, a write takes some more: what is below keeps up. */
export const LEVEL_LAG_MS_MAX = 2_000;

export interface BottleneckInput {
  /** Of the task itself, or of a channel. */
  readonly trouble: Trouble | undefined;
  readonly collections: readonly CollectionStatus[];
  readonly channels: readonly ChannelReading[];
  readonly source: SourceStatus;
  readonly rates: StageRates | undefined;
  readonly budgetUsedBytes: number;
  /** Since when (Unix ms) the target has left a call without an answer for too long; `undefined`: it answers. */
  readonly targetSilentSinceMs: number | undefined;
  readonly now: number;
}

const nameOf = ({ database, name }: CollectionStatus): string => `${database}.${name}`;
const seconds = (ms: number): string => `${Math.max(1, Math.round(ms / 1000)).toLocaleString('en-US')} s`;
const count = (value: number): string => Math.round(value).toLocaleString('en-US');

export function bottleneckOf(input: BottleneckInput): Bottleneck {
  return blocked(input) ?? silent(input) ?? memoryFull(input) ?? behind(input) ?? keepsUp(input);
}

function blocked({ trouble, collections }: BottleneckInput): Bottleneck | undefined {
  if (trouble !== undefined) return { stage: 'blocked', reason: trouble.error.message };
  const first = collections.find((collection) => collection.trouble !== undefined && !isOnlyAsked(collection));
  if (first?.trouble === undefined) return undefined;
  return { stage: 'blocked', reason: first.trouble.error.message, collection: nameOf(first) };
}

/** An operation of it waits for a person, and its rows go on. */
const isOnlyAsked = ({ trouble, state }: CollectionStatus): boolean =>
  trouble?.error.code === 'decisionNeeded' && state !== 'held';

function silent({ targetSilentSinceMs, source, now }: BottleneckInput): Bottleneck | undefined {
  if (targetSilentSinceMs !== undefined) {
    return { stage: 'target', reason: `The target has not answered for ${seconds(now - targetSilentSinceMs)}.` };
  }
  if (source.activity !== 'silent') return undefined;
  const [channel] = source.silentChannels ?? [];
  return {
    stage: 'source',
    reason: `The source's log has brought nothing on ${channel ?? 'a channel'} for ${seconds(now - (source.sinceMs ?? now))}, not even its clock.`,
    ...(channel === undefined ? {} : { channel }),
  };
}

function memoryFull(input: BottleneckInput): Bottleneck | undefined {
  const { channels, rates, budgetUsedBytes } = input;
  if (!channels.some(({ waitsForMemory }) => waitsForMemory)) return undefined;
  if (someWaits(input, 'target')) {
    const rate = rates === undefined ? '' : ` (${count(rates.rowsWrittenPerSecond)} rows/s)`;
    return {
      stage: 'target',
      reason: `Reading waits, since ${count(budgetUsedBytes / 1024 / 1024)} MiB of changes wait for the target${rate}.`,
    };
  }
  return barrier(input) ?? { stage: 'memory', reason: 'Reading waits for memory; raise the budget for reading ahead.' };
}

function behind(input: BottleneckInput): Bottleneck | undefined {
  const late = latest(input.collections);
  if (late === undefined || (late.lagMs ?? 0) <= LEVEL_LAG_MS_MAX) return undefined;
  if (someWaits(input, 'target')) {
    return {
      stage: 'target',
      reason: 'Changes wait for the target to confirm those before them.',
      collection: nameOf(late),
    };
  }
  return (
    barrier(input) ?? {
      stage: 'log',
      reason: 'Everything that was read is written; what is behind has not come from the log yet.',
      collection: nameOf(late),
    }
  );
}

/** A drop waits until every shard of its collection, or of an earlier one of its name, has come to it. */
function barrier({ collections }: BottleneckInput): Bottleneck | undefined {
  const waiting = collections.find(({ shards = [] }) => shards.some(({ waitsFor }) => waitsFor === 'shards'));
  if (waiting === undefined) return undefined;
  const awaited = waiting.shards?.filter(({ waitsFor }) => waitsFor !== 'shards') ?? [];
  const which =
    awaited.length === 0 ? 'an earlier collection of its name' : awaited.map(({ vchannel }) => vchannel).join(', ');
  return { stage: 'barrier', reason: `${nameOf(waiting)} waits for ${which}.`, collection: nameOf(waiting) };
}

function keepsUp({ collections, source, now }: BottleneckInput): Bottleneck {
  const copied = collections.filter(({ state }) => state === 'copying').length;
  if (copied > 0) {
    return {
      stage: 'copy',
      reason: `${copied === 1 ? 'One collection is' : `${copied} collections are`} being copied.`,
    };
  }
  if (source.activity === 'idle') {
    const since = source.sinceMs === undefined ? '' : ` for ${seconds(now - source.sinceMs)}`;
    return { stage: 'none', reason: `The source has changed nothing${since}.` };
  }
  return { stage: 'none', reason: 'Changes are written as they come.' };
}

const someWaits = ({ collections }: BottleneckInput, what: 'target'): boolean =>
  collections.some(({ shards = [] }) => shards.some(({ waitsFor }) => waitsFor === what));

function latest(collections: readonly CollectionStatus[]): CollectionStatus | undefined {
  let found: CollectionStatus | undefined;
  for (const one of collections) if ((one.lagMs ?? 0) > (found?.lagMs ?? 0)) found = one;
  return found;
}
