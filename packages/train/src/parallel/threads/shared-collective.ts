/**
 * Ranks that are threads of one process. Each rank writes its numbers into shared memory, sums one
 * range over all ranks, and reads the sums of all ranges:
 *
 *   write own │ sum my range │ read sums, update my part │ read what all have updated
 *             └ barrier      └ barrier                   └ barrier (`publish`)
 *
 * A number is summed over ranks in their order, in float64, and rounded once.
 */
import type { FloatType } from '../../optimisers/updates.ts';
import { share, type Collective } from '../collective.ts';
import { bytesPerNumber, numbersIn, typeOfNumbers, type Numbers } from '../numbers.ts';
import { barrierBytes, openBarrier, type Barrier, type BarrierOptions } from './barrier.ts';

/**
 * The memory of a group of threads. Rank 0 makes it and everything in it; a thread that begins later
 * asks for the same in the same order.
 */
export interface SharedMemory {
  readonly barrier: SharedArrayBuffer;
  readonly blocks: SharedArrayBuffer[];
}

export function sharedMemory(size: number): SharedMemory {
  return { barrier: new SharedArrayBuffer(barrierBytes(size)), blocks: [] };
}

export interface SharedCollective extends Collective {
  /** Notifies every rank that a rank is lost. */
  breakFor(rank: number): void;
}

export function sharedCollective(memory: SharedMemory, options: BarrierOptions): SharedCollective {
  const { rank, size } = options;
  const barrier: Barrier = openBarrier(memory.barrier, options);
  let blocks = 0;
  const block = (bytes: number) => {
    const position = blocks++;
    return (memory.blocks[position] ??= new SharedArrayBuffer(Math.max(bytes, 8)));
  };
  /** The numbers of all ranks, by this rank's own array. */
  const rows = new Map<Numbers, readonly Numbers[]>();
  const rowsOf = (own: Numbers) => {
    const found = rows.get(own);
    if (found === undefined) throw new TypeError('These are not numbers that `own` gave.');
    return found;
  };
  /** How many numbers each rank gathers. */
  const used = new Int32Array(block(4 * size), 0, size);

  return {
    rank,
    size,
    overlap: 'none',
    own(type: FloatType, length: number) {
      const all = Array.from({ length: size }, () =>
        numbersIn(type, block(length * bytesPerNumber(type)), length),
      );
      rows.set(all[rank]!, all);
      return all[rank]!;
    },
    common: (type, length) => numbersIn(type, block(length * bytesPerNumber(type)), length),
    part: (length) => share(length, rank, size),
    async sum(own, into) {
      const all = rowsOf(own);
      await barrier.arrive();
      sumRange(all, into, share(into.length, rank, size));
      await barrier.arrive();
    },
    publish: () => barrier.arrive(),
    async gather(own, count) {
      const all = rowsOf(own);
      used[rank] = count;
      await barrier.arrive();
      const given = all.map((row, r) => row.slice(0, used[r]));
      // No rank writes again before every rank has read.
      await barrier.arrive();
      return given;
    },
    async close(lost) {
      if (lost !== undefined) barrier.breakFor(lost.rank);
    },
    breakFor: (gone) => barrier.breakFor(gone),
  };
}

/** Numbers that are summed in one go: few enough to stay in the first cache. */
const BLOCK = 2048;

function sumRange(
  rows: readonly Numbers[],
  into: Numbers,
  [from, to]: readonly [number, number],
): void {
  const [first, second] = rows;
  if (second === undefined) {
    into.set(first!.subarray(from, to), from);
    return;
  }
  if (rows.length === 2) {
    if (typeOfNumbers(into) === 'float32') {
      addPairs(first as Float32Array, second as Float32Array, into as Float32Array, from, to);
    } else {
      for (let i = from; i < to; i++) into[i] = first![i]! + second[i]!;
    }
    return;
  }
  const sums = new Float64Array(BLOCK);
  for (let start = from; start < to; start += BLOCK) {
    const count = Math.min(BLOCK, to - start);
    sums.fill(0);
    for (const row of rows) for (let i = 0; i < count; i++) sums[i]! += row[start + i]!;
    into.set(sums.subarray(0, count), start);
  }
}

/** Apart, so that the compiler sees one type of array only. */
function addPairs(
  a: Float32Array,
  b: Float32Array,
  into: Float32Array,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) into[i] = a[i]! + b[i]!;
}
