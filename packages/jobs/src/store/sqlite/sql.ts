/**
 * Statements, prepared once each; the SQL stands where it is used, and so does the type of its rows.
 *
 * Rows come as arrays and are made objects here: of one shape per statement, which V8 reads far
 * faster than the dictionaries that `node:sqlite` would make of wide rows.
 */
/* oxlint-disable typescript/no-unnecessary-type-parameters -- the caller declares a row's type */
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Database } from '@skein/state';

export interface Sql {
  run(sql: string, ...values: SQLInputValue[]): { changes: number; lastId: number };
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[];
}

interface Prepared {
  readonly statement: StatementSync;
  readonly rowOf: (values: readonly SQLOutputValue[]) => unknown;
}

function prepare(database: Database, sql: string): Prepared {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  const names = statement.columns().map(({ name }) => name);
  // Made by JSON.parse, which gives an object of many properties a shape, and then only copied.
  const empty = JSON.parse(
    JSON.stringify(Object.fromEntries(names.map((name) => [name, null]))),
  ) as Record<string, SQLOutputValue>;
  return {
    statement,
    rowOf: (values) => {
      const row = { ...empty };
      for (let index = 0; index < names.length; index += 1) {
        row[names[index] ?? ''] = values[index] ?? null;
      }
      return row;
    },
  };
}

export function sqlOf(database: Database): Sql {
  const known = new Map<string, Prepared>();
  function prepared(sql: string): Prepared {
    let found = known.get(sql);
    if (!found) known.set(sql, (found = prepare(database, sql)));
    return found;
  }
  return {
    run(sql, ...values) {
      const { changes, lastInsertRowid } = prepared(sql).statement.run(...values);
      return { changes: Number(changes), lastId: Number(lastInsertRowid) };
    },
    get<Row>(sql: string, ...values: SQLInputValue[]) {
      const { statement, rowOf } = prepared(sql);
      const found = statement.get(...values) as SQLOutputValue[] | undefined;
      return found && (rowOf(found) as Row);
    },
    all<Row>(sql: string, ...values: SQLInputValue[]) {
      const { statement, rowOf } = prepared(sql);
      const found = statement.all(...values) as unknown as SQLOutputValue[][];
      return found.map(rowOf) as Row[];
    },
  };
}
