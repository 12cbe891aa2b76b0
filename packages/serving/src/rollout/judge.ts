/**
 * Judges a new version by comparing it with the old one over the same time.
 *
 * A share of failed, late or defective answers counts against the version if it exceeds both what
 * the plan or the objective allows and the share of the old version: a caller with invalid inputs,
 * or a busy machine, affects both alike. With few requests a share means little, so it must also be
 * improbable (1 %, one-sided binomial test) to count as bad. A share above the bound that is not
 * improbable is doubtful, and a doubtful step does not end.
 */
import { ERRORS, type ErrorCode, type RolloutPlan } from '@skein/api';
import type { TargetSnapshot } from '../contract.ts';

/** Counts since a point in time; they only grow. */
export interface Counts {
  readonly requests: number;
  /** Failed because of the version or its input. */
  readonly errors: number;
  /** Answered after their deadline, or refused for load. */
  readonly late: number;
  /** Answered with NaN, infinity, or outputs of another type or rank than the old version's. */
  readonly odd: number;
}

/** Result of a shadow; outputs without a number between them differ by `Number.MAX_VALUE`. */
export interface Comparison {
  readonly compared: number;
  readonly differing: number;
  readonly maxDifference: number;
}

export interface Evidence {
  readonly candidate: Counts;
  readonly stable: Counts;
  readonly comparison?: Comparison | undefined;
}

export interface Verdict {
  readonly opinion: 'good' | 'bad' | 'doubtful' | 'unknown';
  readonly reason: string;
}

export const NOTHING: Counts = { requests: 0, errors: 0, late: 0, odd: 0 };

/** Probability below which bad luck is not an explanation. */
export const SIGNIFICANCE = 0.01;

/**
 * @param step events since the step began; `stable` since the rollout began, because at the last
 *   step the old version gets no traffic.
 * @param quantile share of requests that the objective requires to be answered in time.
 * @param significance smaller where many judgements are made of one version.
 */
export function judge(
  step: Evidence,
  plan: RolloutPlan,
  quantile: number,
  significance: number = SIGNIFICANCE,
): Verdict {
  const { candidate, stable, comparison } = step;
  if (plan.tolerance !== undefined && comparison && comparison.maxDifference > plan.tolerance) {
    return {
      opinion: 'bad',
      reason: `its outputs differ by up to ${short(comparison.maxDifference)}, more than the tolerance of ${plan.tolerance}`,
    };
  }
  if (candidate.requests < plan.minRequests) {
    return {
      opinion: 'unknown',
      reason: `${candidate.requests} of ${plan.minRequests} requests seen`,
    };
  }
  const comparable = stable.requests >= plan.minRequests;
  const questions = [
    {
      what: 'failed',
      count: candidate.errors,
      allowed: plan.maxErrorShare,
      old: comparable ? stable.errors / stable.requests : 0,
    },
    {
      what: 'missed the objective',
      count: candidate.late,
      allowed: 1 - quantile,
      old: comparable ? stable.late / stable.requests : 0,
    },
    {
      what: 'were answered with NaN, infinity or another kind of output',
      count: candidate.odd,
      allowed: plan.maxErrorShare,
      old: comparable ? stable.odd / stable.requests : 0,
    },
  ];
  let doubt: Verdict | undefined;
  for (const { what, count, allowed, old } of questions) {
    const bound = Math.max(allowed, old);
    if (count / candidate.requests <= bound) continue;
    const reason =
      `${count} of ${candidate.requests} requests ${what}, more than the ${percent(allowed)} allowed` +
      (comparable ? ` and the ${percent(old)} of the old version` : '');
    if (isImprobable(count, candidate.requests, bound, significance))
      return { opinion: 'bad', reason };
    doubt ??= { opinion: 'doubtful', reason };
  }
  return (
    doubt ?? {
      opinion: 'good',
      reason:
        `${candidate.requests} requests, ${candidate.errors} failed, ${candidate.late} late` +
        (comparison
          ? `; ${comparison.compared} compared, ${comparison.differing} differ by up to ${short(comparison.maxDifference)}`
          : ''),
    }
  );
}

/** Sorts a target's counters into the categories of a verdict; defects of answers are counted elsewhere. */
export function countsOf({ answered, answeredInTime, refused }: TargetSnapshot): Counts {
  let errors = 0;
  let shed = 0;
  for (const code in refused) {
    if (code === 'CANCELLED') continue;
    const { kind } = ERRORS[code as ErrorCode];
    if (kind === 'load' && code !== 'REPLICA_LOST') shed += refused[code]!;
    else errors += refused[code]!;
  }
  return {
    requests: answered + errors + shed,
    errors,
    late: answered - answeredInTime + shed,
    odd: 0,
  };
}

export function addCounts(a: Counts, b: Counts): Counts {
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    late: a.late + b.late,
    odd: a.odd + b.odd,
  };
}

export function countsSince(now: Counts, then: Counts): Counts {
  return {
    requests: now.requests - then.requests,
    errors: now.errors - then.errors,
    late: now.late - then.late,
    odd: now.odd - then.odd,
  };
}

export function addComparisons(
  a: Comparison | undefined,
  b: Comparison | undefined,
): Comparison | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    compared: a.compared + b.compared,
    differing: a.differing + b.differing,
    maxDifference: Math.max(a.maxDifference, b.maxDifference),
  };
}

/** Whether `count` or more of `n` has a smaller probability than the significance, if each happens with `share`. */
export function isImprobable(
  count: number,
  n: number,
  share: number,
  significance: number = SIGNIFICANCE,
): boolean {
  if (count <= n * share) return false;
  if (share <= 0) return count > 0;
  if (share >= 1) return false;
  const deviation = Math.sqrt(n * share * (1 - share));
  const z = (count - 0.5 - n * share) / deviation;
  // The normal approximation is close for large expectations, and certain far outside.
  if (n * share >= 50 || z > 40) return normalTail(z) < significance;
  // P(X < count), summed from P(X = 0) upwards.
  let term = n * Math.log1p(-share);
  const odds = Math.log(share / (1 - share));
  let below = 0;
  for (let k = 0; k < count; k++) {
    below += Math.exp(term);
    term += Math.log((n - k) / (k + 1)) + odds;
  }
  return 1 - below < significance;
}

/** P(Z > z) of the normal distribution by Laplace's continued fraction; exact to 1 % from z = 2. */
function normalTail(z: number): number {
  if (z < 2) return 1;
  let fraction = z;
  for (let k = 12; k > 0; k--) fraction = z + k / fraction;
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / fraction;
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100} %`;
}

function short(value: number): string {
  if (value === Number.MAX_VALUE) return 'more than any number';
  return value === 0 ? '0' : Number(value.toPrecision(3)).toString();
}
