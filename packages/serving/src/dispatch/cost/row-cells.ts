/**
 * Costs by the number of rows: one cell for every count up to 8 and four per octave above, linear
 * between cells.
 */

const EXACT_ROWS = 8;
export const CELLS_PER_OCTAVE = 4;

/** The cell of a row count: exact up to 8, then rounded up to a quarter of an octave. */
export function cellOf(rows: number): number {
  if (rows <= EXACT_ROWS) return rows - 1;
  const octave = 31 - Math.clz32(rows - 1); // 3 for 9…16
  const step = 2 ** (octave - 2);
  return EXACT_ROWS + (octave - 3) * CELLS_PER_OCTAVE + Math.ceil(rows / step) - 5;
}

/** The largest row count of a cell. */
export function rowsOf(cell: number): number {
  if (cell < EXACT_ROWS) return cell + 1;
  const above = cell - EXACT_ROWS;
  const octave = 3 + Math.floor(above / CELLS_PER_OCTAVE);
  return 2 ** (octave - 2) * (5 + (above % CELLS_PER_OCTAVE));
}

/**
 * Linear between cells. Beyond the last one it follows the slope of the last octave, but at most in
 * proportion, and far beyond it with the square root of the rows, like the curve of sizes that have not run.
 */
export function interpolate(shape: Float64Array, rows: number): number {
  if (shape.length === 0) return 0;
  const cell = cellOf(rows);
  const last = shape.length - 1;
  if (cell > last) {
    const end = shape[last]!;
    const endRows = rowsOf(last);
    const before = Math.max(0, last - CELLS_PER_OCTAVE);
    const share = before === last ? 1 : (1 - shape[before]! / end) / (1 - rowsOf(before) / endRows);
    const ratio = rows / endRows;
    const grown = ratio <= 2 ? ratio : Math.sqrt(2 * ratio);
    return end * (1 + Math.min(share, 1) * (grown - 1));
  }
  const upper = rowsOf(cell);
  const above = shape[cell]!;
  if (upper === rows || cell === 0) return above;
  const lower = rowsOf(cell - 1);
  const below = shape[cell - 1]!;
  return below + ((above - below) * (rows - lower)) / (upper - lower);
}
