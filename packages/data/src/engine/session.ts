/**
 * DuckDB over tables. Columns are read as they are needed, and rows that do not fit into memory
 * spill to disk. A statement reaches the given files and no other file of this machine.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as DuckDb from '@duckdb/node-api';
import { SkeinError } from '@skein/api/errors';
import { importOptional } from '@skein/api/user-modules';
import type { DataFormat } from '../data-set.ts';
import { haveOneHeader } from './csv-headers.ts';
import type { Bounds } from './memory.ts';
import { copyPiece } from '../cut-csv.ts';
import { reader, rowsOfRange, typedJson, writer, type Table } from './reader.ts';
import { identifier, list, quoted } from './sql-text.ts';
import { addTextFunctions } from './text-functions.ts';

export interface Scope {
  /** Tables by the names that statements have for them. */
  readonly tables: Readonly<Record<string, Table>>;
  readonly bounds: Bounds;
  /** A folder for rows that do not fit into memory; the caller removes it. */
  readonly scratch: string;
}

export interface Session {
  /** Resolves with how many rows were written. @throws SkeinError SQL_INVALID, MEMORY_SHORT. */
  readonly run: (sql: string) => Promise<number>;
  /** For few rows. @throws SkeinError SQL_INVALID, MEMORY_SHORT. */
  readonly rows: (sql: string) => Promise<Record<string, unknown>[]>;
  /**
   * The rows of a query in a file, or, with `by`, in files of a folder.
   * @param by columns: rows with equal values have a folder, which their values name in percent encoding.
   * @param areKept whether the files have these columns, too.
   * @throws SkeinError SQL_INVALID, MEMORY_SHORT.
   */
  readonly write: (
    sql: string,
    target: string,
    format: DataFormat | 'lines',
    by?: readonly string[],
    areKept?: boolean,
  ) => Promise<number>;
  /** How much of its input the running statement has read, from 0 to 1. */
  readonly progress: () => number;
}

/** Rows of a partition that a thread holds before it writes them: with the default, 64 partitions hold 33 million rows. */
const HELD_ROWS = 32_768;

/** @param targets files, or folders, that may be written. */
export async function withTables<T>(
  { tables, bounds, scratch }: Scope,
  targets: readonly string[],
  use: (session: Session) => Promise<T>,
): Promise<T> {
  // Loaded here: the library is large, and few processes need it.
  const library = await loadDuckDb();
  const spill = join(scratch, 'spilled');
  // Left by a process that was ended because it held too much.
  await rm(spill, { recursive: true, force: true });
  // Do not make its parents: the folder of work that has ended is already removed.
  await mkdir(spill);
  const alone = bounds.threads === 1;
  const instance = await library.DuckDBInstance.create(':memory:', {
    memory_limit: `${Math.floor(bounds.memoryBytes / 2 ** 20)}MiB`,
    threads: String(bounds.threads),
    temp_directory: spill,
    // One thread takes rows in their order anyway, and holds fewer of them when it need not.
    preserve_insertion_order: String(!alone),
    partitioned_write_flush_threshold: String(HELD_ROWS),
  });
  const connection = await instance.connect();
  try {
    addTextFunctions(library, connection);
    const session: Session = {
      run: (sql) => explained(async () => (await connection.run(sql)).rowsChanged),
      rows: (sql) =>
        explained(async () => (await connection.runAndReadAll(sql)).getRowObjectsJson()),
      async write(sql, target, to, by, areKept = false) {
        const settings = [writer(to, alone)];
        if (by !== undefined) {
          settings.push(`PARTITION_BY (${by.map(identifier).join(', ')})`);
          settings.push(`WRITE_PARTITION_COLUMNS ${areKept}`);
        }
        try {
          return await session.run(`COPY (${sql}) TO ${quoted(target)} (${settings.join(', ')})`);
        } catch (error) {
          // DuckDB shows the text that it was given: without the COPY, the caller sees the statement alone.
          await explained(async () => (await connection.prepare(sql)).destroySync());
          throw error;
        }
      },
      progress: () => Math.max(0, connection.progress.percentage) / 100,
    };
    const files = Object.values(tables).flatMap((table) => table.files);
    await session.run(`SET allowed_paths = ${list([...files, ...targets])}`);
    await session.run(`SET allowed_directories = ${list([spill, ...targets])}`);
    // Parts of a file that are here later must not be read from a copy.
    await session.run('SET enable_external_file_cache = false');
    await session.run('SET enable_external_access = false');
    // Without its bar DuckDB does not follow its progress.
    await session.run('SET enable_progress_bar = true');
    await session.run('SET enable_progress_bar_print = false');
    await session.run('SET lock_configuration = true');
    for (const [name, table] of Object.entries(tables))
      await createView(session, name, table, spill);
    return await use(session);
  } finally {
    // Both, or the memory of the rows is kept.
    connection.closeSync();
    instance.closeSync();
    await rm(spill, { recursive: true, force: true });
  }
}

async function createView(
  session: Session,
  name: string,
  table: Table,
  spill: string,
): Promise<void> {
  const view = `CREATE VIEW ${identifier(name)} AS`;
  const own = join(spill, Buffer.from(name).toString('hex'));
  if (table.bytes !== undefined) {
    // DuckDB reads no part of a CSV file.
    await copyPiece(table.files[0] ?? '', table.bytes, `${own}.csv`);
    const piece = reader({ ...table, files: [`${own}.csv`] });
    return void (await session.run(`${view} SELECT * FROM ${piece}`));
  }
  const areAlike =
    table.areAlike ??
    (table.format === 'csv' &&
      table.columns !== undefined &&
      haveOneHeader(table.files, table.csv));
  const source = reader({ ...table, areAlike });
  if (table.format === 'jsonl') {
    // DuckDB cannot spill while it holds the buffers of JSON, and reads them anew for each pass.
    const rows = `${own}.parquet`;
    const wanted = table.columns ?? {};
    const query =
      Object.keys(wanted).length === 0
        ? `SELECT * FROM ${source}`
        : typedJson(table, await columnTypes(session, source));
    await session.write(query, rows, 'parquet');
    await session.run(`${view} SELECT * FROM read_parquet(${quoted(rows)})`);
  } else if (table.rows === undefined) {
    await session.run(`${view} SELECT * FROM ${source}`);
  } else {
    const names = Object.keys(await columnTypes(session, source));
    await session.run(`${view} ${rowsOfRange(table, names)}`);
  }
}

/** Columns of a table or a view with their types. */
export async function columnTypes(session: Session, from: string): Promise<Record<string, string>> {
  return typesOf(session, `SELECT * FROM ${from}`);
}

/** Columns of a query with their types. */
export async function typesOf(session: Session, sql: string): Promise<Record<string, string>> {
  const described = await session.rows(`DESCRIBE ${sql}`);
  return Object.fromEntries(
    described.map((row) => [String(row['column_name']), String(row['column_type'])]),
  );
}

const loadDuckDb = (): Promise<typeof DuckDb> =>
  importOptional('@duckdb/node-api', 'Statements over tables', import.meta.url);

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
