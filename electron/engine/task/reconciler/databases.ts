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
  readonly notice: (text: string) => void;
  readonly onTarget: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>;
}

export function* databasesSeen(
  { databases, target, onTarget, selection, targetDatabaseOf, journal, names, notice }: DatabasesContext,
  snapshot: CatalogSnapshot,
): Iterable<Seen> {
  const covered = snapshot.databases.filter(({ name }) => selection.coversDatabase(name));
  for (const { name, properties: all } of covered) {
    const targetName = targetDatabaseOf(name);
    // Several become one on the target: what they say differently is nobody's to decide here.
    const beside = covered.filter((other) => other.name !== name && targetDatabaseOf(other.name) === targetName);
    const replicated = all.filter((property) => isReplicated(property));
    const contested = replicated.filter(({ key, value }) =>
      beside.some((other) => other.properties.some((one) => one.key === key && one.value !== value)),
    );
    const properties = replicated.filter((property) => !contested.includes(property));
    const object = `database ${name}`;
    const state = JSON.stringify([properties, contested]);
    const isKnown = databases.isKnown(targetName) && (replicated.length > 0 || names.settled.has(object));
    if (!isKnown || names.settled.get(object) === state) {
      names.forget(object);
      continue;
    }
    const close = async (): Promise<boolean> => {
      if (contested.length > 0) {
        const keys = contested.map(({ key }) => key).join(', ');
        const others = beside.map((other) => other.name).join(', ');
        notice(
          `The databases ${name} and ${others} are both ${targetName} on the target, and differ at the source in: ${keys}. These properties are left there as they are.`,
        );
      }
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
