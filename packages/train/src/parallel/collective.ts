/**
 * What ranks do together. All of them call the same operations in the same order; each operation ends
 * when every rank has made its contribution, and fails with `RankLost` when one never does.
 *
 * Two kinds stand behind it: threads, which share memory, and a ring of sockets. Sums are taken in an
 * order that depends on nothing but the number of ranks, and every rank gets the same bits.
 */
import type { FloatType } from '../optimisers/updates.ts';
import { TrainError } from '../train-error.ts';
import type { Numbers } from './numbers.ts';

export interface Collective {
  /** From 0, which is the leader: what it has counts at the start, and it decides when to stop. */
  readonly rank: number;
  /** Ranks in all. */
  readonly size: number;
  /**
   * Whether parts of the numbers may be summed while others are computed, in which case memory is
   * shared; and whether that is worth it, as it is between machines.
   */
  readonly overlap: 'none' | 'possible' | 'worthwhile';
  /** Memory for this rank's own numbers, zero at first. */
  own(type: FloatType, length: number): Numbers;
  /** Memory that ranks which share memory have only one of; the others have one each. Zero at first. */
  common(type: FloatType, length: number): Numbers;
  /**
   * The range of common numbers that this rank is to write: the parts of all ranks that share memory
   * are the whole.
   */
  part(length: number): readonly [from: number, to: number];
  /**
   * Adds up the numbers of all ranks.
   * @param own what `own` gave; unchanged.
   * @param into what `common` gave, of the same type and length: the sums, until the next `sum` into it.
   *   Where an overlap is possible, both may be parts of that.
   */
  sum(own: Numbers, into: Numbers): Promise<void>;
  /** Waits until every rank has written its part of common memory. */
  publish(): Promise<void>;
  /**
   * Gives everyone what each rank has in its own memory.
   * @param used numbers at the start of `own` to give; may differ between ranks.
   * @returns by rank; valid until the next operation.
   */
  gather(own: Numbers, used: number): Promise<readonly Numbers[]>;
  /** @param lost the rank because of which there is no going on: the others are told. */
  close(lost?: RankLost): Promise<void>;
}

/** A rank that never arrived, went away or stopped answering. */
export class RankLost extends TrainError {
  readonly rank: number;

  constructor(rank: number, what: string, options?: ErrorOptions) {
    super('rank', `Rank ${rank} ${what}`, options);
    this.rank = rank;
  }
}

/** The numbers [0, length) in as many ranges as equal as can be. */
export function share(length: number, rank: number, size: number): readonly [number, number] {
  const border = (index: number) => Math.floor((length * index) / size);
  return [border(rank), border(rank + 1)];
}
