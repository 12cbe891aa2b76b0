/**
 * The order of rows that are larger than memory. Their file is in a random order already, see `scatter.ts`. An epoch
 * visits its blocks in another order each time: some blocks at once are a window, whose rows are mixed.
 *
 *   file    │ 0 │ 1 │ 2 │ 3 │ 4 │ 5 │ …        blocks of 1 MiB
 *   epoch   ‖ rows of 4, 0, 7, … mixed ‖ rows of 2, 9, 5, … mixed ‖ …
 *
 * So a file is read in large pieces, and a window is in memory. Rows of one window are near each other in an epoch, which
 * a full permutation would not have. CorgiPile (Xu et al., SIGMOD 2022) measures that as good as a full one.
 */
import { shuffle, shuffled } from './shuffled.ts';
import { bytesPerRow, type StoredRows } from './stored.ts';

/** Row numbers in the order of an epoch. */
export type RowOrder = Pick<Uint32Array, 'length' | 'subarray'>;

/** Bytes of a block: a disk reads it nearly as fast as the whole file. */
const BLOCK_BYTES = 2 ** 20;
/** Blocks of a window, 64 MiB of each worker: rows from so many places of the file are mixed. */
export const WINDOW_BLOCKS = 64;

/** @param rowBytes of all tensors together. */
export const rowsPerBlock = (rowBytes: number): number =>
  Math.max(1, Math.floor(BLOCK_BYTES / Math.max(1, rowBytes)));

/** All rows, in their own order. */
export const inOrder = (length: number): RowOrder => ({
  length,
  subarray: (from = 0, to = length) =>
    Uint32Array.from({ length: Math.max(0, Math.min(to, length) - from) }, (_, i) => from + i),
});

/** Depends on its arguments alone. @param blockRows rows of a block; the last block may have fewer. */
export function blockOrder(
  count: number,
  blockRows: number,
  seed: number,
  windowBlocks = WINDOW_BLOCKS,
): RowOrder {
  const blocks = shuffled(Math.ceil(count / blockRows), seed);
  const full = blockRows * windowBlocks;
  const endOf = (block: number): number => Math.min(count, (block + 1) * blockRows);
  /** Place in the order of the first row of each window, and of the end. */
  const starts = [0];
  for (let first = 0; first < blocks.length; first += windowBlocks) {
    const own = blocks.subarray(first, first + windowBlocks);
    starts.push(own.reduce((at, block) => at + endOf(block) - block * blockRows, starts.at(-1)!));
  }
  let current = -1;
  let rows = new Uint32Array(0);
  const open = (window: number): Uint32Array => {
    if (window === current) return rows;
    rows = new Uint32Array(starts[window + 1]! - starts[window]!);
    let at = 0;
    for (const block of blocks.subarray(window * windowBlocks, (window + 1) * windowBlocks)) {
      for (let row = block * blockRows; row < endOf(block); row++) rows[at++] = row;
    }
    shuffle(rows, (seed ^ Math.imul(window + 1, 0xc2b2ae35)) >>> 0);
    current = window;
    return rows;
  };
  return {
    length: count,
    subarray(from = 0, to = count) {
      const end = Math.min(to, count);
      const found = new Uint32Array(Math.max(0, end - from));
      // No window has more rows than a full one: the window of a row is here or behind it.
      let window = Math.floor(from / full);
      for (let at = from; at < end;) {
        while (starts[window + 1]! <= at) window++;
        const start = starts[window]!;
        const part = open(window).subarray(at - start, end - start);
        found.set(part, at - from);
        at += part.length;
      }
      return found;
    },
  };
}

/**
 * Reads rows through their blocks, and holds as many blocks in memory as a window has. Fast where the rows come in a
 * block order, or in their own.
 */
export function blockReader(
  of: StoredRows,
  blockRows: number,
  windowBlocks = WINDOW_BLOCKS,
): (row: number, into: Uint8Array) => void {
  if (of.rows !== undefined) throw new TypeError('Rows in blocks are all rows of their file.');
  const size = bytesPerRow(of);
  const [count = 0] = of.shape;
  const slots = new Int32Array(Math.ceil(count / blockRows)).fill(-1);
  const held = new Int32Array(windowBlocks).fill(-1);
  const memory: Uint8Array[] = [];
  let next = 0;
  const load = (block: number): number => {
    const slot = next;
    // The oldest, which a window before this one has loaded.
    next = (next + 1) % windowBlocks;
    if (held[slot]! >= 0) slots[held[slot]!] = -1;
    const bytes = (memory[slot] ??= new Uint8Array(blockRows * size));
    const rows = Math.min(blockRows, count - block * blockRows);
    of.bytes.read(of.start + block * blockRows * size, bytes.subarray(0, rows * size));
    held[slot] = block;
    slots[block] = slot;
    return slot;
  };
  return (row, into) => {
    const block = Math.floor(row / blockRows);
    const known = slots[block]!;
    const at = (row - block * blockRows) * size;
    into.set(memory[known < 0 ? load(block) : known]!.subarray(at, at + size));
  };
}
