/**
 * Changes of deployments by an operator or through the API. A deployment has one change at a time:
 * a second one is rejected at once instead of waiting for an unknown time.
 */
import { RolloutPlan, SkeinError } from '@skein/api';
import type { DeploymentRecord } from '@skein/state';
import { existing, type ServingContext } from '../context.ts';
import { checkLeastThreads, type CoreClaim, leastThreadsFit } from './core-claims.ts';
import type { DeploymentControl, DeployRequest } from '../control.ts';
import { Deployment } from '../deployment/deployment.ts';
import { exclusively } from './exclusive.ts';
import { checkIsolation } from '../deployment/isolation.ts';
import { bringUp, interrupt, prepare, replicasInUse, takeOver } from './loading.ts';
import { createRemoval } from './removal.ts';
import { RolloutRun } from '../rollout/rollout-run.ts';
import {
  changedKeys,
  effectiveSettings,
  mergeSettings,
  needsNewReplicas,
  type EffectiveSettings,
} from '../deployment/settings.ts';
import { discard, retire } from './unloading.ts';

export type Changes = {
  [Change in 'deploy' | 'changeSettings' | 'rollback' | 'unload' | 'undeploy']: (
    ...parameters: Parameters<DeploymentControl[Change]>
  ) => Promise<void>;
} & Pick<DeploymentControl, 'check'>;

export function createChanges(context: ServingContext): Changes {
  const { state, registry, cores, deployments, runs, changing, journal } = context;
  /** Cores that deployments will claim once their changes are done. */
  const claims = new Map<string, CoreClaim>();

  const exclusive = async (name: string, change: () => Promise<void>): Promise<void> => {
    context.mayChange();
    return exclusively(context, name, () => change().finally(() => claims.delete(name)));
  };

  /** Ends a change in progress without waiting for its model to load. @returns whether there was one. */
  const endChange = async (name: string): Promise<boolean> => {
    const change = changing.get(name);
    if (change === undefined || runs.has(name)) return false;
    interrupt(context, name);
    const done = await change;
    context.unwanted.delete(name);
    return !done;
  };

  /** The claim of each deployment, once its change is done. */
  const claimsNow = (): Map<string, CoreClaim> => {
    const holding = new Map<string, CoreClaim>();
    for (const deployment of deployments.values()) {
      const { kind, effective, stopped } = deployment;
      if (stopped !== undefined) continue;
      const coming = runs.get(deployment.name)?.settings;
      holding.set(deployment.name, { kind, settings: coming ?? effective });
    }
    for (const [other, coming] of claims) holding.set(other, coming);
    return holding;
  };

  /** @throws SkeinError DEPLOYMENT_INVALID. */
  const assertFits = (name: string, asked: CoreClaim): void => {
    const others = claimsNow();
    const before = others.get(name);
    others.delete(name);
    checkLeastThreads(name, asked, before, others, cores);
  };

  /** Claims cores for the rest of a change. @throws SkeinError DEPLOYMENT_INVALID. */
  const claim = (name: string, asked: CoreClaim): void => {
    assertFits(name, asked);
    claims.set(name, asked);
  };

  /**
   * The settings of a deployment without a serving version. Where all cores are taken and the request
   * names no replicas, it takes cores only while it gets requests.
   */
  const settingsToCreate = (
    { name, settings }: Pick<DeployRequest, 'name' | 'settings'>,
    kind: CoreClaim['kind'],
  ): EffectiveSettings => {
    const current = deployments.get(name)?.settings;
    const effective = mergeSettings(current, settings, cores);
    if (effective.settings.replicas !== undefined) return effective;
    const others = claimsNow();
    others.delete(name);
    if (leastThreadsFit({ kind, settings: effective }, undefined, others, cores)) return effective;
    return mergeSettings(current, { ...settings, replicas: { min: 0, max: 1 } }, cores);
  };

  const assertKind = (
    { name, kind }: Deployment,
    version: string,
    asked: CoreClaim['kind'],
  ): void => {
    if (asked === kind) return;
    throw new SkeinError(
      'DEPLOYMENT_INVALID',
      `Deployment "${name}" has the kind ${kind}, but ${version} has the kind ${asked}.`,
    );
  };

  /** A deployment without a serving version: a new one, or one that is unloaded or has failed. */
  const create = async (request: DeployRequest, actor: string): Promise<void> => {
    const { name, version } = request;
    const stopped = deployments.get(name);
    const record = await registry.version(name, version);
    const effective = settingsToCreate(request, record.kind);
    checkIsolation(effective.settings, record, context.isolateModels);
    claim(name, { kind: record.kind, settings: effective });
    const deployment = newDeployment(context, name, record.kind, effective);
    deployment.revision = stopped?.revision ?? 0;
    deployments.set(name, deployment);
    try {
      const live = await prepare(context, deployment, record, effective);
      deployment.add(live);
      await bringUp(context, deployment, live, Math.max(1, effective.replicas.min));
      try {
        await takeOver(context, deployment, live, effective);
      } catch (error) {
        void retire(context, deployment, live);
        throw error;
      }
    } catch (error) {
      if (stopped === undefined) deployments.delete(name);
      else deployments.set(name, stopped);
      throw error;
    }
    const { latencyMs, quantile } = effective.settings.objective;
    journal.record({
      deployment: name,
      kind: 'deployed',
      reason: `version ${version} serves within ${latencyMs} ms at p${quantile * 100}`,
      details: { version, settings: effective.settings },
      actor,
    });
  };

  /** Replaces the serving targets by one version with its settings, which is loaded first. */
  const swap = async (
    deployment: Deployment,
    version: string,
    effective: EffectiveSettings,
  ): Promise<void> => {
    const record = await registry.version(deployment.name, version);
    // It serves, or has served: no trial is needed.
    const live = await prepare(context, deployment, record, effective, true);
    const replicas = Math.min(effective.replicas.max, replicasInUse(deployment));
    await bringUp(context, deployment, live, Math.max(replicas, effective.replicas.min));
    try {
      await takeOver(context, deployment, live, effective);
    } catch (error) {
      await discard(context, live);
      throw error;
    }
  };

  const applySettings = async (
    deployment: Deployment,
    effective: EffectiveSettings,
    actor: string,
  ): Promise<void> => {
    const before = deployment.settings;
    const main = deployment.main!;
    const only = deployment.split.length === 1;
    if (needsNewReplicas(before, effective.settings) || !only) {
      await swap(deployment, main.record.version, effective);
    } else {
      await takeOver(context, deployment, main, effective);
    }
    const changed = changedKeys(before, effective.settings);
    journal.record({
      deployment: deployment.name,
      kind: 'settings-changed',
      reason: `${changed.join(', ')} changed`,
      details: { before, after: effective.settings },
      actor,
    });
  };

  const deploy = async (request: DeployRequest, actor: string): Promise<void> => {
    const deployment = deployments.get(request.name);
    if (deployment === undefined || deployment.main === undefined) return create(request, actor);
    const effective = mergeSettings(deployment.settings, request.settings, cores);
    const record = await registry.version(request.name, request.version);
    checkIsolation(effective.settings, record, context.isolateModels);
    if (deployment.live.has(record.version)) {
      refuseOwnRollout(request);
      if (changedKeys(deployment.settings, effective.settings).length === 0) return;
      claim(request.name, { kind: deployment.kind, settings: effective });
      return applySettings(deployment, effective, actor);
    }
    assertKind(deployment, `version ${record.version}`, record.kind);
    claim(request.name, { kind: record.kind, settings: effective });
    const plan = request.plan ?? RolloutPlan.parse({});
    await RolloutRun.start(context, deployment, record, plan, effective, actor);
  };

  const undo = async (deployment: Deployment, reason: string, actor: string): Promise<void> => {
    if (deployment.stopped?.status === 'unloaded') {
      throw new SkeinError(
        'NOTHING_TO_ROLL_BACK',
        `Deployment "${deployment.name}" is unloaded; load it first.`,
      );
    }
    const now: Pick<DeploymentRecord, 'settings' | 'targets'> = {
      settings: deployment.settings,
      targets: deployment.split.map(({ record, weight }) => ({ version: record.version, weight })),
    };
    const earlier = await state.deploymentRevisions(deployment.name);
    const previous = earlier.find((row) => isOther(row, now));
    if (previous === undefined) {
      throw new SkeinError(
        'NOTHING_TO_ROLL_BACK',
        `Deployment "${deployment.name}" has no earlier version or settings.`,
      );
    }
    const version = heaviest(previous);
    const effective = effectiveSettings(previous.settings, cores);
    await swap(deployment, version, effective);
    journal.record({
      deployment: deployment.name,
      kind: 'rolled-back',
      reason,
      details: { from: now.targets, to: version, revision: previous.revision },
      actor,
    });
  };

  return {
    check({ name, kind, settings }) {
      const deployment = deployments.get(name);
      if (deployment?.main === undefined) {
        return assertFits(name, { kind, settings: settingsToCreate({ name, settings }, kind) });
      }
      assertKind(deployment, 'what is to be deployed', kind);
      assertFits(name, { kind, settings: mergeSettings(deployment.settings, settings, cores) });
    },
    deploy: (request, actor) => exclusive(request.name, () => deploy(request, actor)),
    changeSettings: (name, settings, actor) =>
      exclusive(name, async () => {
        const deployment = existing(context, name);
        if (deployment.main === undefined) {
          throw new SkeinError(
            'DEPLOYMENT_INVALID',
            `Deployment "${name}" is ${deployment.stopped?.status ?? 'not loaded yet'}; deploy a version with the new settings instead.`,
          );
        }
        const effective = mergeSettings(deployment.settings, settings, cores);
        if (changedKeys(deployment.settings, effective.settings).length === 0) return;
        checkIsolation(effective.settings, deployment.main.record, context.isolateModels);
        claim(name, { kind: deployment.kind, settings: effective });
        await applySettings(deployment, effective, actor);
      }),
    async rollback(name, reason, actor) {
      existing(context, name);
      const run = runs.get(name);
      if (run !== undefined) return run.abort(reason, actor);
      if (await endChange(name)) {
        if (deployments.has(name)) return;
        throw new SkeinError(
          'NOTHING_TO_ROLL_BACK',
          `Deployment "${name}" had no version before the one that was loading, which was aborted.`,
        );
      }
      await exclusive(name, () => undo(existing(context, name), reason, actor));
    },
    ...createRemoval(context, { exclusively: exclusive, endChange }),
  };
}

export function newDeployment(
  context: ServingContext,
  name: string,
  kind: 'onnx' | 'composition',
  settings: EffectiveSettings,
): Deployment {
  return new Deployment({
    name,
    kind,
    settings,
    clock: context.clock,
    observer: context.observer,
    random: context.random,
    journal: context.journal,
    events: context.events,
  });
}

/** A rollout compares two versions. @throws SkeinError VERSION_SERVED. */
function refuseOwnRollout({ name, version, plan }: DeployRequest): void {
  if (plan === undefined || plan.strategy === 'immediate') return;
  throw new SkeinError(
    'VERSION_SERVED',
    `Deployment "${name}" serves version ${version} already, so a ${plan.strategy} of it would compare it with itself.`,
  );
}

function isOther(
  row: Pick<DeploymentRecord, 'settings' | 'targets'>,
  now: Pick<DeploymentRecord, 'settings' | 'targets'>,
): boolean {
  return (
    heaviest(row) !== (now.targets.length > 0 ? heaviest(now) : undefined) ||
    changedKeys(row.settings, now.settings).length > 0
  );
}

function heaviest({ targets }: Pick<DeploymentRecord, 'targets'>): string {
  return targets.reduce((a, b) => (b.weight > a.weight ? b : a)).version;
}
