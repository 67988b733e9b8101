/**
 * Where a task begins that is told a position for each shard, as other tools give them: `msgpb.MsgPosition` in base64, with
 * Milvus' own bytes of a message id (milvus-cdc, milvus-backup). The message itself is read once more, and what is not
 * newer than the position's timestamp is left out, as Milvus' own readers do.
 */
import { asVChannel, type PChannel } from '../../../shared/model/ids.ts';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import type { StoredChannel, StoredShard } from '../../../shared/model/task-state.ts';
import { asTimeTick } from '../../../shared/time/time-tick.ts';
import type { Checkpoint } from '../../../shared/model/position.ts';
import type { CatalogCollection, ShardPosition } from '../source/catalog/catalog.ts';
import { readMsgPosition, type MsgPosition } from '../source/catalog/etcd-messages.ts';
import type { Wal } from '../source/wal/wal.ts';

/** By vchannel, or by pchannel for all of its shards. */
type GivenPositions = Readonly<Record<string, string>>;

/** More names than these make no sentence. */
const NAMES_MAX = 5;

/** @throws invalidConfig naming the channel or the collections; positionLost. */
export class StartPositions {
  readonly #given: GivenPositions;
  readonly #wal: Wal;

  constructor(given: GivenPositions, wal: Wal) {
    this.#given = given;
    this.#wal = wal;
  }

  /** That every position is for a channel that there is, and that every shard has one. */
  /** @param all Positions of what is not selected are no mistake. */
  assertComplete(
    collections: readonly CatalogCollection[],
    channels: readonly PChannel[],
    all: readonly CatalogCollection[] = collections,
  ): void {
    const shards = all.flatMap(({ startPositions }) => startPositions);
    const known = new Set<string>([...channels, ...shards.flatMap(({ vchannel, pchannel }) => [vchannel, pchannel])]);
    const unknown = Object.keys(this.#given).find((name) => !known.has(name));
    if (unknown !== undefined) {
      throw invalid(
        unknown,
        `A position was given for ${unknown}, which is neither a shard of a collection nor a channel of the source's log. Correct or remove it.`,
      );
    }
    const without = collections.filter(({ startPositions }) =>
      startPositions.some((shard) => this.#nameFor(shard) === undefined),
    );
    if (without.length === 0) return;
    const names = without.slice(0, NAMES_MAX).map(({ database, name }) => `${database}.${name}`);
    const more = without.length > NAMES_MAX ? ` and ${without.length - NAMES_MAX} more` : '';
    throw new ReplicationError(
      'invalidConfig',
      'config',
      `No position was given for every shard of ${names.join(', ')}${more}, so it is not known from where they are to be brought. Give a position for each of their vchannels, or choose another beginning.`,
      { context: { collections: without.length } },
    );
  }

  async shardsOf(collection: CatalogCollection): Promise<StoredShard[]> {
    return Promise.all(
      collection.startPositions.map(async (shard): Promise<StoredShard> => {
        const { vchannel, pchannel } = shard;
        const { latest } = await this.#wal.bounds(pchannel);
        return {
          vchannel: asVChannel(vchannel),
          collectionId: collection.id,
          channel: pchannel,
          checkpoint: await this.#checkpoint(this.#nameFor(shard) ?? vchannel, shard),
          // Another tool may have written up to where the log ends now.
          intent: latest,
        };
      }),
    );
  }

  /** The channel's news from its own position; `undefined`: none was given. */
  async channel(channel: PChannel): Promise<StoredChannel | undefined> {
    if (this.#given[channel] === undefined) return undefined;
    return { channel, checkpoint: await this.#checkpoint(channel, { vchannel: channel, pchannel: channel }) };
  }

  /** Under which its position was given. */
  #nameFor({ vchannel, pchannel }: ShardPosition): string | undefined {
    return [vchannel, pchannel].find((name) => this.#given[name] !== undefined);
  }

  async #checkpoint(
    name: string,
    { vchannel, pchannel }: { readonly vchannel: string; readonly pchannel: PChannel },
  ): Promise<Checkpoint> {
    const { channelName, messageId, timestamp } = decodePosition(name, this.#given[name] ?? '');
    if (!['', vchannel, pchannel].includes(channelName)) {
      throw invalid(name, `The position that was given for ${name} is one of ${channelName}. Correct it.`);
    }
    const ordinal = this.#ordinal(name, messageId);
    const { incarnation } = await this.#wal.bounds(pchannel);
    const resume = { kind: 'at', ordinal, incarnation } as const;
    await this.#wal.assertKept(pchannel, resume);
    return { resume, tick: asTimeTick(timestamp) };
  }

  #ordinal(name: string, messageId: Uint8Array) {
    try {
      return this.#wal.decodeMessageId(messageId);
    } catch (cause) {
      throw invalid(name, `${unreadable(name)} Its message id is not one of this log's kind.`, cause);
    }
  }
}

/** @throws invalidConfig */
function decodePosition(name: string, text: string): MsgPosition {
  const bytes = Buffer.from(text, 'base64');
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === text.trim().replace(/=+$/, '');
  if (!isBase64 || bytes.byteLength === 0) throw invalid(name, `${unreadable(name)} It is no base64.`);
  let position: MsgPosition;
  try {
    position = readMsgPosition(bytes);
  } catch (cause) {
    throw invalid(name, `${unreadable(name)} It is no position of Milvus.`, cause);
  }
  if (position.messageId.byteLength === 0) throw invalid(name, `${unreadable(name)} It holds no message id.`);
  return position;
}

const unreadable = (name: string): string =>
  `The position that was given for ${name} cannot be read. Copy it whole, as milvus-cdc or milvus-backup shows it.`;

function invalid(channel: string, message: string, cause?: unknown): ReplicationError {
  return new ReplicationError('invalidConfig', 'config', message, {
    ...(cause === undefined ? {} : { cause }),
    context: { channel, field: 'start.positions' },
  });
}
