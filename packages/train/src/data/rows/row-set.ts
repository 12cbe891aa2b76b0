/** Some rows of a table, in ascending order: by their numbers, or by one byte for each row of the table. */

export interface RowSet {
  readonly length: number;
  /** One more than the last row. */
  readonly end: number;
  /** The rows in [from, to), counted from `from`; valid until the next call. Fast where calls ascend. */
  within(from: number, to: number): Uint32Array;
}

/** @param rows their numbers, in any order. */
export function rowSet(rows: ArrayLike<number>): RowSet {
  const sorted = Uint32Array.from(rows).sort();
  let at = 0;
  let memory = new Uint32Array(0);
  return {
    length: sorted.length,
    end: (sorted.at(-1) ?? -1) + 1,
    within(from, to) {
      if ((sorted[at - 1] ?? -1) >= from) at = 0;
      while (at < sorted.length && sorted[at]! < from) at++;
      const first = at;
      while (at < sorted.length && sorted[at]! < to) at++;
      if (memory.length < at - first) memory = new Uint32Array(to - from);
      for (let i = first; i < at; i++) memory[i - first] = sorted[i]! - from;
      return memory.subarray(0, at - first);
    },
  };
}

/** @param marks a byte for each row of the table. @param mark of the rows in the set. */
export function markedRows(marks: Uint8Array, mark: number): RowSet {
  let length = 0;
  for (const each of marks) length += Number(each === mark);
  let memory = new Uint32Array(0);
  return {
    length,
    end: marks.lastIndexOf(mark) + 1,
    within(from, to) {
      if (memory.length < to - from) memory = new Uint32Array(to - from);
      let count = 0;
      for (let row = from; row < to; row++) if (marks[row] === mark) memory[count++] = row - from;
      return memory.subarray(0, count);
    },
  };
}
