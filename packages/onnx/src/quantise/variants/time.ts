/**
 * Times a variant next to the float model: runs of the two alternate, so that a machine that becomes
 * slower meanwhile slows both.
 *
 * The time of a model is the lower quartile of its runs. On a busy machine the median measures how
 * often a run is interrupted; the least of all is one lucky run.
 */
import { withOpen, type Evaluator, type OpenModel } from '../evaluator.ts';
import type { Model } from '../../model/model.ts';
import type { TensorMap } from '../../tensor/tensor.ts';

export interface Timing {
  /** Milliseconds of a run of the variant. */
  readonly ms: number;
  readonly floatMs: number;
  /** Time of the variant over the float model's: below 1 is faster. */
  readonly ratio: number;
  /** Pairs that were measured. */
  readonly pairs: number;
}

/** Runs before the measurement: the first ones allocate, and warm caches. */
const WARM_UP = 3;
const LEAST_PAIRS = 16;
const MOST_PAIRS = 301;
/** A sample of less is within the resolution of clocks and the noise of calls; it has more runs. */
const LEAST_SAMPLE_MS = 0.5;

/**
 * @param budgetMs time of the measurement, unless the least number of pairs takes longer.
 * @throws every error of the evaluator.
 */
export async function timePair(
  evaluator: Evaluator,
  float: Model,
  variant: Model,
  feeds: TensorMap,
  budgetMs: number,
): Promise<Timing> {
  return withOpen(evaluator, float, (slow) =>
    withOpen(evaluator, variant, async (fast) => {
      const warm = Math.max(await sampleOf(slow, feeds, WARM_UP), Number.MIN_VALUE);
      await sampleOf(fast, feeds, WARM_UP);
      const repeats = Math.max(1, Math.ceil((LEAST_SAMPLE_MS * WARM_UP) / warm));
      const floats: number[] = [];
      const variants: number[] = [];
      const began = performance.now();
      while (
        floats.length < LEAST_PAIRS ||
        (floats.length < MOST_PAIRS && performance.now() - began < budgetMs)
      ) {
        // The second of a pair finds warmer or colder caches: each is second in every other pair.
        if (floats.length % 2 === 0) {
          floats.push((await sampleOf(slow, feeds, repeats)) / repeats);
          variants.push((await sampleOf(fast, feeds, repeats)) / repeats);
        } else {
          variants.push((await sampleOf(fast, feeds, repeats)) / repeats);
          floats.push((await sampleOf(slow, feeds, repeats)) / repeats);
        }
      }
      const [ms, floatMs] = [lowerQuartile(variants), lowerQuartile(floats)];
      return { ms, floatMs, ratio: ms / floatMs, pairs: floats.length };
    }),
  );
}

async function sampleOf(open: OpenModel, feeds: TensorMap, runs: number): Promise<number> {
  const from = performance.now();
  for (let run = 0; run < runs; run++) await open.run(feeds);
  return performance.now() - from;
}

function lowerQuartile(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 4)]!;
}
