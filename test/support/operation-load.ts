/**
 * Rows into collections while operations change them, under every name that they may bear. Their keys are looked at by no driver. What the source
 * refuses is kept with its reason: nothing but a name that nobody bears at that moment is a reason that operations explain.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { done, rows, type Named } from './operation-lab.ts';
import type { OperationDriver } from './operation-drivers.ts';

export const LOAD_KEYS_FROM = 10_000;
const ROWS_OF_INSERT = 10;
/** Between two rounds over all names: the load goes on for as long as the operations take, and all of it is compared. */
const ROUND_PAUSE_MS = 50;
/** `CollectionNotFound`, and what the proxy says of a name that is neither a collection's nor an alias'. */
const NOBODYS_NAME = /collection not found|can't find collection/i;

interface Written {
  readonly driver: OperationDriver;
  readonly name: string;
  /** Inserts that were taken. */
  inserts: number;
  /** Rows that stand in some collection for certain, unless one was dropped with them. */
  rows: number;
}

export class OperationLoad {
  readonly #source: MilvusClient;
  readonly #written: readonly Written[];
  readonly #refusals = new Map<string, number>();
  readonly #unexplained: string[] = [];
  readonly #running: Promise<void>;
  #nextKey = LOAD_KEYS_FROM;
  #isOver = false;

  /** Begins at once. */
  constructor(source: MilvusClient, all: readonly { readonly driver: OperationDriver; readonly named: Named }[]) {
    this.#source = source;
    this.#written = all.flatMap(({ driver, named }) =>
      [named.name, ...(driver.otherNames?.(named) ?? [])].map((name) => ({ driver, name, inserts: 0, rows: 0 })),
    );
    this.#running = this.#run();
  }

  /** Every name that stands at the source now has taken rows behind this call. */
  async onceAround(): Promise<void> {
    const { data } = await done(this.#source.showCollections());
    const described = data.map(({ name }) => done(this.#source.describeCollection({ collection_name: name })));
    const names = [
      ...data.map(({ name }) => name),
      ...(await Promise.all(described)).flatMap(({ aliases }) => aliases),
    ];
    const standing = this.#written.filter(({ name }) => names.includes(name));
    const before = new Map(standing.map((written) => [written, written.inserts]));
    while (standing.some((written) => written.inserts === before.get(written)) && !this.#isOver) {
      if (this.#unexplained.length > 0) return;
      await pause(ROUND_PAUSE_MS);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Rows of a driver's collections that must be at the source, unless dropped. */
  rowsOf(driver: OperationDriver): number {
    return this.#written.filter((one) => one.driver === driver).reduce((sum, { rows }) => sum + rows, 0);
  }

  /** Each name with what it has taken. */
  get taken(): ReadonlyMap<string, number> {
    return new Map(this.#written.map(({ name, inserts }) => [name, inserts]));
  }

  /** How often the source had nobody of the name, by operation. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** Refusals that no operation explains, and calls without an answer. */
  get unexplained(): readonly string[] {
    return this.#unexplained;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      for (const written of this.#written) await this.#write(written);
      await pause(ROUND_PAUSE_MS);
    }
  }

  async #write(written: Written): Promise<void> {
    const collection_name = written.name;
    const first = this.#nextKey;
    this.#nextKey += ROWS_OF_INSERT;
    const isTaken = await this.#try(
      written,
      this.#source.insert({ collection_name, data: rows(first, ROWS_OF_INSERT) }),
    );
    if (!isTaken) return;
    written.inserts += 1;
    written.rows += ROWS_OF_INSERT;
    // An alias may stand for another collection by now: then the delete finds nothing there, and the upsert is an insert.
    if (written.inserts % 4 === 0) {
      written.rows -= 1;
      await this.#try(written, this.#source.delete({ collection_name, ids: [first] }));
    }
    if (written.inserts % 4 === 2) {
      const data = [{ id: first, embedding: [9, 9, 9, 9] }];
      await this.#try(written, this.#source.upsert({ collection_name, data }));
    }
  }

  async #try(
    { driver, name }: Written,
    call: Promise<{ readonly status: { error_code: string | number; reason: string } }>,
  ): Promise<boolean> {
    try {
      await done(call as never);
      return true;
    } catch (error) {
      const reason = reasonOf(error);
      const isExplained = driver.otherNames !== undefined && NOBODYS_NAME.test(reason);
      if (isExplained) this.#refusals.set(driver.operation, (this.#refusals.get(driver.operation) ?? 0) + 1);
      else this.#unexplained.push(`${driver.operation}, ${name}: ${reason}`);
      return false;
    }
  }
}

/** The client throws the server's answer itself where it has asked for a description first. */
function reasonOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { status, reason } = error as { status?: { reason?: string }; reason?: string };
  return status?.reason ?? reason ?? JSON.stringify(error);
}
