/** Compares the outputs of a graph with the values that they must have. */

export interface Difference {
  /** Largest difference of numbers, relative where they exceed one. */
  readonly largest: number;
  /** Labels that differ. */
  readonly labels: number;
}

/** Outputs agree up to this difference. */
export const TOLERANCE = 1e-5;

/** Labels may be texts. */
export type OutputValues = ArrayLike<number | bigint | string>;

/** @throws Error for an output that is missing or has another size. */
export function difference(
  expected: ReadonlyMap<string, OutputValues>,
  found: ReadonlyMap<string, OutputValues>,
): Difference {
  let largest = 0;
  let labels = 0;
  for (const [name, wanted] of expected) {
    const given = found.get(name);
    if (given?.length !== wanted.length) {
      throw new Error(
        `The output ${name} has ${given?.length ?? 'no'} values; it must have ${wanted.length}.`,
      );
    }
    for (let at = 0; at < wanted.length; at++) {
      if (name === 'label') {
        if (String(wanted[at]) !== String(given[at])) labels++;
        continue;
      }
      const [value, other] = [Number(wanted[at]), Number(given[at])];
      if (!Object.is(value, other) && value !== other)
        largest = Math.max(largest, distance(value, other));
    }
  }
  return { largest, labels };
}

function distance(value: number, other: number): number {
  const size = Math.abs(value - other) / Math.max(1, Math.abs(value));
  return Number.isNaN(size) ? Infinity : size;
}

export const agrees = ({ largest, labels }: Difference): boolean =>
  largest <= TOLERANCE && labels === 0;
