/** A rollout in the row of its deployment, where a fleet follows it. */
import type { RolloutRecord, State } from '@skein/state';
import type { Instant } from '../contract.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { Rollout } from './rollout.ts';

/** Whether the version takes over at this step. */
export function isTaken({ phase, plan }: Rollout): boolean {
  return phase === 'finished' && plan.strategy !== 'shadow';
}

/**
 * The row at a step of a rollout.
 *
 * @param details `settings` apply once the version has taken over.
 * @param isShared whether other members follow it there; alone, the row belongs to the version that takes over.
 */
export function rowOf(
  { name, settings }: Deployment,
  next: Rollout,
  details: Pick<RolloutRecord, 'id' | 'startedAt' | 'settings'>,
  isShared: boolean,
): Parameters<State['putDeployment']>[0] {
  const { plan, from, to, phase, step, reason } = next;
  const rollout = isShared ? { ...details, plan, from, to, phase, step, reason } : undefined;
  if (!isTaken(next)) return { name, settings, targets: from, rollout };
  const targets = [{ version: to, weight: 100 }];
  return { name, settings: details.settings, targets, rollout };
}

/** The step is held from when this member has seen it: a new leader begins its time again. */
export function rolloutOf(stored: RolloutRecord, now: Instant): Rollout {
  const { plan, settings, from, to, phase, step, reason } = stored;
  const { quantile } = settings.objective;
  return { plan, quantile, from, to, phase, step, stepStartedAt: now, reason };
}
