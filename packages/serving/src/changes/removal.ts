/**
 * How a deployment ends: `unload` keeps its settings and targets for the next load, also across
 * restarts of the node; `undeploy` removes them. Both answer the accepted requests first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import type { HistoryEntry } from '@skein/state';
import { callersOf } from '../composition/call-graph.ts';
import { existing, type ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { retire } from './unloading.ts';

/** How long a removal waits for accepted requests; they are answered in any case. */
const REMOVAL_MS = 10_000;

interface Ending {
  readonly kind: Extract<HistoryEntry['kind'], 'unloaded' | 'undeployed'>;
  readonly reason: string;
  /** Why a rollout in progress is aborted. */
  readonly because: string;
}

export const UNLOADED: Ending = {
  kind: 'unloaded',
  reason: 'unloaded; its settings are kept for the next load',
  because: 'the deployment is unloaded',
};
const UNDEPLOYED: Ending = {
  kind: 'undeployed',
  reason: 'removed; its versions stay in the registry',
  because: 'the deployment is removed',
};

/** The parts of `changes.ts` that a removal needs. */
export interface ChangeControl {
  exclusively(name: string, change: () => Promise<void>): Promise<void>;
  /** Ends a change in progress without waiting for its model to load. */
  endChange(name: string): Promise<unknown>;
}

export function createRemoval(context: ServingContext, changes: ChangeControl) {
  const { state, deployments, runs, journal } = context;

  const remove = async (
    name: string,
    actor: string,
    ending: Ending,
    remove: (deployment: Deployment) => Promise<boolean>,
  ): Promise<void> => {
    context.mayChange();
    existing(context, name);
    const callers = callersOf(name, deployments.values());
    if (callers.length > 0) {
      throw new SkeinError(
        'DEPLOYMENT_INVALID',
        `Deployment "${name}" is called by ${callers.join(', ')}, which must be undeployed first.`,
      );
    }
    await runs.get(name)?.abort(ending.because, actor);
    await changes.endChange(name);
    if (!deployments.has(name)) return;
    await changes.exclusively(name, async () => {
      const deployment = existing(context, name);
      if (!(await remove(deployment))) return;
      const { kind, reason } = ending;
      const details = { versions: deployment.versions() };
      journal.record({ deployment: name, kind, reason, details, actor });
      const loaded = [...deployment.live.values()];
      const drained = Promise.all(loaded.map((live) => retire(context, deployment, live)));
      await Promise.race([drained, sleep(REMOVAL_MS, undefined, { ref: false })]);
    });
  };

  return {
    unload: (name: string, actor: string): Promise<void> =>
      remove(name, actor, UNLOADED, async (deployment) => {
        const row = await state.deployment(name);
        // The state holds every deployment except one whose first version is still loading.
        if (row === undefined || row.unloaded === true) return false;
        const { settings, targets, revision } = row;
        const kept = await state.putDeployment(
          { name, settings, targets, unloaded: true },
          revision,
        );
        deployment.revision = kept.revision;
        deployment.updatedAt = kept.updatedAt;
        deployment.elsewhere = undefined;
        deployment.stop('unloaded', UNLOADED.reason);
        return true;
      }),
    undeploy: (name: string, actor: string): Promise<void> =>
      remove(name, actor, UNDEPLOYED, async () => {
        await state.removeDeployment(name);
        deployments.delete(name);
        return true;
      }),
  };
}
