/**
 * The interface of a fuzz target: a function that reads untrusted bytes, and the structure of such
 * bytes.
 */
import type { Random } from './random.ts';

export interface Target {
  /** Valid inputs: every generated input is made from them. */
  readonly seeds: readonly Uint8Array[];
  readonly structure: Structure;
  /**
   * Gives the input to the code under test.
   * @throws the error of that code, or an error of its own when a result is wrong.
   */
  readonly run: (input: Uint8Array) => unknown;
  /** Whether an error is one that the code under test documents: a refusal, not a finding. */
  readonly refuses: (error: unknown) => boolean;
  /** Bounds of every input, or by the input's size. */
  readonly bounds?: Partial<Bounds> | ((input: Uint8Array) => Partial<Bounds>);
  readonly close?: () => Promise<void>;
}

/** The bounds of one input. */
export interface Bounds {
  /** Milliseconds of processor time; the best of three tries counts. */
  readonly timeMs: number;
  /** Bytes by which the peak of the process may grow. */
  readonly memoryBytes: number;
}

export const DEFAULT_BOUNDS: Bounds = { timeMs: 1000, memoryBytes: 256 * 2 ** 20 };

/** The structure of a target's bytes: decides which changes are likely to pass its first check. */
export interface Structure {
  /** A new input, made from one or two seeds. */
  mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array;
  /** Smaller inputs that may still show the same finding, the smallest first. */
  shrink(input: Uint8Array): Iterable<Uint8Array>;
}
