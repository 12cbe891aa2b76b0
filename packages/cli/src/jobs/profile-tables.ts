/** The profile of a table by jobs of the node, and what changed against another table. */
import type { Source } from '@skein/data/data-set';
import type { Column, ColumnChange, Profile } from '@skein/data/profile';
import type { Statements } from './ask-tables.ts';

/** The columns of a table, in their order. */
export async function columnsOfTable({ ask }: Statements, data: Source): Promise<Column[]> {
  const { COLUMNS_SQL } = await import('@skein/data/profile');
  const rows = await ask('columns', COLUMNS_SQL, { data });
  return rows.map(({ name, type }) => ({ name: String(name), type: String(type) }));
}

export async function profileTable(statements: Statements, data: Source): Promise<Profile> {
  const { profileOf, readShape, readSummary, shapeSql, summarySql } =
    await import('@skein/data/profile');
  const columns = await columnsOfTable(statements, data);
  const [first] = await statements.ask('ranges', summarySql(columns, 'data'), { data });
  const summary = readSummary(first!, columns.length);
  const second: Record<string, unknown> = {};
  for (const sql of shapeSql(columns, summary, 'data')) {
    const [part] = await statements.ask('counts', sql, { data });
    Object.assign(second, part);
  }
  return profileOf(columns, summary, readShape(second, columns.length));
}

export async function changesOfTables(
  { ask }: Statements,
  [now, data]: readonly [Profile, Source],
  [earlier, before]: readonly [Profile, Source],
): Promise<ColumnChange[]> {
  const { driftOf, driftSql } = await import('@skein/data/profile');
  const sql = driftSql(now, earlier);
  return driftOf(
    now,
    earlier,
    sql === undefined ? [] : await ask('changes', sql, { data, before }),
  );
}
