/**
 * The numbers of a table's columns while its rows are read: in memory, or, above the memory limit,
 * in a file of groups of rows. In a group each column is contiguous:
 *
 *   │ column 0, rows 0 … n−1 │ column 1, rows 0 … n−1 │ … ‖ column 0, rows n … 2n−1 │ …
 *
 * so that one column can be read alone, and a few rows of all columns need few reads.
 */
import type { RowStore } from '../rows/stored.ts';

/** A column of numbers: of a category its code; NaN where a value is missing. */
export interface NumberColumn {
  /**
   * Rows in [from, to).
   * @param into memory that may be used for them; default: new memory.
   */
  read(from: number, to: number, into?: Float64Array): Float64Array;
}

export interface ColumnSink {
  /** @param row one number for each column; copied. */
  push(row: Float64Array): void;
  finish(): SunkColumns;
}

export interface SunkColumns {
  readonly columns: readonly NumberColumn[];
  /** Whether they are not in memory. */
  readonly stored: boolean;
  /** Frees the space of stored columns, which are not read again. */
  readonly release?: () => void;
}

/** Bytes of a group: large enough to be read fast, small compared with the rest of the memory. */
const GROUP = 1 << 20;

/** Keeps rows in memory up to the store's limit, then in the store. */
export function columnSink(width: number, store: RowStore | undefined): ColumnSink {
  let memory: ReturnType<typeof inMemory> | undefined = inMemory(width);
  let stored: ColumnSink | undefined;
  return {
    push(row) {
      if (stored !== undefined) return stored.push(row);
      memory!.push(row);
      if (store === undefined || memory!.count() * width * 8 <= store.limit) return;
      stored = storedColumns(width, store);
      memory!.replay(stored);
      memory = undefined;
    },
    finish: () => (stored ?? memory!).finish(),
  };
}

function inMemory(width: number) {
  let count = 0;
  let columns = Array.from({ length: width }, () => new Float64Array(64));
  const numbers = (at: number) => columns[at]!.subarray(0, count);
  return {
    count: () => count,
    push(row: Float64Array) {
      if (count === columns[0]?.length) {
        columns = columns.map((column) => {
          const larger = new Float64Array(count * 2);
          larger.set(column);
          return larger;
        });
      }
      for (let at = 0; at < width; at++) columns[at]![count] = row[at]!;
      count++;
    },
    replay(into: ColumnSink) {
      const row = new Float64Array(width);
      for (let i = 0; i < count; i++) {
        for (let at = 0; at < width; at++) row[at] = columns[at]![i]!;
        into.push(row);
      }
    },
    finish: () => ({
      stored: false,
      columns: columns.map((_, at) => {
        const own = numbers(at).slice();
        return { read: (from: number, to: number) => own.subarray(from, to) };
      }),
    }),
  };
}

export function storedColumns(width: number, store: RowStore): ColumnSink {
  const rows = Math.max(1, Math.floor(GROUP / 8 / Math.max(width, 1)));
  const writer = store.create();
  const group = new Float64Array(rows * width);
  let filled = 0;
  return {
    push(row) {
      for (let at = 0; at < width; at++) group[at * rows + filled] = row[at]!;
      if (++filled < rows) return;
      writer.append(new Uint8Array(group.buffer));
      filled = 0;
    },
    finish() {
      // The last group has its full length too, so that the position of every number is known.
      if (filled > 0) writer.append(new Uint8Array(group.buffer));
      const bytes = writer.finish();
      const columns = Array.from({ length: width }, (_, at) => ({
        read(from: number, to: number, into = new Float64Array(to - from)) {
          const numbers = into.subarray(0, to - from);
          for (let row = from; row < to;) {
            const within = row % rows;
            const count = Math.min(rows - within, to - row);
            const place = ((row - within) * width + at * rows + within) * 8;
            const part = numbers.subarray(row - from, row - from + count);
            bytes.read(place, new Uint8Array(part.buffer, part.byteOffset, count * 8));
            row += count;
          }
          return numbers;
        },
      }));
      return { stored: true, columns, release: () => store.release(bytes) };
    },
  };
}
