/**
 * Makes a deployment of this node as the fleet has stored it. A version takes traffic here only once
 * it is ready here; until then the versions that serve continue. One that cannot be loaded leaves them
 * in place.
 */
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { LiveTarget } from '../deployment/live-target.ts';
import { bringUp, prepare, replicasInUse, switchTo } from '../changes/loading.ts';
import { registerDesired, restore, type StoredDeployment } from '../changes/restore.ts';
import { UNLOADED } from '../changes/removal.ts';
import type { DesiredDeployment, Place } from './placing.ts';
import { handOver, leave } from './residence.ts';
import { effectiveSettings, needsNewReplicas } from '../deployment/settings.ts';
import { discard, retire } from '../changes/unloading.ts';

/** @throws SkeinError why it cannot be served here. */
export async function adopt(
  context: ServingContext,
  desired: DesiredDeployment,
  place?: Place,
): Promise<void> {
  const { row, versions } = desired;
  const here = context.deployments.get(row.name);
  if (place?.isHere === false) {
    await leaveTo(context, desired, place);
  } else if (here?.main === undefined) {
    await adoptNew(context, await registerDesired(context, desired));
  } else if (row.unloaded === true) {
    here.revision = row.revision;
    here.updatedAt = row.updatedAt;
    here.stop('unloaded', UNLOADED.reason);
    void retireAll(context, here);
  } else if (versions[0] !== undefined && versions[0].kind !== here.kind) {
    // It was removed and deployed again as something else.
    void retireAll(context, here);
    await adoptNew(context, await registerDesired(context, desired));
  } else {
    await adoptOver(context, here, desired);
  }
  const { stopped } = context.deployments.get(row.name) ?? {};
  if (stopped?.status === 'failed') throw new Error(stopped.reason);
}

/** Ends a deployment that the fleet has removed. */
export function abandon(context: ServingContext, name: string): void {
  const deployment = context.deployments.get(name);
  context.deployments.delete(name);
  if (deployment !== undefined) void retireAll(context, deployment);
}

/** Other members hold it. */
async function leaveTo(
  context: ServingContext,
  desired: DesiredDeployment,
  place: Place,
): Promise<void> {
  const { row } = desired;
  const before = context.deployments.get(row.name);
  if (before !== undefined && !(await handOver(context, before, place))) return;
  // The version that takes its traffic may have changed.
  const { deployment } = await registerDesired(context, desired);
  // Its memory counts until it has ended, and the version that takes its place waits for that.
  const ended = before === undefined ? undefined : retireAll(context, before);
  if (deployment.stopped === undefined) await leave(context, deployment, place);
  await ended;
}

async function adoptNew(context: ServingContext, stored: StoredDeployment): Promise<void> {
  await restore(context, stored);
}

async function adoptOver(
  context: ServingContext,
  deployment: Deployment,
  { row, versions }: DesiredDeployment,
): Promise<void> {
  const effective = effectiveSettings(row.settings, context.cores);
  const isSame = !needsNewReplicas(deployment.settings, effective.settings);
  const replicas = Math.min(effective.replicas.max, replicasInUse(deployment));
  const started: LiveTarget[] = [];
  try {
    const split = await Promise.all(
      row.targets.map(async ({ version, weight }) => {
        const serving = deployment.split.find(({ record }) => record.version === version);
        if (serving !== undefined && isSame) return { live: serving, weight };
        const record = versions.find((each) => each.version === version);
        if (record === undefined) {
          throw new Error(`version ${version} is not in the registry`);
        }
        const live = await prepare(context, deployment, record, effective, true);
        started.push(live);
        await bringUp(context, deployment, live, Math.max(replicas, effective.replicas.min));
        return { live, weight };
      }),
    );
    switchTo(context, deployment, row, split, effective);
  } catch (error) {
    for (const live of started) void discard(context, live);
    throw error;
  }
}

async function retireAll(context: ServingContext, deployment: Deployment): Promise<void> {
  const live = [...deployment.live.values()];
  await Promise.all(live.map((each) => retire(context, deployment, each)));
}
