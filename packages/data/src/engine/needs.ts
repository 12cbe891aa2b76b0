/**
 * The parts of Parquet files that a statement reads: columns of row groups, by DuckDB's own plan of the
 * statement and the statistics in the files. A part that is missing here has zeros in its place, which
 * DuckDB refuses as a page, so that an error of these rules costs a second run and never a wrong row.
 */
import { JSON_BOUNDS, readJsonOr } from '@skein/api/foreign-json';
import type { Session } from './session.ts';
import { list, quoted } from './sql-text.ts';

/** A scan of a plan. */
export interface Scan {
  /** Top-level columns that it reads, also for its filters. */
  readonly columns: readonly string[];
  readonly conditions: readonly Condition[];
}

/** `column operator literal`; all of a scan must hold. */
export interface Condition {
  readonly column: string;
  readonly operator: string;
  readonly literal: string;
}

/** Bytes of a file, end exclusive. */
export interface FileRange {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

interface PlanNode {
  readonly name?: string;
  readonly children?: readonly PlanNode[];
  readonly extra_info?: Readonly<Record<string, string | readonly string[]>>;
}

/** DuckDB's number of a row in its file, which is no column of it. */
const ROW_NUMBER = 'file_row_number';

/** @param plan of `EXPLAIN (FORMAT json)`. @param columns of the files. */
export function scansIn(plan: unknown, columns: readonly string[]): Scan[] {
  const scans: Scan[] = [];
  const visit = ({ name = '', children = [], extra_info: info = {} }: PlanNode): void => {
    children.forEach(visit);
    if (!/READ_PARQUET|PARQUET_SCAN/.test(`${name} ${String(info['Function'] ?? '')}`)) return;
    const { Projections: read = [], Filters: filters = [] } = info;
    const texts = [filters].flat().filter((text) => !text.startsWith('optional:'));
    const known = [...columns, ROW_NUMBER].toSorted((a, b) => b.length - a.length);
    const isNamed = (column: string): boolean =>
      [read].flat().some((text) => text === column || text.startsWith(`${column}.`)) ||
      [filters].flat().some((text) => text.includes(column));
    scans.push({
      columns: columns.filter(isNamed),
      conditions: texts.flatMap((text) => conditionsOf(text, known)),
    });
  };
  for (const node of plan as readonly PlanNode[]) visit(node);
  return scans;
}

const LITERAL = /^(>=|<=|>|<|=)('(?:[^']|'')*'(?:::[A-Z ]+)?|-?\d+(?:\.\d+)?)(?: AND |$)/;

/** Conditions that a text joins by AND; none where anything in it has another form. */
function conditionsOf(text: string, columns: readonly string[]): Condition[] {
  const conditions: Condition[] = [];
  for (let rest = text; rest !== '';) {
    const column = columns.find((name) => rest.startsWith(name));
    const [whole, operator = '', value = ''] = LITERAL.exec(rest.slice(column?.length)) ?? [];
    if (column === undefined || whole === undefined) return [];
    const quotes = /^'(.*)'[^']*$/s.exec(value)?.[1];
    conditions.push({ column, operator, literal: quotes?.replaceAll("''", "'") ?? value });
    rest = rest.slice(column.length + whole.length);
  }
  return conditions;
}

interface Chunk extends FileRange {
  readonly group: number;
  readonly column: string;
  /** Place of the first row of the group in the file, and of the first one after it. */
  readonly rows: readonly [from: number, to: number];
}

/**
 * Ranges of the files that a query reads; all of them where its plan does not show it.
 * @param tables files and columns with their types, by table.
 */
export async function needsOf(
  { rows }: Pick<Session, 'rows'>,
  query: string,
  tables: readonly {
    readonly files: readonly string[];
    readonly types: Readonly<Record<string, string>>;
  }[],
): Promise<FileRange[]> {
  const explained = await rows(`EXPLAIN (FORMAT json) ${query}`).catch(() => undefined);
  const text = explained?.[0]?.['explain_value'];
  const plan = readJsonOr(typeof text === 'string' ? text : '', JSON_BOUNDS.statement, undefined);
  const ranges: FileRange[] = [];
  for (const { files, types } of tables) {
    const chunks = await chunksOf(rows, files);
    if (!Array.isArray(plan)) {
      ranges.push(...chunks);
      continue;
    }
    for (const scan of scansIn(plan, Object.keys(types))) {
      const skipped = await skippedGroups(rows, files, scan.conditions, types);
      const read = new Set(scan.columns.map((name) => name.toLowerCase()));
      for (const chunk of chunks) {
        if (!read.has(chunk.column.toLowerCase())) continue;
        if (skipped.has(groupKey(chunk.file, chunk.group))) continue;
        if (!scan.conditions.every((each) => hasRow(each, chunk.rows))) continue;
        ranges.push(chunk);
      }
    }
  }
  return ranges.map(({ file, start, end }) => ({ file, start, end }));
}

const groupKey = (file: string, group: number): string => `${group} ${file}`;

async function chunksOf(rows: Session['rows'], files: readonly string[]): Promise<Chunk[]> {
  const found = await rows(
    `SELECT file_name, row_group_id::INTEGER AS id, path_in_schema AS path, row_group_num_rows::DOUBLE AS count,
            CASE WHEN dictionary_page_offset > 0 THEN least(dictionary_page_offset, data_page_offset)
                 ELSE data_page_offset END::DOUBLE AS start,
            total_compressed_size::DOUBLE AS size,
            bloom_filter_offset::DOUBLE AS bloom, bloom_filter_length::DOUBLE AS bloom_size
       FROM parquet_metadata(${list(files)}) ORDER BY file_name, row_group_id, column_id`,
  );
  const chunks: Chunk[] = [];
  let at = 0;
  let [file, group, count] = ['', -1, 0];
  for (const row of found) {
    const [name, id] = [String(row['file_name']), Number(row['id'])];
    if (name !== file) at = 0;
    else if (id !== group) at += count;
    [file, group, count] = [name, id, Number(row['count'])];
    const column = String(row['path']).split(', ')[0]!;
    const place = { file, group, column, rows: [at, at + count] } as const;
    const [start, bloom] = [Number(row['start']), Number(row['bloom'] ?? 0)];
    chunks.push({ ...place, start, end: start + Number(row['size']) });
    if (bloom > 0) {
      const end = bloom + Number(row['bloom_size'] ?? MOST_BLOOM_HEADER);
      chunks.push({ ...place, start: bloom, end });
    }
  }
  return chunks;
}

/** Older writers do not state the length. */
const MOST_BLOOM_HEADER = 64 * 1024;

/** Types whose least and greatest values in the statistics are in the order of the type. */
const ORDERED = /^(U?(TINY|SMALL|BIG)INT|U?INTEGER|VARCHAR|DATE|TIMESTAMP|DECIMAL\(.*\))$/;

/** Row groups whose statistics show that no row holds a condition. */
async function skippedGroups(
  rows: Session['rows'],
  files: readonly string[],
  conditions: readonly Condition[],
  types: Readonly<Record<string, string>>,
): Promise<ReadonlySet<string>> {
  const skipped = new Set<string>();
  for (const { column, operator, literal } of conditions) {
    const { [column]: type = '' } = types;
    if (!ORDERED.test(type)) continue;
    const value = `TRY_CAST(${quoted(literal)} AS ${type})`;
    const tests = [
      ...(operator.startsWith('<') ? [] : [`max ${operator === '=' ? '>=' : operator} ${value}`]),
      ...(operator.startsWith('>') ? [] : [`min ${operator === '=' ? '<=' : operator} ${value}`]),
    ];
    const found = await rows(
      `SELECT file_name, id FROM (
         SELECT file_name, row_group_id::INTEGER AS id, TRY_CAST(stats_min_value AS ${type}) AS min,
                TRY_CAST(stats_max_value AS ${type}) AS max
           FROM parquet_metadata(${list(files)}) WHERE path_in_schema = ${quoted(column)})
        WHERE NOT coalesce(${tests.join(' AND ')}, true)`,
    );
    for (const row of found) skipped.add(groupKey(String(row['file_name']), Number(row['id'])));
  }
  return skipped;
}

/** Whether a row of a group has a number that holds the condition; true for a condition on a column. */
function hasRow({ column, operator, literal }: Condition, [from, to]: Chunk['rows']): boolean {
  if (column !== ROW_NUMBER) return true;
  const value = Number(literal);
  if (operator === '=') return value >= from && value < to;
  if (operator.startsWith('>')) return operator === '>' ? to - 1 > value : to - 1 >= value;
  return operator === '<' ? from < value : from <= value;
}
