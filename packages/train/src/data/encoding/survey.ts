/**
 * The columns of a table before a network is built for them: those that a network can learn from, dates
 * that are taken apart, and columns that are left out with the reason.
 *
 * A text that differs in nearly every row is a name of the row: as one-hot columns it is learnt by
 * heart, lowers the loss of the training rows alone, and the served model would ask for it.
 */
import { dateColumn, type DateColumn } from '../dates/date-columns.ts';
import { formatsOf, partNames, type DateFormat } from '../dates/date-format.ts';
import { dataError } from '../../train-error.ts';
import { assertWhole, MOST_TEXTS, numbersOf, type Column } from '../table/column.ts';
import type { Table } from '../table/table.ts';

export interface Survey {
  /** Columns to predict from, in the order of the table. */
  readonly features: readonly string[];
  readonly dates: readonly DateColumn[];
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** With fewer different texts a column is small, whatever they are. */
const FEWEST_TEXTS = 20;
/** Rows that a text needs on average, for one of them to be trained on and another to be held out. */
const ROWS_OF_A_TEXT = 2;
/** Names that are listed of one kind. */
const LISTED = 12;
/** Rows whose numbers are compared: a Set of JavaScript has no more than 2^24. */
const COMPARED_ROWS = 1_000_000;
const IDENTIFIER = /(^|[_\s.-])(id|uuid|guid|key|index|number|nr|no)$|[a-z]I[dD]$|^unnamed: 0$/i;

interface LeftOut {
  readonly name: string;
  readonly why: string;
}

/**
 * @param wanted columns that were named: each of them is kept.
 * @param apart columns that are not features.
 * @throws TrainError `data` when no column is left, with the reasons.
 */
export function surveyColumns(
  table: Table,
  wanted: readonly string[] | undefined,
  apart: readonly string[],
): Survey {
  const candidates = table.columns.filter(({ name }) =>
    wanted === undefined ? !apart.includes(name) : wanted.includes(name),
  );
  const taken = new Set(table.columns.map(({ name }) => name));
  const kept: Column[] = [];
  const dates: DateColumn[] = [];
  const leftOut: LeftOut[] = [];
  for (const column of candidates) {
    const { name } = column;
    if (wanted !== undefined) assertWhole(column);
    const formats = column.kind === 'category' ? formatsOf(column.categories) : [];
    const why = wanted === undefined ? flawOf(column, table.count, formats) : undefined;
    if (why !== undefined) {
      leftOut.push({ name, why });
      continue;
    }
    const [format] = formats;
    if (formats.length === 1) dates.push(dateColumn(name, format!, taken));
    kept.push(column);
  }
  const reasons = leftOut.map(({ name, why }) => `'${name}' is left out: ${why}.`);
  if (kept.length === 0 && leftOut.length > 0) {
    throw dataError(`There is no column to predict from. ${reasons.join(' ')} ${NAME_IT}`);
  }
  return {
    features: wanted ?? kept.map(({ name }) => name),
    dates,
    notes: [kindsOf(kept, dates), ...reasons.map((reason) => `${reason} ${NAME_IT}`)],
  };
}

const NAME_IT = 'Name it in `features` to use it all the same.';

/** Why a column is not learnt from; `undefined` where it is. */
function flawOf(column: Column, count: number, formats: readonly DateFormat[]): string | undefined {
  if (column.kind === 'number') {
    if (!IDENTIFIER.test(column.name) || !areNumbersOfRows(column, count)) return undefined;
    return 'by its name it is an identifier, and every row has another whole number';
  }
  if (formats.length > 1) {
    return `its dates, such as ${column.categories[0]}, may begin with the day or with the month; write 2024-03-05`;
  }
  if (column.isCut === true) return `it has more than ${MOST_TEXTS} different texts`;
  if (formats.length === 1) return undefined;
  const { length } = column.categories;
  if (length < FEWEST_TEXTS || length * ROWS_OF_A_TEXT <= count) return undefined;
  const what = column.categories.some((text) => text.trim().split(/\s+/).length > 3)
    ? 'free text'
    : 'an identifier';
  return `it is ${what}: ${length} different texts in ${count} rows`;
}

function areNumbersOfRows(column: Column, count: number): boolean {
  if (count < FEWEST_TEXTS) return false;
  const numberOf = numbersOf(column, count);
  const seen = new Set<number>();
  for (let row = 0; row < Math.min(count, COMPARED_ROWS); row++) {
    const number = numberOf(row);
    if (!Number.isSafeInteger(number) || seen.has(number)) return false;
    seen.add(number);
  }
  return true;
}

function kindsOf(kept: readonly Column[], dates: readonly DateColumn[]): string {
  const numbers: string[] = [];
  const texts: string[] = [];
  const apart: string[] = [];
  for (const column of kept) {
    const { name } = column;
    const date = dates.find((each) => each.name === name);
    if (column.kind === 'number') numbers.push(name);
    else if (date === undefined) texts.push(`${name} (${column.categories.length})`);
    else apart.push(`${name} (${partNames(date.format).join(', ')})`);
  }
  const kinds = [
    ['numbers', numbers],
    ['texts', texts],
    ['dates', apart],
  ] as const;
  const named = kinds.filter(([, names]) => names.length > 0);
  return `Columns: ${named.map(([kind, names]) => `${kind} ${listed(names)}`).join('; ')}.`;
}

function listed(names: readonly string[]): string {
  const more = names.length - LISTED;
  return more <= 1 ? names.join(', ') : `${names.slice(0, LISTED).join(', ')} and ${more} more`;
}
