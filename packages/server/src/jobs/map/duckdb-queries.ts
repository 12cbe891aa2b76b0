/**
 * SQL over the files of a shard, in DuckDB: columns are read as they are needed, and what does not
 * fit into memory goes to disk. A statement reaches the files that it is given and nothing else of
 * this machine.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import type { DataFormat } from './data-set.ts';

export interface Query {
  /** Absolute paths; together they are the view. */
  readonly files: readonly string[];
  readonly format: DataFormat;
  /** Types by column, of CSV. */
  readonly columns?: Readonly<Record<string, string>> | undefined;
  /** What the statement calls them: `shard` or `part`. */
  readonly view: 'shard' | 'part';
  readonly sql: string;
  readonly memoryBytes: number;
  readonly threads: number;
}

/** Runs the statement and writes its rows. @throws SkeinError SQL_INVALID with what DuckDB says. */
export async function queryToFile(query: Query, target: string, format: DataFormat): Promise<void> {
  await withFiles(query, [target], async (run) => {
    await run(`COPY (${oneStatement(query.sql)}) TO ${quoted(target)} (${WRITERS[format]})`);
  });
}

/**
 * Writes the rows into one file for each partition, by a hash of columns: rows with equal values
 * always meet in one partition.
 * @returns the path of each partition's file; absent where it has no rows.
 */
export async function partitionToFiles(
  query: Omit<Query, 'sql'>,
  by: { readonly columns: readonly string[]; readonly partitions: number },
  folder: string,
): Promise<(string | undefined)[]> {
  const columns = by.columns.map(identifier).join(', ');
  return withFiles({ ...query, sql: '' }, [folder], async (run) => {
    const rows = `SELECT *, hash(${columns}) % ${by.partitions} AS "${PARTITION}" FROM ${query.view}`;
    const found: (string | undefined)[] = [];
    for (let index = 0; index < by.partitions; index++) {
      const file = join(folder, `${index}.parquet`);
      const chosen = `SELECT * EXCLUDE ("${PARTITION}") FROM (${rows}) WHERE "${PARTITION}" = ${index}`;
      const count = await run(`COPY (${chosen}) TO ${quoted(file)} (${WRITERS.parquet})`);
      found.push(count === 0 ? undefined : file);
    }
    return found;
  });
}

const PARTITION = '__skein_partition';

const WRITERS: Readonly<Record<DataFormat, string>> = {
  csv: 'FORMAT csv, HEADER',
  jsonl: 'FORMAT json',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
};

/** Of a CSV file at a time: small, so that it fits into a small memory limit with room for work. */
const CSV_BUFFER_BYTES = 4 * 2 ** 20;

const READERS: Readonly<Record<DataFormat, (files: string, columns: Query['columns']) => string>> =
  {
    csv: (files, columns) => {
      const types = Object.entries(columns ?? {}).map(
        ([name, type]) => `${quoted(name)}: ${quoted(type)}`,
      );
      const typed = types.length === 0 ? '' : `, types = {${types.join(', ')}}`;
      return `read_csv(${files}, header = true, buffer_size = ${CSV_BUFFER_BYTES}${typed})`;
    },
    jsonl: (files) => `read_json(${files}, format = 'newline_delimited', union_by_name = true)`,
    parquet: (files) => `read_parquet(${files}, union_by_name = true)`,
  };

/** Columns of CSV files with the types that fit all of them, as far as their beginnings tell. */
export async function columnsOf(query: Omit<Query, 'sql'>): Promise<Record<string, string>> {
  return withFiles({ ...query, sql: '' }, [], async (_, rows) => {
    const described = await rows(`DESCRIBE ${query.view}`);
    return Object.fromEntries(
      described.map((row) => [String(row['column_name']), String(row['column_type'])]),
    );
  });
}

/** @param run resolves with the rows that were written. */
async function withFiles<T>(
  { files, format, columns, view, memoryBytes, threads }: Query,
  targets: readonly string[],
  use: (
    run: (sql: string) => Promise<number>,
    rows: (sql: string) => Promise<Record<string, unknown>[]>,
  ) => Promise<T>,
): Promise<T> {
  // Loaded here: the library is large, and few processes need it.
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const spill = await mkdtemp(join(tmpdir(), 'skein-duckdb-'));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.max(32, Math.floor(memoryBytes / 2 ** 20))}MiB`,
    threads: String(Math.max(1, Math.floor(threads))),
    temp_directory: spill,
  });
  try {
    const connection = await instance.connect();
    const list = `[${files.map(quoted).join(', ')}]`;
    const reachable = [...files, ...targets].map(quoted).join(', ');
    const run = async (sql: string): Promise<number> => {
      try {
        return (await connection.run(sql)).rowsChanged;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new SkeinError('SQL_INVALID', `DuckDB refuses the statement: ${reason}`, {
          cause: error,
        });
      }
    };
    await run(`SET allowed_paths = [${reachable}]`);
    await run(`SET allowed_directories = [${[spill, ...targets].map(quoted).join(', ')}]`);
    await run('SET enable_external_access = false');
    await run('SET lock_configuration = true');
    await run(`CREATE VIEW ${view} AS SELECT * FROM ${READERS[format](list, columns)}`);
    return await use(run, async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson());
  } finally {
    instance.closeSync();
    await rm(spill, { recursive: true, force: true });
  }
}

/** Without the semicolon that people end a statement with; more than one does not fit into a COPY. */
function oneStatement(sql: string): string {
  return sql.trim().replace(/;\s*$/, '');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
