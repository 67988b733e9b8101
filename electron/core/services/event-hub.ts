/**
 * What the core says unasked, numbered, with the last of it kept, so that a listener whose line broke can go on where it
 * was. Payloads are checked against the contract and written as JSON once, however many listen.
 */
import { randomBytes } from 'node:crypto';
import { events, type EventName, type EventPayload } from '../../../shared/contract/procedures.ts';

/** Some minutes of a few tasks' statuses: longer than a laptop's network takes to come back. */
const KEPT_EVENTS_MAX = 1_000;
/** A status of 500 collections has some 150 kB. */
const KEPT_CHARS_MAX = 4 * 1024 * 1024;

export interface HubEvent {
  /** Of this core only: `<run>-<number>`. */
  readonly id: string;
  readonly name: EventName;
  readonly payload: unknown;
  /** The payload; one line. */
  readonly json: string;
}

export class EventHub {
  /** Another core, or this one after a restart, has another: its numbers mean nothing here. */
  readonly #run = randomBytes(6).toString('hex');
  readonly #listeners = new Set<(event: HubEvent) => void>();
  readonly #keptMax: number;
  #kept: HubEvent[] = [];
  #keptChars = 0;
  #lastNumber = 0;

  constructor(keptMax = KEPT_EVENTS_MAX) {
    this.#keptMax = keptMax;
  }

  /** Of the last event; what a listener that begins now has "had". */
  get lastId(): string {
    return this.#idOf(this.#lastNumber);
  }

  publish<N extends EventName>(name: N, payload: EventPayload<N>): void {
    this.#lastNumber += 1;
    const parsed = events[name].parse(payload);
    const event: HubEvent = { id: this.lastId, name, payload: parsed, json: JSON.stringify(parsed) };
    this.#kept.push(event);
    this.#keptChars += event.json.length;
    while (this.#kept.length > this.#keptMax || (this.#keptChars > KEPT_CHARS_MAX && this.#kept.length > 1)) {
      this.#keptChars -= this.#kept.shift()?.json.length ?? 0;
    }
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Returns how to end it. A listener must not throw. */
  on(listener: (event: HubEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What came after the event of that id; `undefined` when that can no longer be told. */
  since(id: string): readonly HubEvent[] | undefined {
    const [run, text] = id.split('-');
    const number = Number(text);
    if (run !== this.#run || !Number.isSafeInteger(number) || number > this.#lastNumber) return undefined;
    const missed = this.#lastNumber - number;
    return missed > this.#kept.length ? undefined : this.#kept.slice(this.#kept.length - missed);
  }

  #idOf(number: number): string {
    return `${this.#run}-${number}`;
  }
}
