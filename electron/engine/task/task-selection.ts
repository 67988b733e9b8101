/** What a task replicates, by name: asked when a collection or an operation is found. Changed while the task runs. */
import { DEFAULT_DATABASE, nameText } from '../../../shared/model/collection-name.ts';
import { compileSelection, type CompiledSelection, type Selection } from '../../../shared/model/selection.ts';
import type { LeftOut } from '../../../shared/model/task-status.ts';

/** More names than these are a number. */
const NAMES_SHOWN_MAX = 100;

interface Named {
  readonly database: string;
  readonly name: string;
}

export class TaskSelection {
  #selection: Selection;
  #compiled: CompiledSelection;
  #leftOut: LeftOut | undefined;

  constructor(selection: Selection) {
    this.#selection = selection;
    this.#compiled = compileSelection(selection);
  }

  get current(): Selection {
    return this.#selection;
  }

  set(selection: Selection): void {
    this.#selection = selection;
    this.#compiled = compileSelection(selection);
  }

  /** By name alone. */
  has({ database, name }: Named): boolean {
    return this.#compiled.matches({ database, collection: name });
  }

  /** One that is found while the task runs. Where none is taken up, nothing has to be asked of it. */
  get takesLater(): boolean {
    return this.#compiled.later;
  }

  takesUp(collection: Named): boolean {
    return this.takesLater && this.has(collection);
  }

  /** The database itself belongs to it, also while none of its collections is there. */
  hasDatabase(database: string): boolean {
    return database !== DEFAULT_DATABASE && this.coversDatabase(database);
  }

  /** As `hasDatabase`, the default one included, which nobody makes or drops. */
  coversDatabase(database: string): boolean {
    return this.takesLater && this.#compiled.matchesDatabase(database);
  }

  /** As the catalogue was read last. */
  get leftOut(): LeftOut | undefined {
    return this.#leftOut;
  }

  /** @param isKnown It is followed, or was. */
  noteLeftOut<T extends Named>(collections: readonly T[], isKnown: (collection: T) => boolean): void {
    const names = collections
      .filter((collection) => !isKnown(collection) && !this.takesUp(collection))
      .map(({ database, name }) => nameText({ database, collection: name }));
    this.#leftOut =
      names.length === 0 ? undefined : { count: names.length, names: names.toSorted().slice(0, NAMES_SHOWN_MAX) };
  }
}
