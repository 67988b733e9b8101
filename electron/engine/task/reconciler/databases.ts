/** Properties of databases: only those that the source knows, and only of databases that the selection covers as a whole. */
import type { CatalogSnapshot } from '../../source/catalog/catalog.ts';
import type { Target } from '../../target/target.ts';
import type { TargetDatabases } from '../target-databases.ts';
import type { TaskSelection } from '../task-selection.ts';
import { isReplicated } from './diff.ts';
import type { NamesSeen, Seen } from './seen.ts';
import type { StepJournal } from './step-journal.ts';

export interface DatabasesContext {
  readonly target: Pick<Target, 'readDatabaseProperties' | 'setDatabaseProperties'>;
  readonly databases: Pick<TargetDatabases, 'isKnown' | 'lane'>;
  readonly selection: Pick<TaskSelection, 'coversDatabase'>;
  readonly journal: StepJournal;
  readonly names: NamesSeen;
  readonly targetDatabaseOf: (database: string) => string;
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

export function* databasesSeen(
  { databases, target, onTarget, selection, targetDatabaseOf, journal, names }: DatabasesContext,
  snapshot: CatalogSnapshot,
): Iterable<Seen> {
  for (const { name, properties: all } of snapshot.databases) {
    if (!selection.coversDatabase(name)) continue;
    const properties = all.filter((property) => isReplicated(property));
    const object = `database ${name}`;
    const state = JSON.stringify(properties);
    const targetName = targetDatabaseOf(name);
    const isKnown = databases.isKnown(targetName) && (properties.length > 0 || names.settled.has(object));
    if (!isKnown || names.settled.get(object) === state) {
      names.forget(object);
      continue;
    }
    const close = async (): Promise<boolean> => {
      const read = (signal: AbortSignal) => target.readDatabaseProperties(targetName, signal);
      const found = await databases.lane(targetName).run(() => onTarget('describeDatabase', read));
      const changed = properties.filter(({ key, value }) => found?.get(key) !== value);
      if (found !== undefined && changed.length > 0) {
        const set = (signal: AbortSignal) => target.setDatabaseProperties(targetName, changed, signal);
        const alter = () => databases.lane(targetName).run(() => onTarget('alterDatabase', set));
        await journal.run({ operation: 'alterDatabase', what: state }, undefined, alter, name);
      }
      names.settled.set(object, state);
      return true;
    };
    yield { object, state, replicas: [], close };
  }
}
