/**
 * Definitions (create, drop, index, load, ...) whose answer was lost: they may still have their effect, until their
 * deadline has passed. Repeating one at once is harmless, since it asks for the same; what must wait is the next one on
 * the same object, which a late first attempt would undo: a late drop would take the collection that was made after it.
 */
import { outcomeOf } from '../errors/policy.ts';
import { toReplicationError } from '../../../shared/model/replication-error.ts';
import type { Clock } from '../runtime/clock.ts';
import { pause } from '../runtime/waiting.ts';
import { TARGET_TIMEOUTS } from '../target/timeouts.ts';
import { LANDING_MARGIN_MS } from './write-lease.ts';

/** After its start a definition can have an effect for so long. */
const DEFINITION_LANDS_WITHIN_MS = TARGET_TIMEOUTS.definitionMs + LANDING_MARGIN_MS;

const DEFINITIONS: ReadonlySet<string> = new Set([
  'createCollection',
  'dropCollection',
  'createPartition',
  'dropPartition',
  'createIndex',
  'dropIndex',
  'loadCollection',
  'releaseCollection',
  'loadPartitions',
  'releasePartitions',
  'renameCollection',
  'alterCollection',
  'alterCollectionField',
  'addField',
]);

/** Calls on one alias are told apart by the collection that they name: `alias <id>`, `alias gone`. */
const isDefinition = (name: string): boolean => DEFINITIONS.has(name) || name.startsWith('alias ');

interface OpenDefinition {
  readonly name: string;
  readonly untilMs: number;
}

export class OpenDefinitions {
  readonly #clock: Clock;
  /** The latest for each object. */
  readonly #open = new Map<string, OpenDefinition>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Before a definition is sent: resolves when no other one on the object can land any more. */
  async whenSettled(object: string, name: string, signal: AbortSignal): Promise<void> {
    for (let open = this.#contrary(object, name); open !== undefined; open = this.#contrary(object, name)) {
      const leftMs = open.untilMs - this.#clock.now();
      if (leftMs > 0) await pause(leftMs, signal);
      if (this.#open.get(object) === open) this.#open.delete(object);
    }
  }

  /** Resolves when nothing on the collection, or on what is in it, can land any more. */
  async whenNoneOpen(collection: string, signal: AbortSignal): Promise<void> {
    const concerns = (object: string): boolean => object === collection || object.startsWith(`${collection}/`);
    for (const object of [...this.#open.keys()].filter(concerns)) {
      await this.whenSettled(object, 'renameCollection of another', signal);
    }
  }

  /** Sends one: while its outcome is unknown afterwards, no other one on the object is sent. */
  async sent<T>(object: string, name: string, call: () => Promise<T>): Promise<T> {
    const sentMs = this.#clock.now();
    try {
      return await call();
    } catch (error) {
      if (outcomeOf(toReplicationError(error)) === 'unknown') this.#leaveOpen(object, name, sentMs);
      throw error;
    }
  }

  /** An earlier run may have sent it just before it ended. */
  mayBeOpen(object: string, name: string): void {
    this.#leaveOpen(object, name, this.#clock.now());
  }

  #leaveOpen(object: string, name: string, sentMs: number): void {
    if (!isDefinition(name)) return;
    const untilMs = sentMs + DEFINITION_LANDS_WITHIN_MS;
    if (untilMs > (this.#open.get(object)?.untilMs ?? 0)) this.#open.set(object, { name, untilMs });
  }

  #contrary(object: string, name: string): OpenDefinition | undefined {
    const open = this.#open.get(object);
    const isContrary = isDefinition(name) || name.startsWith('renameCollection');
    return open === undefined || open.name === name || !isContrary ? undefined : open;
  }
}
