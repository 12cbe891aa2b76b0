/**
 * Mean and standard deviation of the elements except NaN; the deviation of constant elements is 1.
 * Two passes, because the difference of large sums of squares would lose all digits.
 *
 * Sums are taken in the order of the rows, so that the same order gives the same bits in memory and
 * in a file.
 * @param elements all of them, or the elements of one row.
 * @param width elements of one row.
 */
export function momentsOf(
  elements: ArrayLike<number | bigint> | ((row: number) => ArrayLike<number | bigint>),
  rows: ArrayLike<number>,
  width = 1,
): { readonly mean: number; readonly deviation: number } | undefined {
  let count = 0;
  let sum = 0;
  const visit = (take: (value: number) => void) => {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const [of, from] =
        typeof elements === 'function' ? [elements(row), 0] : [elements, row * width];
      for (let at = from; at < from + width; at++) {
        const value = Number(of[at]);
        if (!Number.isNaN(value)) take(value);
      }
    }
  };
  visit((value) => {
    count++;
    sum += value;
  });
  if (count === 0) return undefined;
  const mean = sum / count;
  let squares = 0;
  visit((value) => (squares += (value - mean) ** 2));
  const deviation = Math.sqrt(squares / count);
  // A deviation below this is a rounding error of a constant.
  return { mean, deviation: deviation <= Math.abs(mean) * 1e-12 ? 1 : deviation };
}

/** Row numbers in the order that reads a file fastest. */
export function ascending(rows: ArrayLike<number>): Uint32Array {
  return Uint32Array.from(rows).sort();
}
