/** How a member comes to take part in a rollout that another one has started. */
import type { DeploymentRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import { RolloutRun } from './rollout-run.ts';

/** Takes part in the rollout of a row, if one is in progress and this node serves the deployment. */
export function joinRollout(
  context: ServingContext,
  { name, rollout, unloaded, revision }: DeploymentRecord,
): void {
  const deployment = context.deployments.get(name);
  if (rollout === undefined || unloaded === true || deployment?.main === undefined) return;
  if (rollout.phase === 'finished' || rollout.phase === 'rolled-back') return;
  if (context.peers === undefined || context.runs.has(name)) return;
  RolloutRun.join(context, deployment, rollout, revision).catch((error: unknown) =>
    context.log('This member cannot take part in a rollout.', { deployment: name, error }),
  );
}
