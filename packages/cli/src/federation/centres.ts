/** Sites that a column of the rows names, such as the hospital of each patient. */
import type { Table } from '@skein/train';
import { usageError } from '../command-line/usage.ts';

/** Rows of a centre; a fifth is held out. */
const FEWEST_OF_CENTRE = 5;
const MOST_CENTRES = 1000;

/** A site that is named in a column, with the positions of its rows in the file. */
export interface Centre {
  readonly name: string;
  readonly rows: readonly number[];
}

/** The rows of each value of a column, in the order of the values' first rows. @throws SkeinError USAGE. */
export function centresOf({ columns, count }: Table, by: string): readonly Centre[] {
  const column = columns.find(({ name }) => name === by);
  if (column === undefined) {
    const known = columns.map(({ name }) => name).join(', ');
    throw usageError(`--by: there is no column "${by}", only ${known}.`);
  }
  const found = new Map<string, number[]>();
  for (let row = 0; row < count; row += 1) {
    const name =
      column.kind === 'category'
        ? column.categories[column.codes[row]!]!
        : String(column.values[row]!);
    const rows = found.get(name);
    if (rows === undefined) found.set(name, [row]);
    else rows.push(row);
  }
  const centres = [...found].map(([name, rows]) => ({ name, rows }));
  if (centres.length < 2 || centres.length > MOST_CENTRES) {
    throw usageError(`--by: "${by}" has ${centres.length} values, not 2 to ${MOST_CENTRES}.`);
  }
  const small = centres.find(({ rows }) => rows.length < FEWEST_OF_CENTRE);
  if (small === undefined) return centres;
  throw usageError(
    `--by: "${small.name}" has ${small.rows.length} rows, fewer than ${FEWEST_OF_CENTRE}.`,
  );
}

/** Held-out and training rows of the file, centre after centre. */
export function gathered(
  centres: readonly Centre[],
  parts: readonly (readonly [Uint32Array, Uint32Array])[],
): readonly [Uint32Array, Uint32Array] {
  const of = (part: 0 | 1): Uint32Array =>
    Uint32Array.from(centres.flatMap(({ rows }, i) => [...parts[i]![part]].map((at) => rows[at]!)));
  return [of(0), of(1)];
}

/** Positions that follow each other, so many for each. */
export function inTurn(counts: readonly number[]): readonly Uint32Array[] {
  let next = 0;
  return counts.map((count) => Uint32Array.from({ length: count }, () => next++));
}
