/**
 * Measurements of a rollout by all members of a fleet, as one piece of evidence. A node alone is a
 * fleet of one window.
 *
 * Each member reports counts of its own: of the new version since it entered the current step, and
 * of the old version since the first step. Windows of an earlier step are left out, so no member's
 * counts are weighed twice, and a new leader weighs what the members still hold.
 *
 * Two questions decide. Does the version do worse over the whole fleet? Does it do worse on one
 * member, whose share is too small to show in the sum? Each member is one more chance for bad luck to
 * look like a defect, so alone a member must be as many times more improbable as there are members
 * (Bonferroni's bound).
 */
import type { RolloutPlan } from '@skein/api';
import { digestQuantile, type LatencyDigest } from '@skein/api/latency-buckets';
import {
  addComparisons,
  addCounts,
  judge,
  NOTHING,
  SIGNIFICANCE,
  type Comparison,
  type Counts,
  type Evidence,
  type Verdict,
} from './judge.ts';

/** Measurements of one member; bounded, whatever its traffic. */
export interface RolloutWindow extends Evidence {
  /** The step of the plan that it carries out. */
  readonly step: number;
  /** Latencies of answers, for the same time as the counts. */
  readonly latency?:
    | { readonly candidate: LatencyDigest; readonly stable: LatencyDigest }
    | undefined;
}

/** Windows by the name of their member. */
export type RolloutWindows = ReadonlyMap<string, RolloutWindow>;

/** The sum of the windows that belong to a step. */
export function evidenceOf(windows: RolloutWindows, step: number): Evidence {
  let candidate: Counts = NOTHING;
  let stable: Counts = NOTHING;
  let comparison: Comparison | undefined;
  for (const window of windows.values()) {
    stable = addCounts(stable, window.stable);
    comparison = addComparisons(comparison, window.comparison);
    if (window.step === step) candidate = addCounts(candidate, window.candidate);
  }
  return { candidate, stable, comparison };
}

/** Weighs the evidence of the whole fleet for one step. */
export function weigh(
  windows: RolloutWindows,
  step: number,
  plan: RolloutPlan,
  quantile: number,
): Verdict {
  const evidence = evidenceOf(windows, step);
  const fleet = judge(evidence, plan, quantile);
  if (fleet.opinion === 'bad' || windows.size < 2) return fleet;
  const significance = SIGNIFICANCE / windows.size;
  for (const [member, window] of windows) {
    if (window.step !== step) continue;
    const alone = judge(aloneWithin(window, evidence, plan), plan, quantile, significance);
    if (alone.opinion === 'bad') {
      return { opinion: 'bad', reason: `on member ${member}, ${alone.reason}` };
    }
  }
  return fleet;
}

/** A member is compared with its own old version; with the fleet's, if it has seen too little of it. */
function aloneWithin(
  window: RolloutWindow,
  fleet: Evidence,
  { minRequests }: RolloutPlan,
): Evidence {
  return window.stable.requests >= minRequests ? window : { ...window, stable: fleet.stable };
}

/** The p99 of the new and of the old version over all windows of a step, in milliseconds. */
export function p99Of(
  windows: RolloutWindows,
  step: number,
): { readonly candidateMs: number | null; readonly stableMs: number | null } {
  const candidate: LatencyDigest[] = [];
  const stable: LatencyDigest[] = [];
  for (const { latency, step: at } of windows.values()) {
    if (latency === undefined) continue;
    stable.push(latency.stable);
    if (at === step) candidate.push(latency.candidate);
  }
  return { candidateMs: digestQuantile(candidate, 0.99), stableMs: digestQuantile(stable, 0.99) };
}
