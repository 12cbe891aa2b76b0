/**
 * From counts to promises: a temperature for the probability, and by hospital the threshold of its prediction sets.
 *
 * Split conformal prediction (Vovk; Papadopoulos, 2002) with the margin of the wrong side as score: an outcome
 * is in the set unless the logit speaks against it by more than the threshold. The threshold is the ⌈c(n+1)⌉-th
 * score, rounded up to its bin's border, so that bins can only make a set larger. Temperature keeps the order of
 * logits, so it changes no set.
 */
import { BINS, EDGES, middleOf, sum, totalOf, type SiteCounts } from './counts.ts';

/** Promised share of patients whose set holds their outcome. */
export const COVERAGE = 0.9;
/**
 * Standard deviation of ln T before any patient is seen. With 150 patients the estimate errs by about as much, so
 * it moves T half of the way.
 */
const PRIOR_DEVIATION = 0.2;
const TEMPERATURES = Array.from({ length: 401 }, (_, i) => Math.exp((i - 200) / 100));

export interface Threshold {
  /** An outcome stays in the set while the logit speaks against it by no more; absent: nothing can be excluded. */
  readonly margin: number | null;
  /** Patients that it was calibrated on. */
  readonly patients: number;
}

export function thresholdOf(counts: SiteCounts): Threshold {
  const patients = Math.max(0, Math.round(totalOf(counts)));
  // Noise may take away ranks: the sum of all bins errs by σ√bins, which is added.
  const guard = counts.noise * Math.sqrt(2 * BINS);
  const rank = Math.ceil(COVERAGE * (patients + 1) + guard);
  if (rank > patients) return { margin: null, patients };
  // The score of an ill patient is −logit, of a well one logit. Borders are symmetric, so bins mirror.
  let below = 0;
  for (let bin = 0; bin < BINS; bin++) {
    below += counts.well[bin]! + counts.ill[BINS - 1 - bin]!;
    if (below >= rank) return { margin: EDGES[bin] ?? null, patients };
  }
  return { margin: null, patients };
}

export type Outcome = 'ill' | 'well';

/** @param logit before temperature. */
export function setOf(logit: number, { margin }: Threshold): readonly Outcome[] {
  const against: Readonly<Record<Outcome, number>> = { ill: -logit, well: logit };
  return (['ill', 'well'] as const).filter(
    (outcome) => margin === null || against[outcome] <= margin,
  );
}

/** The divisor of logits that makes probabilities honest over all hospitals (Guo et al., 2017), shrunk towards 1. */
export function temperatureOf(sites: readonly SiteCounts[]): number {
  const bins = Array.from({ length: BINS }, (_, bin) => ({
    logit: middleOf(bin),
    well: Math.max(0, sum(sites.map(({ well }) => well[bin]!))),
    ill: Math.max(0, sum(sites.map(({ ill }) => ill[bin]!))),
  }));
  const loss = (temperature: number): number =>
    bins.reduce(
      (all, { logit, well, ill }) =>
        all + ill * softplus(-logit / temperature) + well * softplus(logit / temperature),
      Math.log(temperature) ** 2 / (2 * PRIOR_DEVIATION ** 2),
    );
  return TEMPERATURES.reduce((best, each) => (loss(each) < loss(best) ? each : best), 1);
}

export function probabilityOf(logit: number, temperature: number): number {
  return 1 / (1 + Math.exp(-logit / temperature));
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
