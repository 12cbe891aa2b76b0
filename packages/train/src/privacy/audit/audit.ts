/**
 * An auditor of private training: it plants canaries, lets the training run, and guesses from the
 * release which canaries were in it. Guesses that are better than the claimed ε allows, or noise
 * that comes again, are violations.
 *
 * Two tests look at the same scores. *One run* (Steinke 2023) holds for any training. *LiRA* (Carlini
 * et al., "Membership Inference Attacks From First Principles", S&P 2022) compares two Gaussians,
 * fitted to half of the canaries, and counts its errors on the other half; it sees much smaller
 * faults, such as half of the noise.
 */
import { epsilonOf } from '../accountant.ts';
import type { Mechanism } from '../mechanism.ts';
import { secureRandom, type SecureRandom } from '../secure-random.ts';
import { dataError } from '../../train-error.ts';
import { gaussianEpsilon, oneRunEpsilon, type Guesses } from './bounds.ts';

export interface AuditTarget {
  readonly canaries: number;
  /** The spending that the training claims. */
  readonly claim: { readonly mechanisms: readonly Mechanism[]; readonly delta: number };
  /**
   * Trains once.
   * @param included whether each canary is in the training.
   * @returns a score for each canary from the release of the training; higher where it seems included.
   */
  run(included: readonly boolean[]): Promise<ArrayLike<number>>;
}

export interface AuditOptions {
  /** Confidence of each of the two bounds; default 0.999. */
  readonly confidence?: number;
  /** Share of the canaries about which one run guesses, half of them at each end; default 0.1. */
  readonly guesses?: number;
  readonly random?: SecureRandom;
}

export interface AuditReport {
  readonly verdict: 'holds' | 'violated';
  /** Why, for each violation. */
  readonly findings: readonly string[];
  /** The spending that the training claims. */
  readonly claimed: number;
  readonly delta: number;
  readonly confidence: number;
  readonly oneRun: Guesses & { readonly epsilon: number };
  readonly lira: {
    readonly falsePositives: Guesses;
    readonly falseNegatives: Guesses;
    readonly epsilon: number;
  };
  /** Whether a second run with the same canaries released the same numbers. */
  readonly repeats: boolean;
}

const FEWEST_CANARIES = 100;

/** @throws TrainError `data` for fewer than 100 canaries. */
export async function audit(target: AuditTarget, options: AuditOptions = {}): Promise<AuditReport> {
  const { canaries, claim } = target;
  const included = drawCanaries(canaries, options.random);
  const scores = await target.run(included);
  const again = await target.run(included);
  const claimed = epsilonOf(claim.mechanisms, claim.delta).epsilon;
  const report = judge({ scores, included, claimed, delta: claim.delta }, options);
  if (!included.every((_, i) => scores[i] === again[i])) return report;
  const repeated = 'A second run released the same numbers: the noise can be computed again.';
  const findings = [...report.findings, repeated];
  return { ...report, verdict: 'violated', findings, repeats: true };
}

/** Which canaries are in a training: each with probability ½. @throws TrainError `data` for fewer than 100. */
export function drawCanaries(canaries: number, random = secureRandom()): readonly boolean[] {
  if (canaries < FEWEST_CANARIES) {
    throw dataError(`${canaries} canaries are too few; take ${FEWEST_CANARIES} or more.`);
  }
  return Array.from({ length: canaries }, () => (random.uint32() & 1) === 1);
}

/** Observations of one training. */
export interface AuditedRun {
  /** Score of each canary; higher where it seems included. */
  readonly scores: ArrayLike<number>;
  readonly included: readonly boolean[];
  /** The ε that the training claims to have spent, at `delta`. */
  readonly claimed: number;
  readonly delta: number;
}

/** Guesses from the scores of one training, and computes what they rule out. */
export function judge(
  { scores, included, claimed, delta }: AuditedRun,
  { confidence = 0.999, guesses = 0.1 }: Omit<AuditOptions, 'random'> = {},
): AuditReport {
  const canaries = included.length;
  const bounds = { delta, confidence };
  const guessed = bestGuesses(scores, included, Math.floor((canaries * guesses) / 2));
  const oneRun = { ...guessed, epsilon: oneRunEpsilon(guessed, canaries, bounds) };
  const errors = likelihoodErrors(scores, included);
  const lira = {
    ...errors,
    epsilon: gaussianEpsilon(errors.falsePositives, errors.falseNegatives, bounds),
  };
  const findings = [
    ...(oneRun.epsilon > claimed ? [finding('One run', oneRun.epsilon, claimed)] : []),
    ...(lira.epsilon > claimed ? [finding('LiRA', lira.epsilon, claimed)] : []),
  ];
  const verdict = findings.length === 0 ? 'holds' : 'violated';
  return { verdict, findings, claimed, delta, confidence, oneRun, lira, repeats: false };
}

function finding(test: string, found: number, claimed: number): string {
  return `${test} shows an epsilon of at least ${found.toFixed(2)}, but ${claimed.toFixed(2)} is claimed.`;
}

/** Guesses "in" for the highest scores and "out" for the lowest. */
function bestGuesses(
  scores: ArrayLike<number>,
  included: readonly boolean[],
  each: number,
): Guesses {
  const order = [...included.keys()].sort((a, b) => scores[b]! - scores[a]!);
  const right =
    order.slice(0, each).filter((i) => included[i]!).length +
    order.slice(-each).filter((i) => !included[i]!).length;
  return { made: 2 * each, right };
}

/** Fits both Gaussians to the even canaries; tests the odd ones, for which both are as likely before. */
function likelihoodErrors(
  scores: ArrayLike<number>,
  included: readonly boolean[],
): { readonly falsePositives: Guesses; readonly falseNegatives: Guesses } {
  const pick = (parity: number, inside: boolean): number[] =>
    [...included.keys()]
      .filter((i) => i % 2 === parity && included[i] === inside)
      .map((i) => scores[i]!);
  const [inside, outside] = [gaussianOf(pick(0, true)), gaussianOf(pick(0, false))];
  const seemsIn = (score: number): boolean => inside(score) > outside(score);
  const [positives, negatives] = [pick(1, true), pick(1, false)];
  return {
    falsePositives: { made: negatives.length, right: negatives.filter(seemsIn).length },
    falseNegatives: {
      made: positives.length,
      right: positives.filter((score) => !seemsIn(score)).length,
    },
  };
}

/** The log density of the Gaussian with the numbers' mean and deviation, up to a constant. */
function gaussianOf(numbers: readonly number[]): (x: number) => number {
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length + 1e-12;
  return (x) => -((x - mean) ** 2) / (2 * variance) - Math.log(variance) / 2;
}
