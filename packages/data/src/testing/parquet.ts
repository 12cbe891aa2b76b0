/** Parquet files for tests, written and read by DuckDB. */
import { DuckDBInstance } from '@duckdb/node-api';

/** Runs a statement in a DuckDB of its own. */
export async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    instance.closeSync();
  }
}

/** @param options.from a JSONL file with the rows. @param options.rowGroupRows a multiple of 2048. */
export async function writeParquet(
  file: string,
  { from, rowGroupRows }: { readonly from: string; readonly rowGroupRows: number },
): Promise<void> {
  const options = `FORMAT parquet, ROW_GROUP_SIZE ${rowGroupRows}`;
  await query(`COPY (FROM read_json('${from}')) TO '${file}' (${options})`);
}

export async function readParquet(file: string): Promise<Record<string, unknown>[]> {
  return query(`FROM read_parquet('${file}')`);
}

/** The rows of a statement. */
export async function writeRows(file: string, sql: string): Promise<void> {
  await query(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
}
