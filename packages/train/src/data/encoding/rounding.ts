/**
 * Columns of numbers that float32, in which a model computes, rounds by much: it has 24 binary
 * digits, so that a time in milliseconds since 1970 is rounded to about two minutes.
 */
import { BLOCK_ROWS, blockOf } from '../table/column.ts';
import { columnOf, type Table } from '../table/table.ts';

/** Part of the spread of a column, from its smallest number to its largest, that rounding may change. */
const TOLERATED = 1e-4;

export interface RoundedColumn {
  /** The loss, as a sentence without its full stop. */
  readonly lost: string;
  /** The smallest number of the column, as text. */
  readonly smallest: string;
}

/** The columns among the named ones that lose digits which distinguish their rows. */
export function roundedColumns(table: Table, names: readonly string[]): RoundedColumn[] {
  const found = names
    .map((name) => columnOf(table, name))
    .filter(({ kind }) => kind === 'number')
    .map((column) => ({ column, smallest: Infinity, largest: -Infinity, error: 0 }));
  // All columns of a block together: a table in a file is read once.
  for (let from = 0; from < table.count; from += BLOCK_ROWS) {
    const to = Math.min(from + BLOCK_ROWS, table.count);
    for (const each of found) {
      for (const value of blockOf(each.column, from, to)) {
        if (Number.isNaN(value)) continue;
        each.smallest = Math.min(each.smallest, value);
        each.largest = Math.max(each.largest, value);
        each.error = Math.max(each.error, Math.abs(value - Math.fround(value)));
      }
    }
  }
  return found.flatMap(({ column: { name }, smallest, largest, error }) => {
    // Beyond the range of float32 it is an error of its own.
    if (!Number.isFinite(error) || error <= (largest - smallest) * TOLERATED) return [];
    if (smallest === largest) return [];
    const lost = `'${name}' is rounded by up to ${error} in float32, and its numbers lie from ${smallest} to ${largest}`;
    return [{ lost, smallest: String(smallest) }];
  });
}
