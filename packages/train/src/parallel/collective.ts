/**
 * Operations of all ranks together. All ranks call the same operations in the same order; each
 * operation ends when every rank has contributed, and fails with `RankLost` when one does not.
 *
 * There are two implementations: threads, which share memory, and a ring of sockets. Sums are taken
 * in an order that depends only on the number of ranks, and every rank gets the same bits.
 */
import type { FloatType } from '../optimisers/updates.ts';
import { TrainError } from '../train-error.ts';
import { bytesOf, bytesPerNumber, numbersIn, type Numbers } from './numbers.ts';

export interface Collective {
  /**
   * Rank number from 0. Rank 0 is the leader: its values are the initial ones, and it decides when
   * to stop.
   */
  readonly rank: number;
  /** Ranks in all. */
  readonly size: number;
  /**
   * Whether parts of the numbers may be summed while the rest is computed. Shared memory makes it
   * `possible`; links between machines make it `worthwhile`.
   */
  readonly overlap: 'none' | 'possible' | 'worthwhile';
  /** Memory for this rank's own numbers, zero at first. */
  own(type: FloatType, length: number): Numbers;
  /**
   * Memory that exists once for ranks that share memory, and once per rank otherwise. Initially
   * zero.
   */
  common(type: FloatType, length: number): Numbers;
  /**
   * The range of common numbers that this rank writes: the ranges of all ranks that share memory
   * cover all numbers.
   */
  part(length: number): readonly [from: number, to: number];
  /**
   * Adds up the numbers of all ranks.
   * @param own an array of `own`; unchanged.
   * @param into an array of `common`, of the same type and length: the sums, until the next `sum`
   * into it. Where an overlap is possible, both may be parts of such arrays.
   */
  sum(own: Numbers, into: Numbers): Promise<void>;
  /** Waits until every rank has written its part of common memory. */
  publish(): Promise<void>;
  /**
   * Gathers the values that each rank has in its own memory, on every rank.
   * @param used numbers at the start of `own` to give; may differ between ranks.
   * @returns by rank; valid until the next operation.
   */
  gather(own: Numbers, used: number): Promise<readonly Numbers[]>;
  /** @param lost the rank whose loss ends the training; it is reported to the peers. */
  close(lost?: RankLost): Promise<void>;
}

/** A rank that never arrived, disconnected or stopped answering. */
export class RankLost extends TrainError {
  readonly rank: number;

  constructor(rank: number, what: string, options?: ErrorOptions) {
    super('rank', `Rank ${rank} ${what}`, options);
    this.rank = rank;
  }
}

/** The numbers [0, length) in ranges whose lengths differ by at most one. */
export function share(length: number, rank: number, size: number): readonly [number, number] {
  const border = (index: number) => Math.floor((length * index) / size);
  return [border(rank), border(rank + 1)];
}

/** A single rank without peers: sums and gathered values are its own. */
export function alone(): Collective {
  const memory: Collective['own'] = (type, length) =>
    numbersIn(type, new ArrayBuffer(length * bytesPerNumber(type)), length);
  return {
    rank: 0,
    size: 1,
    overlap: 'none',
    own: memory,
    common: memory,
    part: (length) => [0, length],
    sum: async (own, into) => into.set(own),
    publish: async () => undefined,
    gather: async (own, used) => [own.slice(0, used)],
    close: async () => undefined,
  };
}

/** Gathers byte arrays of any length from all ranks, such as copies of a checkpoint. */
const PER_NUMBER = 4;

/**
 * Gathers the bytes of each rank on every rank; all ranks call it.
 * @throws RankLost when a rank is lost.
 */
export async function gatherBytes(
  collective: Collective,
  given: Uint8Array,
): Promise<readonly Uint8Array[]> {
  const { rank } = collective;
  const length = collective.own('float64', 1);
  length[0] = given.byteLength;
  const lengths = (await collective.gather(length, 1)).map(([each = 0]) => each);
  const numbersFor = (bytes: number) => Math.ceil(bytes / PER_NUMBER);
  // Copies between arrays of one type keep every bit, also of NaN.
  const own = collective.own('float32', Math.max(...lengths.map(numbersFor)));
  bytesOf(own).set(given);
  const all = await collective.gather(own, numbersFor(given.byteLength));
  return all.map((numbers, r) =>
    r === rank ? given : bytesOf(numbers).subarray(0, lengths[r]).slice(),
  );
}
