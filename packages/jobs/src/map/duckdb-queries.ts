/**
 * The queries that DuckDB answers: rows of a statement, rows by partition, types of columns, and
 * where a Parquet file can be cut.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { dateFormatsOf } from './csv-dates.ts';
import type { DataFormat, DateFormats } from './data-set.ts';
import { columnTypes, identifier, quoted, withFiles, type Files } from './duckdb-session.ts';
import { NO_VALUE } from './json-types.ts';

export interface Query extends Files {
  readonly sql: string;
}

/** Runs the statement and writes its rows. @throws SkeinError SQL_INVALID with DuckDB's message, MEMORY_SHORT. */
export async function queryToFile(query: Query, target: string, format: DataFormat): Promise<void> {
  await withFiles(query, [target], ({ write }) => write(oneStatement(query.sql), target, format));
}

export interface Partitioning {
  /** The columns of the key. */
  readonly columns: readonly string[];
  readonly partitions: number;
  /** DuckDB types of the columns, where shards differ in them. */
  readonly types?: readonly string[] | undefined;
}

export interface Partitioned {
  /** The path of each partition's file; absent where it has no rows. */
  readonly files: readonly (string | undefined)[];
  /** Types of the columns of the key in these files. */
  readonly types: readonly string[];
}

/**
 * Writes the rows into one file for each partition, by a hash of columns: rows with equal values of one type always
 * meet in one partition. Equal values of two types do not: DuckDB hashes the integer 1, the double 1.0 and the text
 * '1' differently.
 */
export async function partitionToFiles(
  files: Files,
  { columns, partitions, types: common }: Partitioning,
  folder: string,
): Promise<Partitioned> {
  return withFiles(files, [folder], async (session) => {
    const known = await columnTypes(session, files.view);
    // DuckDB's names of columns are equal in small and large letters.
    const typeOf = new Map(Object.entries(known).map(([name, type]) => [name.toLowerCase(), type]));
    const types = columns.map((name) => typeOf.get(name.toLowerCase()) ?? '');
    const keys = new Map<string, string>();
    for (const [index, name] of columns.entries()) {
      const column = identifier(name);
      const type = common?.[index];
      keys.set(name.toLowerCase(), type === undefined ? column : `CAST(${column} AS ${type})`);
    }
    const hash = `hash(${[...keys.values()].join(', ')})`;
    const cast = [...keys].map(([name, key]) => `${key} AS ${identifier(name)}`).join(', ');
    const rows = common === undefined ? '*' : `* REPLACE (${cast})`;
    const found: (string | undefined)[] = [];
    for (let index = 0; index < partitions; index++) {
      const file = join(folder, `${index}.parquet`);
      const chosen = `SELECT ${rows} FROM ${files.view} WHERE ${hash} % ${partitions} = ${index}`;
      const count = await session.write(chosen, file, 'parquet');
      found.push(count === 0 ? undefined : file);
    }
    return { files: found, types };
  });
}

/**
 * Columns with the types that fit all files: of CSV by their beginnings, of JSON lines by
 * every row.
 */
export async function columnsOf(files: Files): Promise<Described> {
  return withFiles(files, [], async (session) => {
    const found = await columnTypes(session, files.view);
    if (files.format === 'csv') {
      refuseUncut(files, Object.keys(found));
      return dateFormatsOf(session, files.files, found);
    }
    if (files.format !== 'jsonl') return { columns: found };
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
        `SELECT count(*) FILTER (${text} NOT IN ('null', '${value}')) = 0 AS empty FROM ${files.view}`,
      );
      if (row?.['empty'] === true) found[name] = without;
    }
    return { columns: found };
  });
}

export interface Described {
  readonly columns: Record<string, string>;
  readonly dates?: DateFormats;
}

/**
 * Where rows have more or fewer values than the header, DuckDB takes each line for a single value.
 * @throws SkeinError SQL_INVALID.
 */
function refuseUncut({ files: [file = ''] }: Files, [name = '', other]: readonly string[]): void {
  if (other !== undefined || !/[,;\t|]/.test(name)) return;
  const start = readStart(file, 4).replace(/^\uFEFF/, '');
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

/** @throws SkeinError SQL_INVALID for a file that is not Parquet. */
export async function rowGroupsOf(files: Files): Promise<RowGroup[]> {
  return withFiles(files, [], async ({ rows }) => {
    const [file = ''] = files.files;
    const found = await rows(
      `SELECT any_value(row_group_num_rows)::DOUBLE AS rows, sum(total_compressed_size)::DOUBLE AS bytes
         FROM parquet_metadata(${quoted(file)})
        GROUP BY row_group_id ORDER BY row_group_id`,
    );
    return found.map((row) => ({ rows: Number(row['rows']), sizeBytes: Number(row['bytes']) }));
  });
}

/** Writes some rows of a Parquet file into another one; row groups without any are not read. */
export async function rowsToFile(
  files: Files,
  { from, to }: { readonly from: number; readonly to: number },
  target: string,
): Promise<void> {
  await withFiles(files, [target], async (session) => {
    const [file = ''] = files.files;
    const numbered = `read_parquet(${quoted(file)}, file_row_number = true)`;
    const names = Object.keys(await columnTypes(session, files.view));
    // DuckDB numbers no rows of a file with a column of that name; to skip the rows before takes longer.
    const chosen = names.some((name) => name.toLowerCase() === 'file_row_number')
      ? `SELECT * FROM ${files.view} LIMIT ${to - from} OFFSET ${from}`
      : `SELECT * EXCLUDE (file_row_number) FROM ${numbered} WHERE file_row_number >= ${from} AND file_row_number < ${to}`;
    await session.write(chosen, target, 'parquet');
  });
}

/** Without the semicolon that people end a statement with; more than one does not fit into a COPY. */
function oneStatement(sql: string): string {
  return sql.trim().replace(/;\s*$/, '');
}
