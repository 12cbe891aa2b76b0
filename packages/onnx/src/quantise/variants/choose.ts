/**
 * Chooses among measured variants. Pure.
 *
 * A variant is refused when it is slower than the float model on its target, larger than the budget,
 * or further from the float model than allowed. Of the others the one with the least product of size
 * and time is chosen: half the size counts as much as half the time. A budget of bytes may ask for a
 * variant that is slower; it is then chosen only if no faster one fits, and marked.
 */
export interface Measured {
  readonly name: string;
  readonly bytes: number;
  /** Relative error of the outputs. */
  readonly error: number;
  /** Points that the golden set falls by, in percent of its rows; absent where it takes no decisions. */
  readonly drop?: number | undefined;
  /** Time over the float model's on the target; absent: it does not run there. */
  readonly ratio?: number | undefined;
}

export interface Budget {
  readonly maxError: number;
  /** In points of percent. */
  readonly maxDrop: number;
  readonly maxBytes?: number | undefined;
}

export type Refusal = 'size' | 'error' | 'drop' | 'slower' | 'target';

export interface Choice {
  readonly chosen?: string | undefined;
  /** The size budget asked for a variant that is slower than the float model. */
  readonly isSlower: boolean;
  /** Why a variant was not eligible, by its name. */
  readonly refused: ReadonlyMap<string, Refusal>;
}

/** Ratios of one model to itself differ by as much between two measurements under load. */
export const SAME_SPEED = 1.05;

export function choose(variants: readonly Measured[], budget: Budget): Choice {
  const refused = new Map<string, Refusal>();
  for (const each of variants) {
    const reason = refusalOf(each, budget);
    if (reason !== undefined) refused.set(each.name, reason);
  }
  const eligible = variants.filter(({ name }) => !refused.has(name));
  const slower = variants.filter(({ name }) => refused.get(name) === 'slower');
  const isSlower = eligible.length === 0 && slower.length > 0 && budget.maxBytes !== undefined;
  const pool = isSlower ? slower : eligible;
  const cost = ({ bytes, ratio }: Measured): number => bytes * (ratio ?? Infinity);
  const best = pool.toSorted((a, b) => cost(a) - cost(b))[0];
  if (isSlower && best !== undefined) refused.delete(best.name);
  return { chosen: best?.name, isSlower, refused };
}

/** Speed comes last: a variant that is refused for it alone is what a budget of bytes may ask for. */
function refusalOf(
  { bytes, error, drop, ratio }: Measured,
  { maxError, maxDrop, maxBytes }: Budget,
): Refusal | undefined {
  if (maxBytes !== undefined && bytes > maxBytes) return 'size';
  if (!(error <= maxError)) return 'error';
  if (drop !== undefined && !(drop <= maxDrop)) return 'drop';
  if (ratio === undefined) return 'target';
  return ratio > SAME_SPEED ? 'slower' : undefined;
}
