/** How a member comes to take part in a rollout that another one has started. */
import type { DeploymentRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import { RolloutRun } from './rollout-run.ts';

/** Whether the rollout of a row is in progress, and this node serves the deployment and does not take part yet. */
export function canJoin(
  { deployments, peers, runs }: ServingContext,
  { name, rollout, unloaded }: DeploymentRecord,
): boolean {
  if (rollout === undefined || unloaded === true || peers === undefined) return false;
  if (rollout.phase === 'finished' || rollout.phase === 'rolled-back') return false;
  return deployments.get(name)?.main !== undefined && !runs.has(name);
}

/**
 * Takes part in the rollout of a row, if this node can. It is to be called within a change of the
 * deployment: another one would replace the version that the rollout returns to.
 * @throws SkeinError as `registry.version`.
 */
export async function joinRollout(context: ServingContext, row: DeploymentRecord): Promise<void> {
  const deployment = context.deployments.get(row.name);
  if (deployment !== undefined && canJoin(context, row)) {
    await RolloutRun.join(context, deployment, row);
  }
}
