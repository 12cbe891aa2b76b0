/**
 * Records as rows of a table: a column has the name of its field in snake case, and is NULL where the
 * field is absent.
 */
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';

type Row = Readonly<Record<string, SQLOutputValue>>;

/** @param json the fields that are stored as JSON. */
export function recordsOf<R extends object>(...json: readonly (keyof R & string)[]) {
  const isJson = new Set<string>(json);
  const isPresent = ([, value]: readonly [string, unknown]): boolean =>
    value !== undefined && value !== null;

  return {
    /** The named parameters of a statement: SQLite takes NULL for those that are absent. */
    toRow: (record: Partial<R>): Record<string, SQLInputValue> => {
      const fields = Object.entries<SQLInputValue>(record as never).filter(isPresent);
      return Object.fromEntries(
        fields.map(([name, value]) => [name, isJson.has(name) ? JSON.stringify(value) : value]),
      );
    },
    fromRow: (row: Row): R => {
      const columns = Object.entries(row).filter(isPresent);
      return Object.fromEntries(
        columns.map(([column, value]) => {
          const name = column.replaceAll(/_[a-z]/g, ([, letter = '']) => letter.toUpperCase());
          return [name, isJson.has(name) ? JSON.parse(value as string) : value];
        }),
      ) as R;
    },
  };
}
