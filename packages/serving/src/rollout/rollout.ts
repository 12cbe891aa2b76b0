/**
 * How a new version takes over, as a state machine without clocks or I/O.
 *
 *   warming ──warmed──▶ shifting (canary) ──last step held──▶ finished
 *      │                comparing (shadow) ─────────────────▶ finished, traffic unchanged
 *      │                (immediate) ────────────────────────▶ finished
 *      └─ cannot warm, aborted, or a verdict against it in any phase ─▶ rolled-back
 *
 * A step ends when it has held for `stepMs` and its version has had `minRequests` without a verdict
 * against it. Otherwise it ends after ten times `stepMs`: for the version if traffic was merely
 * low, against it if there was doubt. A rollout therefore always ends.
 */
import type { RolloutPlan, RolloutView, TrafficTarget } from '@skein/api';
import type { Instant } from '../contract.ts';
import { weigh, type RolloutWindows } from './windows.ts';

export interface Rollout {
  readonly plan: RolloutPlan;
  /** Share of requests that the objective requires to be answered in time. */
  readonly quantile: number;
  /** The split before the rollout, which a rollback restores. */
  readonly from: readonly TrafficTarget[];
  readonly to: string;
  readonly phase: RolloutView['phase'];
  /** Index into `plan.steps` while shifting or comparing. */
  readonly step: number;
  readonly stepStartedAt: Instant;
  readonly reason: string;
}

export type RolloutEvent =
  | { readonly kind: 'warmed' }
  | { readonly kind: 'observed'; readonly windows: RolloutWindows }
  | { readonly kind: 'failed'; readonly reason: string };

const LONGEST_STEP = 10;

/** Normalises the steps of a plan: rising, and a canary's ends with 100. */
export function normalisePlan(plan: RolloutPlan): RolloutPlan {
  const steps = [...new Set(plan.steps)].sort((a, b) => a - b);
  if (plan.strategy === 'canary' && steps.at(-1) !== 100) steps.push(100);
  return { ...plan, steps };
}

/** @param from must not contain `to`. */
export function beginRollout(
  plan: RolloutPlan,
  from: readonly TrafficTarget[],
  to: string,
  quantile: number,
  now: Instant,
): Rollout {
  return {
    plan: normalisePlan(plan),
    quantile,
    from,
    to,
    phase: 'warming',
    step: 0,
    stepStartedAt: now,
    reason: `version ${to} is loaded and warmed`,
  };
}

/** @returns the next state; the same object if nothing changes. */
export function advance(rollout: Rollout, event: RolloutEvent, now: Instant): Rollout {
  if (isOver(rollout)) return rollout;
  if (event.kind === 'failed') return rolledBack(rollout, event.reason);
  if (event.kind === 'warmed') return rollout.phase === 'warming' ? warmed(rollout, now) : rollout;
  return rollout.phase === 'warming' ? rollout : observed(rollout, event.windows, now);
}

function warmed(rollout: Rollout, now: Instant): Rollout {
  const { strategy, steps } = rollout.plan;
  if (strategy === 'immediate') {
    return {
      ...rollout,
      phase: 'finished',
      reason: `version ${rollout.to} was warm and took over`,
    };
  }
  return {
    ...rollout,
    phase: strategy === 'canary' ? 'shifting' : 'comparing',
    stepStartedAt: now,
    reason: stepReason(rollout, steps[0]!),
  };
}

function observed(rollout: Rollout, windows: RolloutWindows, now: Instant): Rollout {
  const { plan, step, to } = rollout;
  const verdict = weigh(windows, step, plan, rollout.quantile);
  if (verdict.opinion === 'bad') return rolledBack(rollout, `version ${to}: ${verdict.reason}`);
  const heldMs = now - rollout.stepStartedAt;
  if (heldMs < plan.stepMs) return rollout;
  if (verdict.opinion !== 'good') {
    if (heldMs < plan.stepMs * LONGEST_STEP) return rollout;
    if (verdict.opinion === 'doubtful') {
      return rolledBack(
        rollout,
        `version ${to}: still in doubt after ${heldMs} ms: ${verdict.reason}`,
      );
    }
  }
  const next = plan.steps[step + 1];
  if (next === undefined) {
    return { ...rollout, phase: 'finished', reason: `version ${to}: ${verdict.reason}` };
  }
  return {
    ...rollout,
    step: step + 1,
    stepStartedAt: now,
    reason: `${stepReason(rollout, next)}; before: ${verdict.reason}`,
  };
}

function rolledBack(rollout: Rollout, reason: string): Rollout {
  return { ...rollout, phase: 'rolled-back', reason };
}

function stepReason({ plan, to }: Rollout, share: number): string {
  return plan.strategy === 'canary'
    ? `version ${to} takes ${share} % of the traffic`
    : `${share} % of the traffic is copied to version ${to}`;
}

export function isOver({ phase }: Rollout): boolean {
  return phase === 'finished' || phase === 'rolled-back';
}

/** Percentage of traffic that the new version answers now. */
export function shareOf({ plan, phase, step }: Rollout): number {
  if (phase === 'shifting') return plan.steps[step]!;
  return phase === 'finished' && plan.strategy !== 'shadow' ? 100 : 0;
}

/** Most copies of a canary with a tolerance, as a fraction of the old version's traffic. */
const MAX_CANARY_COPIES = 0.1;

/**
 * Fraction of the old version's traffic, 0 to 1, that is copied to the new one now. A canary with a
 * tolerance compares too: about as many requests as it answers, up to a bound.
 */
export function copiedShareOf({ plan, phase, step }: Rollout): number {
  const share = plan.steps[step]! / 100;
  if (phase === 'comparing') return share;
  if (phase !== 'shifting' || plan.tolerance === undefined) return 0;
  return Math.min(share, MAX_CANARY_COPIES);
}

/** The current split in percent, without empty entries; the new version first, as a sticky split requires. */
export function trafficOf(rollout: Rollout): TrafficTarget[] {
  const share = shareOf(rollout);
  const total = rollout.from.reduce((sum, { weight }) => sum + weight, 0);
  const traffic: TrafficTarget[] = share > 0 ? [{ version: rollout.to, weight: share }] : [];
  for (const { version, weight } of rollout.from) {
    const rest = (weight / total) * (100 - share);
    if (rest > 0) traffic.push({ version, weight: rest });
  }
  return traffic;
}
