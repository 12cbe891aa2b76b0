/** What a fuzz target is: a function that reads bytes from a stranger, and how such bytes are made. */
import type { Random } from './random.ts';

export interface Target {
  /** Inputs that are right: every other one is made of them. */
  readonly seeds: readonly Uint8Array[];
  readonly structure: Structure;
  /**
   * Gives the input to the code under test.
   * @throws whatever that throws, or an error of its own where an answer is wrong.
   */
  readonly run: (input: Uint8Array) => unknown;
  /** Whether an error is one that the code under test documents: a refusal, not a finding. */
  readonly refuses: (error: unknown) => boolean;
  readonly bounds?: Partial<Bounds>;
  readonly close?: () => Promise<void>;
}

/** What one input may cost. */
export interface Bounds {
  /** Milliseconds of processor time; the best of three tries counts. */
  readonly timeMs: number;
  /** Bytes by which the peak of the process may grow. */
  readonly memoryBytes: number;
}

export const DEFAULT_BOUNDS: Bounds = { timeMs: 1000, memoryBytes: 256 * 2 ** 20 };

/** How the bytes of a target are built: what changes are likely to get past its first check. */
export interface Structure {
  /** A new input, made of one or two of the seeds. */
  mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array;
  /** Smaller inputs that may still show the same, the smallest first. */
  shrink(input: Uint8Array): Iterable<Uint8Array>;
}
