/** How DuckDB reads a CSV file: separator, quotes and ends of lines, as its beginning shows them. */
import type { CsvForm } from '../cut-csv.ts';
import { csvSettings, folderColumns, type Table } from './reader.ts';
import type { Session } from './session.ts';
import { quoted } from './sql-text.ts';

/** DuckDB's word for a character that there is not. */
const NONE = '(empty)';
const NEW_LINES: ReadonlySet<string> = new Set(['\\n', '\\r\\n']);

/** @returns undefined for a file that is not to be cut between its records. */
export async function formOf(
  { rows }: Pick<Session, 'rows'>,
  { files, csv = {} }: Table,
): Promise<CsvForm | undefined> {
  const [file = '', another] = files;
  const isPlain =
    another === undefined &&
    !/\.(gz|zst)$/i.test(file) &&
    folderColumns(file).size === 0 &&
    (csv.encoding ?? 'utf-8') === 'utf-8' &&
    (csv.skip ?? 0) === 0;
  if (!isPlain) return undefined;
  const [found = {}] = await rows(
    `SELECT Delimiter AS delim, Quote AS quote, "Escape" AS escape, NewLineDelimiter AS line, Comment AS comment
       FROM sniff_csv(${quoted(file)}, ${csvSettings(csv)})`,
  );
  const { delim, quote, escape, comment } = found;
  const textOf = (value: unknown): string => (value === NONE ? '' : String(value));
  const form: CsvForm = {
    delim: delim === '\\t' ? '\t' : textOf(delim),
    quote: textOf(quote),
    escape: textOf(escape),
    newLine: String(found['line']),
  };
  const canBeCut =
    comment === NONE &&
    NEW_LINES.has(form.newLine) &&
    /^[\t\x20-\x7e]$/.test(form.delim) &&
    /^[\x21-\x7e]?$/.test(form.quote) &&
    (form.escape === '' || form.escape === form.quote);
  return canBeCut ? form : undefined;
}
