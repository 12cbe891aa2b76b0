/**
 * Aggregates that a few dishonest sites cannot move far. They look at single updates, so they are for
 * federations without secure sums only: a sum hides what they would have to see.
 */
import { dataError } from '../../train-error.ts';

/** Updates of one length, one for each site. */
export type Updates = readonly Float32Array[];

/** Which aggregate, and what it has to stand. */
export type RobustRule =
  | { readonly name: 'median' }
  /** Up to so many sites may be dishonest. */
  | { readonly name: 'trimmed-mean' | 'krum'; readonly dishonest: number }
  /** L2 norm that a longer update is shortened to. */
  | { readonly name: 'norm-bound'; readonly norm: number };

const RULES: {
  readonly [N in RobustRule['name']]: {
    readonly fewest: (rule: Extract<RobustRule, { name: N }>) => number;
    readonly aggregate: (updates: Updates, rule: Extract<RobustRule, { name: N }>) => Float32Array;
  };
} = {
  median: { fewest: () => 1, aggregate: median },
  'trimmed-mean': {
    fewest: ({ dishonest }) => 2 * dishonest + 1,
    aggregate: (updates, { dishonest }) => trimmedMean(updates, dishonest),
  },
  krum: {
    fewest: ({ dishonest }) => 2 * dishonest + 3,
    aggregate: (updates, { dishonest }) => krum(updates, dishonest),
  },
  'norm-bound': {
    fewest: () => 1,
    aggregate: (updates, { norm }) => normBoundedMean(updates, norm),
  },
};

export const ROBUST_NAMES = ['median', 'trimmed-mean', 'krum', 'norm-bound'] as const;

/** Updates that a rule needs at least. */
export function fewestUpdates(rule: RobustRule): number {
  return (RULES[rule.name].fewest as (of: RobustRule) => number)(rule);
}

/** Update that the server follows in place of the mean by weight. @throws TrainError `data` for too few updates, or flawed ones. */
export function robustUpdate(updates: Updates, rule: RobustRule): Float32Array {
  const { aggregate } = RULES[rule.name];
  return (aggregate as (updates: Updates, of: RobustRule) => Float32Array)(updates, rule);
}

/** Number by number the median: Yin et al., "Byzantine-Robust Distributed Learning" (ICML 2018). */
export function median(updates: Updates): Float32Array {
  return byNumber(updates, (sorted) => {
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  });
}

/** Number by number the mean without the `trimmed` smallest and the `trimmed` largest (Yin et al. 2018). */
export function trimmedMean(updates: Updates, trimmed: number): Float32Array {
  if (!(Number.isSafeInteger(trimmed) && trimmed >= 0 && 2 * trimmed < updates.length)) {
    refuse(`${updates.length} updates do not leave any after ${trimmed} at either end`);
  }
  return byNumber(updates, (sorted) => {
    let sum = 0;
    for (let i = trimmed; i < sorted.length - trimmed; i++) sum += sorted[i]!;
    return sum / (sorted.length - 2 * trimmed);
  });
}

/**
 * The update that is closest to its n − f − 2 nearest neighbours, where f sites may be dishonest:
 * Blanchard et al., "Machine Learning with Adversaries" (NeurIPS 2017).
 */
export function krum(updates: Updates, dishonest: number): Float32Array {
  const neighbours = updates.length - dishonest - 2;
  if (
    !(
      Number.isSafeInteger(dishonest) &&
      dishonest >= 0 &&
      neighbours >= 1 &&
      updates.length > 2 * dishonest + 2
    )
  ) {
    refuse(`${dishonest} dishonest sites need ${2 * dishonest + 3} updates, not ${updates.length}`);
  }
  assertLengths(updates);
  const scores = updates.map((one, i) => {
    const distances = updates.filter((_, j) => j !== i).map((other) => squaredDistance(one, other));
    return distances
      .sort((a, b) => a - b)
      .slice(0, neighbours)
      .reduce((sum, each) => sum + each, 0);
  });
  return updates[scores.indexOf(Math.min(...scores))]!.slice();
}

/** The mean of updates that are each shortened to a norm: Sun et al., "Can You Really Backdoor Federated Learning?" (2019). */
export function normBoundedMean(updates: Updates, norm: number): Float32Array {
  if (!(norm > 0 && norm < Infinity)) refuse(`the norm ${norm} is not above 0`);
  const factors = updates.map((update) => {
    const length = Math.sqrt(update.reduce((sum, x) => sum + x * x, 0));
    return norm / Math.max(length, norm) / updates.length;
  });
  assertLengths(updates);
  return updates[0]!.map((_, i) =>
    updates.reduce((sum, update, site) => sum + update[i]! * factors[site]!, 0),
  );
}

function byNumber(updates: Updates, pick: (sorted: Float32Array) => number): Float32Array {
  assertLengths(updates);
  const numbers = new Float32Array(updates.length);
  return updates[0]!.map((_, i) => {
    updates.forEach((update, site) => (numbers[site] = update[i]!));
    return pick(numbers.sort());
  });
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

function assertLengths(updates: Updates): void {
  const [first] = updates;
  if (first === undefined) refuse('there is no update');
  const odd = updates.findIndex(({ length }) => length !== first.length);
  if (odd >= 0) refuse(`update ${odd} has ${updates[odd]!.length} numbers, not ${first.length}`);
  const flawed = updates.findIndex((update) => !update.every(Number.isFinite));
  if (flawed >= 0) refuse(`update ${flawed} has numbers that are not finite`);
}

function refuse(why: string): never {
  throw dataError(`Robust aggregation: ${why}.`);
}
