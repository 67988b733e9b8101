/** Databases of the source that the selection covers as a whole: that they are there, what they are given as properties, and their ends. */
import type { KeyValue } from '../../../../shared/model/key-value.ts';
import type { CatalogDatabase, CatalogSnapshot } from '../../source/catalog/catalog.ts';
import type { Target } from '../../target/target.ts';
import type { CollectionRegistry } from '../collection-registry.ts';
import type { TargetDatabases } from '../target-databases.ts';
import type { TaskSelection } from '../task-selection.ts';
import { isReplicated } from './diff.ts';
import type { NamesSeen, Seen } from './seen.ts';
import type { StepJournal } from './step-journal.ts';

export interface DatabasesContext {
  readonly target: Pick<Target, 'readDatabaseProperties' | 'setDatabaseProperties'>;
  readonly databases: Pick<
    TargetDatabases,
    'isKnown' | 'isOwn' | 'inLane' | 'look' | 'ensure' | 'dropOwn' | 'seen' | 'sawLiving' | 'forgetSeen'
  >;
  readonly registry: Pick<CollectionRegistry, 'inTargetDatabase'>;
  readonly selection: Pick<TaskSelection, 'coversDatabase' | 'hasDatabase'>;
  readonly journal: StepJournal;
  readonly names: NamesSeen;
  readonly targetDatabaseOf: (database: string) => string;
  readonly notice: (text: string) => void;
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

export function* databasesSeen(context: DatabasesContext, snapshot: CatalogSnapshot): Iterable<Seen> {
  const { databases, selection, targetDatabaseOf } = context;
  const covered = snapshot.databases.filter(({ name }) => selection.coversDatabase(name));
  for (const database of covered) {
    const { id, name } = database;
    databases.sawLiving({ id, name });
    const properties = propertiesOf(context, database, covered);
    if (databases.isKnown(targetDatabaseOf(name))) yield* altered(context, name, properties);
    else if (selection.hasDatabase(name)) yield* made(context, name, properties);
  }
  yield* ended(context, snapshot);
}

interface Properties {
  readonly agreed: readonly KeyValue[];
  /** Several become one on the target: what they say differently is nobody's to decide here. */
  readonly contested: readonly KeyValue[];
  readonly others: readonly string[];
}

/** The same by what the log sets. `undefined`: no other one says otherwise. */
export interface ContestedProperties {
  readonly keys: ReadonlySet<string>;
  readonly sentence: string;
}

/** @param database With what the log sets of its properties. @param covered As the catalogue shows them now. */
export function contestedProperties(
  context: Pick<DatabasesContext, 'targetDatabaseOf'>,
  database: Pick<CatalogDatabase, 'name' | 'properties'>,
  covered: readonly CatalogDatabase[],
): ContestedProperties | undefined {
  const found = propertiesOf(context, database, covered);
  if (found.contested.length === 0) return undefined;
  return {
    keys: new Set(found.contested.map(({ key }) => key)),
    sentence: contestedText(context, database.name, found),
  };
}

function contestedText(
  { targetDatabaseOf }: Pick<DatabasesContext, 'targetDatabaseOf'>,
  name: string,
  { contested, others }: Properties,
): string {
  const keys = contested.map(({ key }) => key).join(', ');
  return `The databases ${name} and ${others.join(', ')} are both ${targetDatabaseOf(name)} on the target, and differ at the source in: ${keys}. These properties are left there as they are.`;
}

function propertiesOf(
  { targetDatabaseOf }: Pick<DatabasesContext, 'targetDatabaseOf'>,
  { name, properties }: Pick<CatalogDatabase, 'name' | 'properties'>,
  covered: readonly CatalogDatabase[],
): Properties {
  const isBeside = (other: CatalogDatabase) => targetDatabaseOf(other.name) === targetDatabaseOf(name);
  const beside = covered.filter((other) => other.name !== name && isBeside(other));
  const replicated = properties.filter((property) => isReplicated(property));
  const contested = replicated.filter(({ key, value }) =>
    beside.some((other) => other.properties.some((one) => one.key === key && one.value !== value)),
  );
  const agreed = replicated.filter((property) => !contested.includes(property));
  return { agreed, contested, others: beside.map((other) => other.name) };
}

/** Its message was lost, or it was there before the task and holds nothing that would have brought it over. */
function* made(
  { databases, journal, names, targetDatabaseOf }: DatabasesContext,
  name: string,
  { agreed }: Properties,
): Iterable<Seen> {
  const targetName = targetDatabaseOf(name);
  const object = `new database ${name}`;
  if (names.settled.has(object)) {
    names.forget(object);
    return;
  }
  const close = async (): Promise<boolean> => {
    if (await databases.inLane(targetName, () => databases.look(targetName))) return true;
    const make = () => databases.inLane(targetName, () => databases.ensure(targetName, agreed));
    if (!(await journal.run({ operation: 'createDatabase' }, undefined, make, name))) names.settled.set(object, 'left');
    return true;
  };
  yield { object, state: 'made', replicas: [], close };
}

function* altered(
  { databases, target, onTarget, targetDatabaseOf, journal, names, notice }: DatabasesContext,
  name: string,
  properties: Properties,
): Iterable<Seen> {
  const { agreed, contested } = properties;
  const targetName = targetDatabaseOf(name);
  const object = `database ${name}`;
  const state = JSON.stringify([agreed, contested]);
  const hasProperties = agreed.length > 0 || contested.length > 0;
  if (!(hasProperties || names.settled.has(object)) || names.settled.get(object) === state) {
    names.forget(object);
    return;
  }
  const close = async (): Promise<boolean> => {
    if (contested.length > 0) notice(contestedText({ targetDatabaseOf }, name, properties));
    const read = (signal: AbortSignal) => target.readDatabaseProperties(targetName, signal);
    const found = await databases.inLane(targetName, () => onTarget('describeDatabase', read));
    const changed = agreed.filter(({ key, value }) => found?.get(key) !== value);
    if (found !== undefined && changed.length > 0) {
      const set = (signal: AbortSignal) => target.setDatabaseProperties(targetName, changed, signal);
      const alter = () => databases.inLane(targetName, () => onTarget('alterDatabase', set));
      await journal.run({ operation: 'alterDatabase', what: state }, undefined, alter, name);
    }
    names.settled.set(object, state);
    return true;
  };
  yield { object, state, replicas: [], close };
}

/** By the word of its end, of one that was seen living, now or by an earlier run; what still holds something stays (`dropOwn`). */
function* ended(
  { databases, registry, journal, names, targetDatabaseOf }: DatabasesContext,
  { databases: living, ended: { databases: ids } }: CatalogSnapshot,
): Iterable<Seen> {
  for (const [id, name] of databases.seen) {
    const targetName = targetDatabaseOf(name);
    const isInUse = living.some((other) => targetDatabaseOf(other.name) === targetName);
    if (!ids.has(id) || isInUse || !databases.isOwn(targetName)) continue;
    const close = async (): Promise<boolean> => {
      // Their ends are still to be told, or closed.
      if (registry.inTargetDatabase(targetName).length > 0) return false;
      const drop = async (): Promise<void> => {
        await databases.inLane(targetName, () => databases.dropOwn(targetName));
      };
      await journal.run({ operation: 'dropDatabase', id: `drop/database/${id}` }, undefined, drop, name);
      databases.forgetSeen(id);
      names.settled.delete(`database ${name}`);
      names.settled.delete(`new database ${name}`);
      return true;
    };
    yield { object: `end of database ${id}`, state: 'ended', replicas: [], close };
  }
}
