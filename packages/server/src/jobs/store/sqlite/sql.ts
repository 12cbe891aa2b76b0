/**
 * Statements, prepared once each; the SQL stands where it is used, and so does the type of its rows.
 */
/* oxlint-disable typescript/no-unnecessary-type-parameters -- a row's type is the caller's to say */
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { Database } from '../../../state/sqlite/database.ts';

export interface Sql {
  run(sql: string, ...values: SQLInputValue[]): { changes: number; lastId: number };
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SQLInputValue[]): Row[];
}

export function sqlOf(database: Database): Sql {
  const prepared = new Map<string, StatementSync>();
  function statement(sql: string): StatementSync {
    let found = prepared.get(sql);
    if (!found) prepared.set(sql, (found = database.prepare(sql)));
    return found;
  }
  return {
    run(sql, ...values) {
      const { changes, lastInsertRowid } = statement(sql).run(...values);
      return { changes: Number(changes), lastId: Number(lastInsertRowid) };
    },
    get: <Row>(sql: string, ...values: SQLInputValue[]) =>
      statement(sql).get(...values) as Row | undefined,
    all: <Row>(sql: string, ...values: SQLInputValue[]) =>
      statement(sql).all(...values) as unknown as Row[],
  };
}
