/**
 * Reads tables of CSV and JSON lines. The source text is streamed and never whole in memory.
 *
 * The type of a column is declared, or decided by its first value. A later value that does not fit
 * is an error that names the line, because a silent change of type would change the meaning of the
 * column.
 */
import { dataError } from '../../train-error.ts';
import type { ByteSource } from '../bytes.ts';
import { csvRecords, type CsvOptions } from '../formats/csv.ts';
import { jsonRecords } from '../formats/jsonl.ts';
import { decimalCommas } from './decimal-commas.ts';
import { flaw, missingValue, tableBuilder, type TableBuilder } from './table-builder.ts';
import type { Table, TableOptions } from './table.ts';

export interface CsvTableOptions extends CsvOptions, TableOptions {
  /** Names of the columns, for a file whose first record is data; default: the first record names them. */
  readonly names?: readonly string[];
}

/** @throws TrainError `data` for an empty or ragged table or a value that does not fit its column, naming line and column. */
export async function readCsv(source: ByteSource, options: CsvTableOptions = {}): Promise<Table> {
  const { names } = options;
  const decimals = decimalCommas();
  let separator = options.separator ?? ',';
  let builder: TableBuilder | undefined;
  const records = csvRecords(source, { ...options, onSeparator: (found) => (separator = found) });
  for await (const { line, fields } of records) {
    // Where a comma separates fields it cannot be in a number.
    const reader = separator === ',' ? undefined : decimals;
    const isHead = builder === undefined && names === undefined;
    builder ??= tableBuilder(names ?? fields, { ...options, decimals: reader });
    if (!isHead) builder.add(line, fields);
  }
  const table = finish(builder);
  const words = [
    ...(options.separator === undefined && separator !== ','
      ? [`${NAMES[separator]} between its columns`]
      : []),
    ...(decimals.seen() ? ['decimal commas in its numbers'] : []),
  ];
  return words.length === 0 ? table : { ...table, format: words.join(' and ') };
}

const NAMES: Readonly<Record<string, string>> = { ';': 'semicolons', '\t': 'tabs', '|': 'bars' };

/** @throws TrainError `data` as `readCsv` does; the first object names the columns, and every other has the same. */
export async function readJsonLines(
  source: ByteSource,
  options: TableOptions = {},
): Promise<Table> {
  let builder: TableBuilder | undefined;
  let names: readonly string[] = [];
  for await (const { line, record } of jsonRecords(source)) {
    if (builder === undefined) builder = tableBuilder((names = Object.keys(record)), options);
    const extra = Object.keys(record).find((name) => !names.includes(name));
    if (extra !== undefined) throw flaw(line, extra, 'is not in the first record');
    builder.add(
      line,
      names.map((name) => {
        if (Object.hasOwn(record, name)) return record[name];
        if (options.missing !== 'keep') throw missingValue(line, name);
        return undefined;
      }),
    );
  }
  return finish(builder);
}

function finish(builder: TableBuilder | undefined): Table {
  if (builder === undefined) throw dataError('The table has no rows.');
  return builder.finish();
}
