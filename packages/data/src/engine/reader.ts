/** How DuckDB reads the files of a view, and writes the rows of a statement. */
import type { CsvForm, CsvPiece } from '../cut-csv.ts';
import type { Columns, CsvDialect, DataFormat, DateFormats } from '../data-set.ts';
import { identifier, list, quoted } from './sql-text.ts';

export interface Table {
  /** Absolute paths; together they are one view. */
  readonly files: readonly string[];
  readonly format: DataFormat;
  /** Types by column, of CSV and JSON lines; of JSON lines also the columns that a file lacks. */
  readonly columns?: Columns | undefined;
  /** Date formats of CSV: the same in all files, whatever the dates of each are. */
  readonly dates?: DateFormats | undefined;
  /** Settings of CSV that DuckDB does not find out. */
  readonly csv?: CsvDialect | undefined;
  /** How the only file, which is CSV, was found to be written. */
  readonly form?: CsvForm | undefined;
  /** Records of the only file, which has a form. Absent: all. */
  readonly bytes?: CsvPiece | undefined;
  /** Rows of the only file, which is Parquet; end exclusive. Absent: all. */
  readonly rows?: { readonly from: number; readonly to: number } | undefined;
  /** Whether the columns of CSV files meet by their places, not by their names. Absent: if the files have one header. */
  readonly areAlike?: boolean | undefined;
  /** Parquet files that have their footers alone: a statement asks for the other parts that it reads. */
  readonly isPartial?: boolean | undefined;
}

/** Buffer for one CSV file at a time: small, so that a small memory limit leaves memory for work. */
const CSV_BUFFER_BYTES = 4 * 2 ** 20;

/** Else DuckDB leaves out first rows of CSV that do not fit the others, the header among them. */
const WHOLE_CSV = { header: true, skip: 0, buffer_size: CSV_BUFFER_BYTES };

/**
 * Row groups of a Parquet file that is written: one is held in memory until it is full, so that a large
 * one of wide rows would not fit. DuckDB bounds it by its bytes where it need not keep the order of
 * several threads, and else by its rows.
 */
const ROW_GROUP_BYTES = 8 * 2 ** 20;
const ROW_GROUP_ROWS = 16_384;

/** The settings of `read_csv`, and of `sniff_csv`, for all files of a table. */
export function csvSettings(csv: CsvDialect = {}): string {
  const given = { ...WHOLE_CSV, ...csv };
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} = ${typeof value === 'string' ? quoted(value) : value}`)
    .join(', ');
}

/** A table function that yields the rows of the files. */
export function reader({
  files,
  format,
  columns = {},
  dates = {},
  csv,
  form,
  bytes,
  areAlike,
}: Table): string {
  const paths = list(files);
  switch (format) {
    case 'csv': {
      const { date, timestamp } = dates;
      const ofFolders = folderColumns(files[0] ?? '');
      const types = Object.entries(columns)
        .filter(([name]) => !ofFolders.has(name))
        .map(([name, type]) => `${quoted(name)}: ${quoted(type)}`);
      const isPiece = form !== undefined && bytes !== undefined;
      const settings = [
        csvSettings(isPiece ? { ...csv, ...dialectOf(form) } : csv),
        // A piece is read with the form of its file: alone it might seem to have another.
        ...(isPiece
          ? [
              "auto_detect = false, comment = ''",
              `new_line = ${quoted(form.newLine)}`,
              `columns = {${types.join(', ')}}`,
            ]
          : []),
        ...(files.length > 1 && areAlike !== true ? ['union_by_name = true'] : []),
        ...(isPiece || types.length === 0 ? [] : [`types = {${types.join(', ')}}`]),
        ...(date === undefined ? [] : [`dateformat = ${quoted(date)}`]),
        ...(timestamp === undefined ? [] : [`timestampformat = ${quoted(timestamp)}`]),
      ];
      return `read_csv(${paths}, ${settings.join(', ')})`;
    }
    case 'jsonl':
      // All rows: what a sample does not show, such as a field, would be left out.
      return `read_json(${paths}, format = 'newline_delimited', union_by_name = true, sample_size = -1)`;
    case 'parquet':
      return `read_parquet(${paths}${files.length > 1 ? ', union_by_name = true' : ''})`;
  }
}

const dialectOf = ({ delim, quote, escape }: CsvForm): CsvDialect => ({ delim, quote, escape });

/** Columns that folders name, as in year=2026/may.csv: no file has them. */
export const folderColumns = (path: string): ReadonlySet<string> =>
  new Set([...path.matchAll(/[/\\]([^/\\=]+)=[^/\\]*(?=[/\\])/g)].map(([, name = '']) => name));

/** A query for the rows of a table of Parquet files that are in its range; row groups without any are not read. */
export function rowsOfRange({ files, rows }: Table, columns: readonly string[]): string {
  if (rows === undefined) return `SELECT * FROM ${reader({ files, format: 'parquet' })}`;
  const { from, to } = rows;
  const [file = ''] = files;
  // DuckDB numbers no rows of a file with a column of that name; to skip the rows before takes longer.
  return columns.some((name) => name.toLowerCase() === 'file_row_number')
    ? `SELECT * FROM read_parquet(${quoted(file)}) LIMIT ${to - from} OFFSET ${from}`
    : `SELECT * EXCLUDE (file_row_number) FROM read_parquet(${quoted(file)}, file_row_number = true) WHERE file_row_number >= ${from} AND file_row_number < ${to}`;
}

/**
 * Rows of JSON lines with the wanted types. The values of columns that have another type are read
 * again from the text: a date that becomes a string is then the string of the file.
 */
export function typedJson(table: Table, found: Readonly<Record<string, string>>): string {
  const wanted = table.columns ?? {};
  const source = reader(table);
  const all = Object.entries({ ...wanted, ...found, ...wanted });
  const other = all.filter(([name, type]) => found[name] !== type);
  if (other.length === 0) return `SELECT ${all.map(([name]) => identifier(name))} FROM ${source}`;
  const again = new Map(other);
  const chosen = all.map(([name]) => `${again.has(name) ? 'again' : 'found'}.${identifier(name)}`);
  const types = other.map(([name, type]) => `${quoted(name)}: ${quoted(type)}`);
  const reread = `read_json(${list(table.files)}, format = 'newline_delimited', columns = {${types.join(', ')}})`;
  return `SELECT ${chosen.join(', ')} FROM ${source} found POSITIONAL JOIN (SELECT * FROM ${reread}) again`;
}

/** @param alone whether one thread writes. */
export function writer(format: DataFormat | 'lines', alone: boolean): string {
  switch (format) {
    case 'csv':
      return 'FORMAT csv, HEADER';
    case 'jsonl':
      return 'FORMAT json';
    case 'lines':
      // DuckDB writes no JSON by partitions. JSON has no control characters, so nothing is quoted.
      return "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIM '\u0001', FILE_EXTENSION 'jsonl'";
    case 'parquet':
      return `FORMAT parquet, COMPRESSION zstd, ${
        alone ? `ROW_GROUP_SIZE_BYTES '${ROW_GROUP_BYTES}B'` : `ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`
      }`;
  }
}
