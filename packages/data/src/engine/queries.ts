/**
 * The questions that DuckDB answers: rows of a statement, types of columns, the parts of a Parquet
 * file, and the form of a statement.
 */
import { readdir, rm } from 'node:fs/promises';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { DataFormat, DateFormats } from '../data-set.ts';
import { dateFormatsOf } from './csv-dates.ts';
import { NO_VALUE } from './json-types.ts';
import { formOf } from './csv-form.ts';
import type { CsvForm } from '../cut-csv.ts';
import { needsOf, type FileRange } from './needs.ts';
import { reader, type Table } from './reader.ts';
import { columnTypes, typesOf, withTables, type Scope, type Session } from './session.ts';
import { identifier, quoted } from './sql-text.ts';

export interface Statement extends Scope {
  readonly sql: string;
  /** Views over the tables, made in this order before the statement runs: name and query of each. */
  readonly views?: readonly (readonly [name: string, sql: string])[] | undefined;
  readonly format: DataFormat;
  /** For the files; must be empty. */
  readonly folder: string;
  /** Absent: all rows go into one file. */
  readonly by?: Partitioning | undefined;
  /** Columns whose values name folders for the files, which have these columns too. Excludes `by`. */
  readonly folders?: readonly string[] | undefined;
}

export interface Partitioning {
  /** Expressions over the columns of the statement: rows in which all are equal have one partition. */
  readonly keys: readonly string[];
  readonly partitions: number;
}

export interface Written {
  /** Absolute paths by partition; a partition without rows has none. */
  readonly files: readonly (readonly string[])[];
  readonly rows: number;
  /** DuckDB types of the keys, in their order. */
  readonly keyTypes: readonly string[];
}

/**
 * Runs the statement and writes its rows. With partitions, rows with equal keys of one type always meet in one
 * partition. Equal values of two types do not: DuckDB hashes the integer 1, the double 1.0 and the text '1' differently.
 * @throws SkeinError SQL_INVALID with DuckDB's message, MEMORY_SHORT.
 */
export async function writeRows(
  { sql, views = [], format, folder, by, folders, ...scope }: Statement,
  watch: (session: Session) => void,
  fetch: Fetch = () => Promise.resolve(),
): Promise<Written> {
  return withTables(scope, [folder], async (plain) => {
    watch(plain);
    for (const [name, view] of views) {
      await plain.run(`CREATE VIEW ${identifier(name)} AS ${oneStatement(view)}`);
    }
    const query = oneStatement(sql);
    const session = await withParts(plain, scope.tables, query, fetch);
    if (folders !== undefined) {
      const rows =
        format === 'jsonl'
          ? await session.write(await linesOf(session, query, folders), folder, 'lines', folders)
          : await session.write(query, folder, format, folders, true);
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      return { files: [files.sort()], rows, keyTypes: [] };
    }
    if (by === undefined) {
      const file = join(folder, `rows.${format}`);
      const rows = await session.write(query, file, format);
      return { files: [[file]], rows, keyTypes: [] };
    }
    const { keys, partitions } = by;
    const types = await typesOf(session, `SELECT ${keys.join(', ')} FROM (${query})`);
    const names = new Set(Object.keys(await typesOf(session, query)));
    let column = 'partition';
    while (names.has(column)) column += '_';
    const numbered = `SELECT *, (hash(${keys.join(', ')}) % ${partitions})::INTEGER AS ${identifier(column)} FROM (${query})`;
    const rows = await session.write(numbered, folder, format, [column]);
    const files: string[][] = Array.from({ length: partitions }, () => []);
    for (const name of await readdir(folder)) {
      const at = Number(name.slice(column.length + 1));
      for (const file of await readdir(join(folder, name)))
        files[at]?.push(join(folder, name, file));
    }
    return { files: files.map((each) => each.sort()), rows, keyTypes: Object.values(types) };
  });
}

/** Brings parts of files here; with none, all of each file. */
export type Fetch = (ranges: readonly FileRange[] | undefined) => Promise<void>;

/** Fetches the parts of files that a query reads. @returns a session that fetches the rest where DuckDB misses a part. */
async function withParts(
  session: Session,
  tables: Scope['tables'],
  query: string,
  fetch: Fetch,
): Promise<Session> {
  const partial = Object.values(tables).filter(({ isPartial }) => isPartial === true);
  if (partial.length === 0) return session;
  const known = [];
  for (const { files, format } of partial) {
    known.push({ files, types: await columnTypes(session, reader({ files, format })) });
  }
  await fetch(await needsOf(session, query, known));
  return {
    ...session,
    async write(sql, target, format, by, areKept) {
      try {
        return await session.write(sql, target, format, by, areKept);
      } catch (error) {
        if (!/TProtocolException/.test((error as Error).message)) throw error;
        await fetch(undefined);
        if (by !== undefined) await emptyFolder(target);
        return session.write(sql, target, format, by, areKept);
      }
    },
  };
}

/** Rows as lines of JSON, with the columns that name folders. */
async function linesOf(
  session: Session,
  query: string,
  folders: readonly string[],
): Promise<string> {
  const names = new Set(
    Object.keys(await typesOf(session, query)).map((name) => name.toLowerCase()),
  );
  let row = 'line';
  while (names.has(row)) row += '_';
  const columns = folders.map((name) => `${row}.${identifier(name)}`);
  return `SELECT to_json(${row}) AS ${row}, ${columns.join(', ')} FROM (${query}) ${row}`;
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
}

export interface Described {
  readonly columns: Record<string, string>;
  readonly dates?: DateFormats;
  /** The form of a single CSV file; absent where it is not to be cut. */
  readonly form?: CsvForm | undefined;
}

/**
 * Columns with the types that fit all files of a table: of CSV by their beginnings, of JSON lines by
 * every row.
 */
export async function describeTable(
  scope: Omit<Scope, 'tables'>,
  table: Table,
  isToBeCut = false,
): Promise<Described> {
  // By names, the types are found from all files.
  const data = { ...table, areAlike: false };
  return withTables({ ...scope, tables: { data } }, [], async (session) => {
    const found = await columnTypes(session, 'data');
    if (table.format === 'csv') {
      refuseUncut(table, Object.keys(found));
      const form = isToBeCut ? await formOf(session, table) : undefined;
      return { ...(await dateFormatsOf(session, table, found)), form };
    }
    if (table.format !== 'jsonl') return { columns: found };
    // Types of columns and elements for which this file has no value at all.
    const empty: Readonly<Record<string, readonly [value: string, type: string]>> = {
      JSON: ['null', NO_VALUE],
      'JSON[]': ['[]', `${NO_VALUE}[]`],
    };
    for (const [name, type] of Object.entries(found)) {
      const [value, without] = empty[type] ?? [];
      if (value === undefined || without === undefined) continue;
      const text = `to_json(${identifier(name)})::VARCHAR`;
      const [row] = await session.rows(
        `SELECT count(*) FILTER (${text} NOT IN ('null', '${value}')) = 0 AS empty FROM data`,
      );
      if (row?.['empty'] === true) found[name] = without;
    }
    return { columns: found };
  });
}

/**
 * Where rows have more or fewer values than the header, DuckDB takes each line for a single value.
 * @throws SkeinError SQL_INVALID.
 */
function refuseUncut({ files, csv }: Table, [name = '', other]: readonly string[]): void {
  if (other !== undefined || csv?.delim !== undefined || !/[,;\t|]/.test(name)) return;
  const start = readStart(files[0] ?? '', 4).replace(/^\uFEFF/, '');
  // Quoted, it is the name of one column.
  if (start.startsWith('"')) return;
  throw new SkeinError(
    'SQL_INVALID',
    `The table has rows with more or fewer values than its header ${JSON.stringify(name)}.`,
  );
}

function readStart(file: string, bytes: number): string {
  const descriptor = openSync(file, 'r');
  try {
    const start = Buffer.alloc(bytes);
    return start.toString('utf8', 0, readSync(descriptor, start));
  } finally {
    closeSync(descriptor);
  }
}

/** Rows that lie together in a Parquet file, in the order of the file. */
export interface RowGroup {
  readonly rows: number;
  /** Size of the stored rows. */
  readonly sizeBytes: number;
}

/** @returns by file. @throws SkeinError SQL_INVALID for a file that is not Parquet. */
export async function rowGroupsOf(
  scope: Omit<Scope, 'tables'>,
  files: readonly string[],
): Promise<RowGroup[][]> {
  const tables = { data: { files, format: 'parquet' } } as const;
  return withTables({ ...scope, tables }, [], async ({ rows }) => {
    const groups: RowGroup[][] = [];
    for (const file of files) {
      const found = await rows(
        `SELECT any_value(row_group_num_rows)::DOUBLE AS rows, sum(total_compressed_size)::DOUBLE AS bytes
           FROM parquet_metadata(${quoted(file)})
          GROUP BY row_group_id ORDER BY row_group_id`,
      );
      groups.push(
        found.map((row) => ({ rows: Number(row['rows']), sizeBytes: Number(row['bytes']) })),
      );
    }
    return groups;
  });
}

/** Columns of statements with their types, in their order; undefined for a statement that DuckDB refuses. */
export async function typesOfStatements(
  scope: Scope,
  statements: readonly string[],
): Promise<((readonly [name: string, type: string])[] | undefined)[]> {
  return withTables(scope, [], async ({ rows }) => {
    const types: ([string, string][] | undefined)[] = [];
    for (const sql of statements) {
      const found = await rows(`DESCRIBE ${oneStatement(sql)}`).catch(refused);
      types.push(found?.map((row) => [String(row['column_name']), String(row['column_type'])]));
    }
    return types;
  });
}

function refused(error: unknown): undefined {
  if (error instanceof SkeinError && error.code === 'SQL_INVALID') return undefined;
  throw error;
}

/** Without the semicolon that people end a statement with; more than one does not fit into a COPY. */
function oneStatement(sql: string): string {
  return sql.trim().replace(/;\s*$/, '');
}
