/**
 * What is known of the answers from a semantic cache: how many were used, and how many of those that
 * were compared with the model's own answer were false. They outlive the gateways of a process.
 *
 * Comparisons are kept by similarity, in steps of a hundredth, below the threshold too: they show
 * which threshold would have been right.
 */
export interface SemanticCounts {
  /** Of the model, now. */
  threshold: number;
  lookups: number;
  hits: number;
  /** Without a vector in time: the embedding model failed, was slow, or may not be used. */
  failed: number;
  readonly compared: Comparisons;
}

/** By similarity in hundredths, 0 to 100. */
export type Comparisons = { readonly same: Float64Array; readonly different: Float64Array };

export interface SemanticCache {
  /** Of a model, by its name; made where there is none. */
  of(model: string): SemanticCounts;
  all(): ReadonlyMap<string, SemanticCounts>;
}

const STEPS = 101;

export function createSemanticCounts(): SemanticCache {
  const models = new Map<string, SemanticCounts>();
  return {
    of(model) {
      let counts = models.get(model);
      if (counts === undefined) {
        const compared = { same: new Float64Array(STEPS), different: new Float64Array(STEPS) };
        models.set(model, (counts = { threshold: 1, lookups: 0, hits: 0, failed: 0, compared }));
      }
      return counts;
    },
    all: () => models,
  };
}

export function noteComparison(into: Comparisons, similarity: number, isSame: boolean): void {
  const step = Math.max(0, Math.min(STEPS - 1, Math.floor(similarity * 100 + 1e-6)));
  (isSame ? into.same : into.different)[step]! += 1;
}

/** Comparisons of answers whose questions were at least so similar. */
export function comparedFrom(
  { same, different }: Comparisons,
  threshold: number,
): { readonly compared: number; readonly different: number } {
  let [equal, unequal] = [0, 0];
  for (let step = Math.ceil(threshold * 100 - 1e-6); step < STEPS; step++) {
    equal += same[step]!;
    unequal += different[step]!;
  }
  return { compared: equal + unequal, different: unequal };
}

/** False answers that a suggested threshold may have let through, at most. */
const TOLERATED = 0.01;
/** Comparisons without which nothing is suggested: 1 in 100 must have had a chance to show. */
const LEAST_COMPARED = 100;

/** The lowest threshold above which at most 1 % of the comparisons differed; undefined: none, or too few. */
export function suggestedThreshold(comparisons: Comparisons): number | undefined {
  let suggested: number | undefined;
  for (let step = STEPS - 1; step >= 0; step--) {
    const { compared, different } = comparedFrom(comparisons, step / 100);
    if (compared < LEAST_COMPARED) continue;
    if (different > TOLERATED * compared) break;
    suggested = step / 100;
  }
  return suggested;
}
