/** A store as SQL text, which makes it again: small, and a change of it can be read. */
import { DatabaseSync } from 'node:sqlite';

/** Tables with their rows, and the format's number. */
export function dumpStore(database: DatabaseSync): string {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  const lines = tablesOf(database).flatMap(({ name, sql }) => [
    `${sql};`,
    ...rowsOf(database, name).map((row) => `INSERT INTO ${name} VALUES (${row.join(', ')});`),
  ]);
  return `${[...lines, `PRAGMA user_version = ${version};`].join('\n')}\n`;
}

/** Makes the file anew. */
export function restoreStore(file: string, sql: string): void {
  using database = new DatabaseSync(file);
  // The tables stand in the order of their names, whatever refers to what.
  database.exec(`PRAGMA foreign_keys = OFF; BEGIN; ${sql} COMMIT;`);
}

/** Every row of every table: its columns by name, as SQL literals. */
export function contentOf(database: DatabaseSync): Map<string, Record<string, string>[]> {
  return new Map(
    tablesOf(database).map(({ name }) => {
      const columns = columnsOf(database, name);
      return [
        name,
        rowsOf(database, name).map((row): Record<string, string> =>
          Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ''])),
        ),
      ];
    }),
  );
}

function tablesOf(database: DatabaseSync): { name: string; sql: string }[] {
  return database
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .all()
    .map((row) => ({ name: String(row['name']), sql: String(row['sql']) }));
}

const columnsOf = (database: DatabaseSync, table: string): string[] =>
  database
    .prepare(`SELECT name FROM pragma_table_info('${table}')`)
    .all()
    .map((row) => String(row['name']));

function rowsOf(database: DatabaseSync, table: string): string[][] {
  const columns = columnsOf(database, table);
  const quoted = columns.map((column, index) => `quote(${column}) AS q${index}`).join(', ');
  return database
    .prepare(`SELECT ${quoted} FROM ${table} ORDER BY rowid`)
    .all()
    .map((row) => columns.map((_, index) => String(row[`q${index}`])));
}
