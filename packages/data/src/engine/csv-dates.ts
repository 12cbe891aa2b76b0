/**
 * The formats of dates and times that all shards of CSV share. DuckDB takes for each file the first format that fits
 * it: one whose days are all at most 12 is read as day, month, year, whatever the others contain.
 */
import type { DateFormats } from '../data-set.ts';
import { csvSettings, type Table } from './reader.ts';
import type { Session } from './session.ts';
import { identifier, quoted } from './sql-text.ts';

/** Rows of each file that are examined: as many as DuckDB takes to find its types. */
const ROWS = 20_480;

const KINDS = [
  { type: 'DATE', found: 'DateFormat', name: 'date', iso: '%Y-%m-%d' },
  { type: 'TIMESTAMP', found: 'TimestampFormat', name: 'timestamp', iso: '%Y-%m-%d %H:%M:%S' },
] as const;

/**
 * @param types of the columns, as DuckDB has found them.
 * @returns formats in which every examined value can be read. Where there is none, the columns are texts.
 */
export async function dateFormatsOf(
  { rows }: Pick<Session, 'rows'>,
  { files, csv }: Table,
  types: Readonly<Record<string, string>>,
): Promise<{ columns: Record<string, string>; dates: DateFormats }> {
  const columns = { ...types };
  const dates: { date?: string; timestamp?: string } = {};
  for (const { type, found, name, iso } of KINDS) {
    const names = Object.keys(types).filter((column) => types[column] === type);
    if (names.length === 0) continue;
    /** Null: as ISO 8601 has it, which no file can be taken for by chance. */
    const candidates = new Set<string | null>();
    for (const file of files) {
      const [sniffed] = await rows(
        `SELECT ${found} AS format FROM sniff_csv(${quoted(file)}, ${csvSettings(csv)})`,
      );
      const format = (sniffed?.['format'] ?? null) as string | null;
      candidates.add(format === iso ? null : format);
    }
    if (candidates.size === 1) {
      const [only = null] = candidates;
      if (only !== null) dates[name] = only;
      continue;
    }
    const fitting = await firstFitting(rows, { files, csv }, names, type, candidates);
    if (typeof fitting === 'string') dates[name] = fitting;
    else if (fitting === undefined) for (const column of names) columns[column] = 'VARCHAR';
  }
  return { columns, dates };
}

/** @returns undefined where none fits all files. */
async function firstFitting(
  rows: Session['rows'],
  { files, csv }: Pick<Table, 'files' | 'csv'>,
  names: readonly string[],
  type: string,
  candidates: Iterable<string | null>,
): Promise<string | null | undefined> {
  for (const format of candidates) {
    const unread = names.map((name) => {
      const column = identifier(name);
      const read =
        format === null
          ? `TRY_CAST(${column} AS ${type})`
          : `try_strptime(${column}, ${quoted(format)})`;
      return `(${column} IS NOT NULL AND ${read} IS NULL)`;
    });
    let fits = true;
    for (const file of files) {
      const values = `SELECT * FROM read_csv(${quoted(file)}, ${csvSettings(csv)}, all_varchar = true) LIMIT ${ROWS}`;
      const [counted] = await rows(
        `SELECT count(*) FILTER (${unread.join(' OR ')}) = 0 AS fits FROM (${values})`,
      );
      fits &&= counted?.['fits'] === true;
    }
    if (fits) return format;
  }
  return undefined;
}
