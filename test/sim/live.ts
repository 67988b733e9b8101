/**
 * One life of a source made up from a seed, with faults of target, log, catalogue and rows, and with kills and stops of the
 * engine. In the end the target equals the source. The same seed gives the same life.
 */
import { expect, onTestFinished, vi } from 'vitest';
import { SAME_NAMES, type NameMapping } from '../../shared/model/name-mapping.ts';
import { EVERYTHING, type Selection } from '../../shared/model/selection.ts';
import type { StartPoint } from '../../shared/model/start-point.ts';
import { MemoryTask, settle } from '../support/memory-engine.ts';
import { MemorySource, type Content } from '../support/memory-source.ts';
import { MemoryTarget, type CallRecord, type TargetFault } from '../support/memory-target.ts';
import { statesOf, type Coverage, type FaultKind } from './coverage.ts';
import { Random, RandomLife } from './random-life.ts';
import { RestlessLog } from './restless-log.ts';

/** Parts of a life that are drawn apart from its acts. */
const PART = {
  course: -1,
  slowness: -2,
  kills: -3,
  log: -4,
  jitter: -5,
  recopies: -6,
  selections: -7,
  imports: -8,
} as const;
/** Engine steps from a start to a kill. */
const KILL_WITHIN_STEPS = 120;
/** From a fault to an end that it draws along. */
const ENDS_WITHIN_MS = 10_000;

export interface LiveOptions {
  /** Acts that do not happen. */
  readonly without?: ReadonlySet<number>;
  readonly coverage?: Coverage;
  /** Gets what happens, a line each. */
  readonly trace?: string[];
}

/** Pauses take no time, and the time of day goes with them: what happens "10 s later" does so for all. */
export function useSimulatedTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  vi.setTimerTickMode('nextTimerAsync');
  onTestFinished(() => void vi.useRealTimers());
}

/** How many acts a seed's life has. */
export const actsOf = (seed: number): number => 15 + new Random(seed, PART.course).below(60);

export async function live(
  seed: number,
  { without = new Set(), coverage, trace = [] }: LiveOptions = {},
): Promise<void> {
  const jitter = new Random(seed, PART.jitter);
  const random = vi.spyOn(Math, 'random').mockImplementation(() => jitter.below(1 << 24) / (1 << 24));
  try {
    await liveOnce(seed, without, coverage, trace);
  } finally {
    random.mockRestore();
  }
}

async function liveOnce(
  seed: number,
  without: ReadonlySet<number>,
  coverage: Coverage | undefined,
  trace: string[],
): Promise<void> {
  const life = new RandomLife(seed, (channelCount) => new MemorySource(channelCount));
  const { source } = life;
  tell(source, trace);
  const log = new RestlessLog(source.wal, new Random(seed, PART.log));
  const target = new MemoryTarget();
  const slow = new Random(seed, PART.slowness);
  const slowness = slow.below(4);
  target.turns = () => slow.below(slowness + 1);
  await using task = new MemoryTask(source, target);
  watchFaults(task, coverage, trace, () => mayEnd());

  const course = new Random(seed, PART.course);
  const acts = 15 + course.below(60);
  const budgetBytes = course.pick([1, 600, 5_000, 1 << 20]);
  const early = course.below(acts);
  // Every second life begins with a copy.
  const start: StartPoint = seed % 2 === 0 ? { kind: 'copy', mayLoad: false } : { kind: 'creation' };
  task.rows.pageRows = 1 + (seed % 5);
  task.rows.turns = () => seed % 7;
  task.rows.beforeRead = () => log.arrive();

  const mapping = seed % 4 === 1 ? OTHER_NAMES : SAME_NAMES;
  const selections = new Random(seed, PART.selections);
  // In every fifth life what is called c is taken out and comes back.
  const isSelecting = seed % 5 === 2;
  let wish: Selection = EVERYTHING;
  const fates = new Random(seed, PART.kills);
  let killsLeft = fates.below(4);
  let endsLeft = fates.below(4);
  const begin = () => {
    const killAt = killsLeft > 0 ? 1 + fates.below(KILL_WITHIN_STEPS) : undefined;
    trace.push(`the engine starts${killAt === undefined ? '' : `, to be killed at step ${killAt}`}`);
    return task.start({ budgetBytes, start, mapping, selection: wish, ...(killAt === undefined ? {} : { killAt }) });
  };
  /** Its copy is about to begin anew for rows that were imported. */
  const isImported = (id: bigint): boolean =>
    [...source.catalog.importsHeld.values()].some(
      (one) =>
        (one.collectionId as bigint) === id &&
        task.store.load()?.imports.every((known) => known.id !== one.id) !== false,
    );
  const isDue = (id: bigint): boolean =>
    task.store.load()?.collections.some((stored) => stored.id === id && stored.isRecopy && stored.copy === 'due') ===
    true;
  // What is left out stays on the target, also where its drop was still to come: another one of its name would be held, for
  // the operator to decide. One that is to be copied again is not dropped before, since its drop must stand behind S.
  // One that is renamed while it is left out belongs to the task again under its new name, beside its old copy; aliases of what
  // is left out stay.
  life.mayBeNamed = (name) => !(isSelecting && name === LEFT_OUT);
  life.mayDrop = ({ id, name }) => !isDue(id) && !isImported(id) && !(isSelecting && name === LEFT_OUT);
  for (let act = 0; act < early; act += 1) {
    if (without.has(act)) continue;
    life.turnTo(act);
    life.act();
  }
  let running = begin();
  /** It has been stopped or killed from outside, and nobody has taken its place yet. */
  let isEnded = false as boolean;
  /** Trouble comes in pairs: an engine that has met a fault may end soon after, in one way or the other. */
  const mayEnd = (): void => {
    if (endsLeft === 0 || fates.below(3) > 0) return;
    endsLeft -= 1;
    const ending = running;
    const isKill = fates.below(2) === 0;
    setTimeout(() => {
      if (ending !== running || isEnded || ending.steps.isDead) return;
      isEnded = true;
      if (isKill) ending.steps.isDead = true;
      void ending.stop();
    }, fates.below(ENDS_WITHIN_MS));
  };
  const restart = async (): Promise<void> => {
    if (running.steps.isDead) killsLeft -= 1;
    trace.push(
      running.steps.isDead ? `the engine is killed at ${running.steps.names.at(-1)}` : 'the engine is stopped',
    );
    coverage?.add(running.steps.isDead ? 'killed' : 'stopped', statesOf(task.store.load()));
    await running.stop();
    isEnded = false;
    running = begin();
  };
  const recopies = new Random(seed, PART.recopies);
  // One collection or another is copied again in every third life.
  const isRecopying = seed % 3 === 0;
  const recopy = async (): Promise<void> => {
    const { collections = [] } = task.store.load() ?? {};
    const living = collections.filter(({ id }) => source.catalog.collections.has(id));
    const one = recopies.pickOr(living);
    if (one === undefined) return;
    trace.push(`${one.name}#${one.id} is copied again`);
    // It may be gone, or the engine, before it is done.
    await running.recopy(one.id).catch(() => undefined);
  };
  const imports = new Random(seed, PART.imports);
  // Rows come as files in every fourth life.
  const isImporting = seed % 4 === 3;
  const importRows = (): void => {
    const one = imports.pickOr([...source.databases.values()].flatMap((held) => [...held.values()]));
    const partition = imports.pickOr([...(one?.partitions.keys() ?? [])]);
    if (one !== undefined && partition !== undefined)
      source.importRows(one, life.newRows(1 + imports.below(5)), partition);
  };
  /** One of the name is dropped on the source and still to be dropped on the target, where it would stay if it were left out. */
  const isEnding = (name: string): boolean =>
    task.store
      .load()
      ?.collections.some(
        (stored) => stored.name === name && stored.phase !== 'dropped' && !source.catalog.collections.has(stored.id),
      ) === true;
  const select = async (next: Selection): Promise<void> => {
    wish = next;
    trace.push(next.exclude.length === 0 ? 'everything is selected' : `${LEFT_OUT} is left out`);
    // Where the engine dies before it is done, the next one begins with it.
    await running.select(next).catch(() => undefined);
  };
  for (let act = early; act < acts; act += 1) {
    if (without.has(act)) continue;
    if (isSelecting && selections.below(6) === 0 && !isEnding(LEFT_OUT)) {
      await select(wish === EVERYTHING ? WITHOUT_ONE : EVERYTHING);
    }
    if (isImporting && imports.below(6) === 0) importRows();
    if (isRecopying && recopies.below(6) === 0) await recopy();
    life.turnTo(act);
    const { random } = life;
    life.act();
    if (random.below(5) === 0) trace.push(life.misfortune(target, task.rows));
    if (random.below(3) === 0) await settle(random.below(6));
    if (isEnded || running.steps.isDead || random.below(20) === 0) await restart();
  }
  if (wish !== EVERYTHING) await select(EVERYTHING);
  life.end();
  for (;;) {
    const isLevel = await running.level().then(
      () => true,
      (error: unknown) => {
        if (isEnded || running.steps.isDead) return false;
        throw error;
      },
    );
    if (isLevel) break;
    await restart();
  }
  await settle(2);
  expect(underSourceNames(task.content(), mapping)).toEqual(source.content());
  expect(task.violations).toEqual([]);
  expect(running.status()).toMatchObject({ state: 'following', budgetUsedBytes: 0, operationsPending: 0 });
  await running.stop();
  expect(source.wal.openReaders).toBe(0);
}

const OTHER_NAMES: NameMapping = {
  ...SAME_NAMES,
  rules: [{ from: { database: 'one' }, to: { database: 'uno' } }],
  collectionSuffix: '_dr',
};
const LEFT_OUT = 'c';
const WITHOUT_ONE: Selection = { ...EVERYTHING, exclude: [{ database: '*', collection: LEFT_OUT }] };

/** What bears the name of the source and should not is left as it is, and differs then. */
function underSourceNames(content: Content, mapping: NameMapping): Content {
  if (mapping !== OTHER_NAMES) return content;
  return Object.fromEntries(
    Object.entries(content).map(([database, held]) => {
      const collections = Object.entries(held).map(([name, of]) => {
        const aliases = of.aliases.map((alias) => sourceNameOf(database, alias)).toSorted();
        return [sourceNameOf(database, name), { ...of, aliases }] as const;
      });
      return [database === 'uno' ? 'one' : database, Object.fromEntries(collections)];
    }),
  );
}

const sourceNameOf = (targetDatabase: string, name: string): string => {
  if (targetDatabase === 'uno') return name;
  return name.endsWith('_dr') ? name.slice(0, -'_dr'.length) : `unmapped ${name}`;
};

const WRITE_FAULTS: Readonly<Partial<Record<TargetFault['kind'], FaultKind>>> = {
  refuse: 'write refused',
  lose: 'write lost',
  late: 'write late',
  prefix: 'write halved',
  twice: 'write twice',
  hold: 'write held',
};
const DEFINITION_FAULTS: Readonly<Partial<Record<TargetFault['kind'], FaultKind>>> = {
  refuse: 'definition refused',
  lose: 'definition lost',
  twice: 'definition twice',
  hold: 'definition held',
};
const PAGE_FAULTS = { refuse: 'page refused', lose: 'page lost', late: 'page late' } as const;

function watchFaults(
  { store, target, rows, source }: MemoryTask,
  coverage: Coverage | undefined,
  trace: string[],
  faultMet: () => void,
): void {
  const begun = Date.now();
  const met = (what: string): void => void trace.push(`    at ${Date.now() - begun} ms: ${what}`);
  target.onLanding = ({ call, address }) => met(`${call} ${address} happens now`);
  target.onFault = (kind, record) => {
    met(`${record.call} ${record.address} meets ${kind}`);
    faultMet();
    if (coverage === undefined) return;
    const fault = (isWrite(record) ? WRITE_FAULTS : DEFINITION_FAULTS)[kind];
    // A call on a database is one for each collection in it.
    const [database = '', collection] = record.address.split('.');
    const sourceDatabase = database === 'uno' ? 'one' : database;
    const address = collection === undefined ? sourceDatabase : `${sourceDatabase}.${collection.replace(/_dr$/, '')}`;
    const states = statesOf(
      store.load(),
      ({ database, name }) => address === database || address === `${database}.${name}`,
    );
    // Two collections of one name: the earlier one is being dropped, and the later one waits for that.
    if (fault !== undefined) coverage.add(fault, isWrite(record) ? states.filter(isWritten) : states);
  };
  rows.onFault = (kind, { database, collection }) => {
    met(`a page of ${database}.${collection} meets ${kind}`);
    if (coverage === undefined) return;
    const isIt = (stored: { database: string; name: string }) =>
      stored.database === database && stored.name === collection;
    coverage.add(
      PAGE_FAULTS[kind],
      statesOf(store.load(), isIt).filter((state) => state === 'copying'),
    );
  };
  source.wal.onFault = (call, channel) => {
    if (coverage === undefined) return;
    const stored = store.load();
    const concerned = new Set(
      stored?.shards
        .filter((shard) => channel === undefined || shard.channel === channel)
        .map((shard) => shard.collectionId),
    );
    coverage.add(
      call === 'hold' ? 'log held' : 'log failed',
      statesOf(stored, ({ id }) => concerned.has(id)),
    );
  };
  source.catalog.onFault = () => coverage?.add('catalogue failed', statesOf(store.load()));
}

const isWrite = ({ call }: CallRecord): boolean => call === 'insert' || call === 'upsert' || call === 'delete';
const isWritten = (state: string): boolean => state !== 'dropping' && state !== 'initializing';

const TOLD = [
  'createDatabase',
  'dropDatabase',
  'createCollection',
  'dropCollection',
  'createPartition',
  'dropPartition',
  'insert',
  'importRows',
  'upsert',
  'delete',
  'createIndex',
  'dropIndex',
  'load',
  'releaseLoaded',
  'flush',
  'renameCollection',
  'setAlias',
  'dropAlias',
  'setProperty',
  'removeProperty',
  'alterField',
  'addField',
  'tick',
  'tickAll',
] as const satisfies readonly (keyof MemorySource)[];

/** From now on every act of the source is told. */
function tell(source: MemorySource, trace: string[]): void {
  for (const name of TOLD) {
    const act = source[name].bind(source) as (...args: unknown[]) => unknown;
    Object.assign(source, {
      [name]: (...args: unknown[]): unknown => {
        trace.push(`${name} ${args.map(inWords).join(' ')}`.trimEnd());
        return act(...args);
      },
    });
  }
}

function inWords(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'vchannels' in value && 'id' in value && 'name' in value) {
    return `${String(value.name)}#${String(value.id)}`;
  }
  if (value === undefined) return '';
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? Number(each) : each));
}
