/**
 * DuckDB over the files of a shard. Columns are read as they are needed, and rows that do not fit
 * into memory spill to disk. A statement reaches the given files and no other file of this machine.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as DuckDb from '@duckdb/node-api';
import { SkeinError } from '@skein/api/errors';
import { importOptional } from '@skein/api/user-modules';
import type { DataFormat, DateFormats } from './data-set.ts';
import type { Bounds } from './memory.ts';

export interface Files {
  /** Absolute paths; together they are the view. */
  readonly files: readonly string[];
  readonly format: DataFormat;
  /** Types by column, of CSV and JSON lines; of JSON lines also the columns that a shard lacks. */
  readonly columns?: Readonly<Record<string, string>> | undefined;
  /** Date formats of CSV: the same in all shards, whatever the dates of each are. */
  readonly dates?: DateFormats | undefined;
  /** Name of the view in a statement: `shard` or `part`. */
  readonly view: 'shard' | 'part';
  readonly bounds: Bounds;
  /** A folder for rows that do not fit into memory; the caller removes it. */
  readonly scratch: string;
}

export interface Session {
  /** Resolves with how many rows were written. @throws SkeinError SQL_INVALID, MEMORY_SHORT. */
  readonly run: (sql: string) => Promise<number>;
  /** For few rows. @throws SkeinError SQL_INVALID, MEMORY_SHORT. */
  readonly rows: (sql: string) => Promise<Record<string, unknown>[]>;
  /** The rows of a query in a file. @throws SkeinError SQL_INVALID, MEMORY_SHORT. */
  readonly write: (sql: string, target: string, format: DataFormat) => Promise<number>;
}

/** Buffer for one CSV file at a time: small, so that a small memory limit leaves memory for work. */
const CSV_BUFFER_BYTES = 4 * 2 ** 20;

/**
 * Row groups of a Parquet file that is written: one is held in memory until it is full, so that a large
 * one of wide rows would not fit. DuckDB bounds it by its bytes where it need not keep the order of
 * several threads, and else by its rows.
 */
const ROW_GROUP_BYTES = 8 * 2 ** 20;
const ROW_GROUP_ROWS = 16_384;

/** @param targets files, or folders, that may be written. */
export async function withFiles<T>(
  { files, format, columns, dates, view, bounds, scratch }: Files,
  targets: readonly string[],
  use: (session: Session) => Promise<T>,
): Promise<T> {
  // Loaded here: the library is large, and few processes need it.
  const { DuckDBInstance } = await loadDuckDb();
  const spill = join(scratch, 'spilled');
  // Do not make its parents: the folder of work that has ended is already removed.
  await mkdir(spill);
  const alone = bounds.threads === 1;
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(bounds.memoryBytes / 2 ** 20)}MiB`,
    threads: String(bounds.threads),
    temp_directory: spill,
    // One thread takes rows in their order anyway, and holds fewer of them when it need not.
    preserve_insertion_order: String(!alone),
  });
  try {
    const connection = await instance.connect();
    const session: Session = {
      run: (sql) => explained(async () => (await connection.run(sql)).rowsChanged),
      rows: (sql) =>
        explained(async () => (await connection.runAndReadAll(sql)).getRowObjectsJson()),
      write: (sql, target, to) =>
        session.run(`COPY (${sql}) TO ${quoted(target)} (${writer(to, alone)})`),
    };
    await session.run(`SET allowed_paths = ${list([...files, ...targets])}`);
    await session.run(`SET allowed_directories = ${list([spill, ...targets])}`);
    await session.run('SET enable_external_access = false');
    await session.run('SET lock_configuration = true');
    const source = reader(format, list(files), columns, dates);
    if (format === 'jsonl') {
      // DuckDB cannot spill while it holds the buffers of JSON, and reads them anew for each pass.
      const rows = join(spill, 'rows.parquet');
      const wanted = columns ?? {};
      const query =
        Object.keys(wanted).length === 0
          ? `SELECT * FROM ${source}`
          : typed(source, list(files), await columnTypes(session, source), wanted);
      await session.write(query, rows, 'parquet');
      await session.run(`CREATE VIEW ${view} AS SELECT * FROM read_parquet(${quoted(rows)})`);
    } else {
      await session.run(`CREATE VIEW ${view} AS SELECT * FROM ${source}`);
    }
    return await use(session);
  } finally {
    instance.closeSync();
    await rm(spill, { recursive: true, force: true });
  }
}

/** Columns of a table or a view with their types. */
export async function columnTypes(session: Session, from: string): Promise<Record<string, string>> {
  const described = await session.rows(`DESCRIBE SELECT * FROM ${from}`);
  return Object.fromEntries(
    described.map((row) => [String(row['column_name']), String(row['column_type'])]),
  );
}

/**
 * Rows of JSON lines with the wanted types. The values of columns that have another type are read
 * again from the text: a date that becomes a string is then the string of the file.
 */
function typed(
  source: string,
  files: string,
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string {
  const all = Object.entries({ ...wanted, ...found, ...wanted });
  const other = all.filter(([name, type]) => found[name] !== type);
  if (other.length === 0) return `SELECT ${all.map(([name]) => identifier(name))} FROM ${source}`;
  const again = new Map(other);
  const chosen = all.map(([name]) => `${again.has(name) ? 'again' : 'found'}.${identifier(name)}`);
  const types = other.map(([name, type]) => `${quoted(name)}: ${quoted(type)}`);
  const reread = `read_json(${files}, format = 'newline_delimited', columns = {${types.join(', ')}})`;
  return `SELECT ${chosen.join(', ')} FROM ${source} found POSITIONAL JOIN (SELECT * FROM ${reread}) again`;
}

const loadDuckDb = (): Promise<typeof DuckDb> =>
  importOptional('@duckdb/node-api', 'Statements over tables', import.meta.url);

/** Else DuckDB leaves out first rows of CSV that do not fit the others, the header among them. */
export const WHOLE_CSV = `header = true, skip = 0, buffer_size = ${CSV_BUFFER_BYTES}`;

function reader(
  format: DataFormat,
  files: string,
  columns: Files['columns'],
  { date, timestamp }: DateFormats = {},
): string {
  switch (format) {
    case 'csv': {
      const types = Object.entries(columns ?? {}).map(
        ([name, type]) => `${quoted(name)}: ${quoted(type)}`,
      );
      const typed = types.length === 0 ? '' : `, types = {${types.join(', ')}}`;
      const days = date === undefined ? '' : `, dateformat = ${quoted(date)}`;
      const times = timestamp === undefined ? '' : `, timestampformat = ${quoted(timestamp)}`;
      return `read_csv(${files}, ${WHOLE_CSV}${typed}${days}${times})`;
    }
    case 'jsonl':
      // All rows: what a sample does not show, such as a field, would be left out.
      return `read_json(${files}, format = 'newline_delimited', union_by_name = true, sample_size = -1)`;
    case 'parquet':
      return `read_parquet(${files}, union_by_name = true)`;
  }
}

function writer(format: DataFormat, alone: boolean): string {
  switch (format) {
    case 'csv':
      return 'FORMAT csv, HEADER';
    case 'jsonl':
      return 'FORMAT json';
    case 'parquet':
      return `FORMAT parquet, COMPRESSION zstd, ${
        alone ? `ROW_GROUP_SIZE_BYTES '${ROW_GROUP_BYTES}B'` : `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`
      }`;
  }
}

async function explained<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (/^(Error: )?Out of Memory Error/i.test(reason)) {
      // The rest of the text names settings that a caller cannot change.
      const [what = reason] = reason.split('\n');
      throw new SkeinError('MEMORY_SHORT', `DuckDB cannot hold the rows: ${what}`, {
        cause: error,
      });
    }
    throw new SkeinError('SQL_INVALID', `DuckDB refuses the statement: ${reason}`, {
      cause: error,
    });
  }
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function list(paths: readonly string[]): string {
  return `[${paths.map(quoted).join(', ')}]`;
}
