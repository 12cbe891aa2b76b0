/**
 * Mean and standard deviation of numbers except NaN; the deviation of constant numbers is 1.
 * Two passes, because the difference of large sums of squares would lose all digits.
 *
 * Sums are taken in the order of the rows, so that the same rows give the same bits in memory and
 * in a file.
 */
import { BLOCK_ROWS, blockOf, type Column } from '../table/column.ts';
import type { RowSet } from '../rows/row-set.ts';

export interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

function accumulator() {
  let count = 0;
  let sum = 0;
  let mean = NaN;
  let squares = 0;
  return {
    add: (value: number): void => {
      if (Number.isNaN(value)) return;
      count++;
      sum += value;
    },
    /** Ends the first pass. */
    center: () => (mean = sum / count),
    addSquare: (value: number): void => {
      if (!Number.isNaN(value)) squares += (value - mean) ** 2;
    },
    /** Undefined without a number. */
    finish: (): Moments | undefined => {
      if (count === 0) return undefined;
      const deviation = Math.sqrt(squares / count);
      // A deviation below this is a rounding error of a constant.
      return { mean, deviation: deviation <= Math.abs(mean) * 1e-12 ? 1 : deviation };
    },
  };
}

/**
 * @param elements all of them, or the elements of one row.
 * @param width elements of one row.
 * @returns undefined without a number.
 */
export function momentsOf(
  elements: ArrayLike<number | bigint> | ((row: number) => ArrayLike<number | bigint>),
  rows: RowSet,
  width = 1,
): Moments | undefined {
  const found = accumulator();
  const visit = (take: (value: number) => void) => {
    for (let first = 0; first < rows.end; first += BLOCK_ROWS) {
      for (const place of rows.within(first, Math.min(first + BLOCK_ROWS, rows.end))) {
        const row = first + place;
        const [of, from] =
          typeof elements === 'function' ? [elements(row), 0] : [elements, row * width];
        for (let at = from; at < from + width; at++) take(Number(of[at]));
      }
    }
  };
  visit(found.add);
  found.center();
  visit(found.addSquare);
  return found.finish();
}

/** The moments of columns of numbers, in their order; a table in a file is read twice, however many they are. */
export function momentsOfColumns(
  columns: readonly Column[],
  rows: RowSet,
  onShare: (share: number) => void = () => undefined,
): readonly (Moments | undefined)[] {
  const found = columns.map((column) => ({ column, ...accumulator() }));
  const visit = (pass: 'add' | 'addSquare', shareBefore: number) => {
    eachBlock(rows, (from, to, places) => {
      onShare(shareBefore + from / rows.end / 2);
      for (const { column, [pass]: take } of found) {
        const numbers = blockOf(column, from, to);
        for (const place of places) take(numbers[place]!);
      }
    });
  };
  visit('add', 0);
  for (const { center } of found) center();
  visit('addSquare', 0.5);
  return found.map(({ finish }) => finish());
}

/** @param visit called with blocks of rows of a table, and which of them are in the set, counted from `from`. */
export function eachBlock(
  rows: RowSet,
  visit: (from: number, to: number, places: ArrayLike<number> & Iterable<number>) => void,
): void {
  for (let from = 0; from < rows.end; from += BLOCK_ROWS) {
    const to = Math.min(from + BLOCK_ROWS, rows.end);
    const places = rows.within(from, to);
    if (places.length > 0) visit(from, to, places);
  }
}
