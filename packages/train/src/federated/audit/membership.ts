/**
 * Scores of rows for having been in a federated training, from the view of every participant: the parameters
 * before each round, and so the noisy sum of gradients that led to the next.
 *
 * The sum of round r is Σᵢ bᵢ · uᵢᵣ + others + noise, where uᵢᵣ is the clipped gradient of row i, which the
 * auditor computes, and bᵢ whether it was in. The scores are a ridge regression of b on all rounds, around the prior ½:
 * (G + λ)⁻¹ Σᵣ Uᵣ (sᵣ − ½ Σᵢ uᵢᵣ) with G = Σᵣ Uᵣ Uᵣᵀ. λ is small compared with G, not as large as the noise that is claimed: an
 * auditor searches for less noise, and must then separate gradients that all rows have in common.
 */
import { batcher } from '../../data/batcher.ts';
import { openClipped, type ClippedStep } from '../../privacy/clipped-step.ts';
import type { PrivateTrainingOptions } from '../training/private-training.ts';

export interface SeenRound {
  /** Parameters that sites trained from, [length]. */
  readonly parameters: Float32Array;
  /** −Σ of clipped gradients with noise, [length]. */
  readonly sum: ArrayLike<number>;
}

export interface MembershipOptions extends Pick<
  PrivateTrainingOptions,
  'backend' | 'rows' | 'mask' | 'norm'
> {
  /** Step of one row. */
  readonly step: ClippedStep;
}

/** λ over the mean of the diagonal of G. */
const RIDGE = 0.1;

/** @returns an estimate of b for each row: about 1 where it was in, 0 where it was not. */
export async function membershipScores(
  rounds: readonly SeenRound[],
  { backend, step, rows, mask, norm }: MembershipOptions,
): Promise<Float64Array> {
  const { count } = rows;
  const inputs = step.inputs.map(({ name }) => name).filter((name) => name !== mask);
  const batches = batcher(rows, { size: 1, inputs, mask });
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const session = await openClipped(step, backend);
  const gram = Array.from({ length: count }, () => new Float64Array(count));
  const seen = new Float64Array(count);
  try {
    for (const { parameters, sum } of rounds) {
      const gradients: Float32Array[] = [];
      const rest = Float64Array.from(sum);
      for (let i = 0; i < count; i += 1) {
        const found = await session.run(batches.fill(order, i).tensors, parameters, norm);
        const u = found.sum.map((each) => -each);
        u.forEach((each, at) => (rest[at] = rest[at]! - each / 2));
        gradients.push(u);
      }
      for (let i = 0; i < count; i += 1) {
        seen[i] = seen[i]! + dot(gradients[i]!, rest);
        const row = gram[i]!;
        for (let j = 0; j <= i; j += 1) row[j] = row[j]! + dot(gradients[i]!, gradients[j]!);
      }
    }
  } finally {
    await session.close();
  }
  const size = gram.reduce((sum, row, i) => sum + row[i]!, 0) / count;
  const ridge = RIDGE * size + 1e-9 * norm ** 2;
  for (let i = 0; i < count; i += 1) gram[i]![i] = gram[i]![i]! + ridge;
  return solved(gram, seen).map((each) => each + 0.5);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

/** Solves A x = b for the lower half of a positive definite A, in place (Cholesky). */
function solved(a: readonly Float64Array[], b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let rest = a[i]![j]!;
      for (let k = 0; k < j; k += 1) rest -= a[i]![k]! * a[j]![k]!;
      a[i]![j] = i === j ? Math.sqrt(rest) : rest / a[j]![j]!;
    }
  }
  const x = b.slice();
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) x[i] = x[i]! - a[i]![k]! * x[k]!;
    x[i] = x[i]! / a[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) x[i] = x[i]! - a[k]![i]! * x[k]!;
    x[i] = x[i]! / a[i]![i]!;
  }
  return x;
}
