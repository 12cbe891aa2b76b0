/**
 * Statements as trees, by DuckDB's own parser: `json_serialize_sql` and `json_deserialize_sql`
 * (https://duckdb.org/docs/stable/data/json/sql_to_and_from_json).
 */
import { SkeinError } from '@skein/api/errors';
import { JSON_BOUNDS, readJson, readJsonOr } from '@skein/api/foreign-json';
import { importOptional } from '@skein/api/user-modules';
import type * as DuckDb from '@duckdb/node-api';
import { quoted } from './sql-text.ts';

async function withParser<T>(
  use: (ask: (sql: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const { DuckDBInstance }: typeof DuckDb = await importOptional(
    '@duckdb/node-api',
    'Statements over tables',
    import.meta.url,
  );
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    return await use(async (sql) => {
      const [row] = (await connection.runAndReadAll(sql)).getRows();
      return String(row?.[0]);
    });
  } finally {
    instance.closeSync();
  }
}

export interface Parsed {
  /** Tree of the query; undefined for a statement that DuckDB cannot write as a tree, or that is too deep. */
  readonly statement: unknown;
  /** Names of DuckDB's aggregate functions, and of its macros: geomean(x) is exp(avg(ln(x))). */
  readonly aggregates: readonly string[];
}

/** @throws SkeinError SQL_INVALID for a text that is no statement, or several. */
export async function parseStatement(sql: string): Promise<Parsed> {
  const [json, names] = await withParser(async (ask) => [
    await ask(`SELECT json_serialize_sql(${quoted(sql)})`),
    await ask(
      `SELECT to_json(list(DISTINCT function_name)) FROM duckdb_functions() WHERE function_type IN ('aggregate', 'macro')`,
    ),
  ]);
  const aggregates = readJson(names, JSON_BOUNDS.statement) as string[];
  const parsed = readJsonOr(json, JSON_BOUNDS.statement, undefined) as Serialized | undefined;
  const { error_type: fault, error_message: reason, statements = [] } = parsed ?? {};
  // DuckDB writes trees of SELECT alone.
  if (parsed === undefined || fault === NO_SELECT) return { statement: undefined, aggregates };
  const [only, another] = statements;
  if (only !== undefined && another === undefined) return { statement: only.node, aggregates };
  throw new SkeinError(
    'SQL_INVALID',
    `DuckDB refuses the statement: ${reason ?? 'it must be one statement.'}`,
  );
}

/** The answer of `json_serialize_sql`. */
interface Serialized {
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly { readonly node: unknown }[];
}

/** DuckDB's type of the error for a statement that is no SELECT. */
const NO_SELECT = 'not implemented';

/** The texts of trees of queries. */
export async function textsOf(nodes: readonly unknown[]): Promise<string[]> {
  return withParser(async (ask) => {
    const texts: string[] = [];
    for (const node of nodes) {
      const tree = { error: false, statements: [{ node, named_param_map: [] }] };
      texts.push(
        await ask(`SELECT json_deserialize_sql(${quoted(JSON.stringify(tree, withoutPlaces))})`),
      );
    }
    return texts;
  });
}

/** Places in the text are optional; DuckDB has one for "none" that JavaScript's numbers cannot hold. */
function withoutPlaces(key: string, value: unknown): unknown {
  return key === 'query_location' ? undefined : value;
}
