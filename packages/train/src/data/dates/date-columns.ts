/** Columns of dates as columns of their parts. */
import { assertWhole, BLOCK_ROWS, type Column } from '../table/column.ts';
import type { Table } from '../table/table.ts';
import { dataError } from '../../train-error.ts';
import { partNames, partsOf, type DateFormat } from './date-format.ts';

export interface DateColumn {
  readonly name: string;
  readonly format: DateFormat;
  /** Names of the columns that stand for it, in the order of its parts. */
  readonly parts: readonly string[];
}

/** @param taken names of other columns. */
export function dateColumn(
  name: string,
  format: DateFormat,
  taken: ReadonlySet<string>,
): DateColumn {
  const free = (wanted: string): string => (taken.has(wanted) ? free(`${wanted} part`) : wanted);
  return { name, format, parts: partNames(format).map((part) => free(`${name} ${part}`)) };
}

/**
 * The table with the parts in place of the dates. A text that is no such date is missing in each part.
 * @throws TrainError `data` when a column holds numbers.
 */
export function withDateParts(table: Table, dates: readonly DateColumn[]): Table {
  if (dates.length === 0) return table;
  const columns = table.columns.flatMap((column): readonly Column[] => {
    const date = dates.find(({ name }) => name === column.name);
    if (date === undefined) return [column];
    if (column.kind === 'number') {
      throw dataError(`Column '${date.name}' holds numbers, but held dates when it was trained.`);
    }
    assertWhole(column);
    const numbers = column.categories.map((text) => partsOf(date.format, text));
    return date.parts.map((name, part) =>
      partColumn(
        name,
        column,
        Float64Array.from(numbers, (each) => each[part]!),
      ),
    );
  });
  return { ...table, columns };
}

/** @param numbers of each category. */
function partColumn(
  name: string,
  column: Extract<Column, { kind: 'category' }>,
  numbers: Float64Array,
): Column {
  const numberOf = (code: number): number => (code < 0 ? NaN : numbers[code]!);
  const { block } = column;
  if (block === undefined) {
    return { name, kind: 'number', values: Float64Array.from(column.codes, numberOf) };
  }
  const memory = new Float64Array(BLOCK_ROWS);
  return {
    name,
    kind: 'number',
    block(from, to) {
      block(from, to).forEach((code, i) => (memory[i] = numberOf(code)));
      return memory.subarray(0, to - from);
    },
    get values() {
      return Float64Array.from(column.codes, numberOf);
    },
  };
}
