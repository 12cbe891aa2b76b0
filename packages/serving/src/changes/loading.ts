/**
 * Starts a version next to the serving one, and moves the traffic to it; `unloading.ts` ends the other.
 * The traffic is moved in one synchronous step, so no request reaches a target that is not ready or
 * that drains.
 */
import { SkeinError } from '@skein/api';
import { RuntimeFailure } from '@skein/runtime';
import type { DeploymentRecord, VersionRecord } from '@skein/state';
import { callsOf, cycleThrough } from '../composition/call-graph.ts';
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { freeMemory } from '../follow/residence.ts';
import { liveTarget, readyReplicas, scale, type LiveTarget } from '../deployment/live-target.ts';
import { expectedBytes } from '../scaling/model-memory.ts';
import type { EffectiveSettings } from '../deployment/settings.ts';
import { discard, retire } from './unloading.ts';

/** Longest wait for replicas beyond the first before traffic moves without them. */
const FOLLOWERS_MS = 30_000;

/**
 * Creates the target of a version, without replicas.
 *
 * @param proven whether it has served before, so that no trial is needed.
 * @throws SkeinError ARTIFACT_CORRUPT, COMPOSITION_INVALID.
 */
export async function prepare(
  context: ServingContext,
  deployment: Deployment,
  record: VersionRecord,
  { settings }: EffectiveSettings,
  proven = false,
): Promise<LiveTarget> {
  const path = await context.registry.pathOf(record);
  const target = context.makeTarget({
    deployment: deployment.name,
    record,
    path,
    settings,
    observer: deployment.observer,
    proven,
  });
  return liveTarget(record, target, expectedBytes(record, settings), context.clock.now());
}

/**
 * Starts the replicas of a prepared version and waits until they are warm.
 *
 * @param replicas as many as the version that it replaces has, so that the swap keeps the capacity.
 * @throws SkeinError MODEL_LOAD_FAILED, MODEL_START_TIMEOUT, MODEL_MEMORY, DEVICE_UNAVAILABLE,
 *   COMPOSITION_INVALID, FLEET_MEMORY, ROLLED_BACK, NODE_DRAINING; the target is ended then.
 */
export async function bringUp(
  context: ServingContext,
  deployment: Deployment,
  live: LiveTarget,
  replicas: number,
): Promise<void> {
  live.reason = 'loading and warming';
  context.loading.set(live.target, deployment.name);
  context.inMemory.set(live, deployment.name);
  try {
    await freeMemory(context, deployment.name, live);
    checkWanted(context, deployment.name, live);
    // One replica first: a version that cannot start should fail once.
    live.floor = Math.min(1, replicas);
    scale(live, live.floor);
    await live.target.whenReady();
    checkWanted(context, deployment.name, live);
    checkCalls(context, deployment, live);
    if (replicas > 1) {
      live.floor = replicas;
      scale(live, replicas);
      await followers(deployment, live, replicas);
    }
  } catch (error) {
    await discard(context, live);
    checkWanted(context, deployment.name, live);
    throw loadError(error, live.record);
  } finally {
    context.loading.delete(live.target);
  }
}

/** Ends the starting targets of a deployment, so that its change in progress fails. */
export function interrupt(context: ServingContext, name: string): void {
  context.unwanted.add(name);
  for (const [target, deployment] of context.loading) {
    if (deployment === name) void target.drain(context.clock.now());
  }
}

function checkWanted({ unwanted, closing }: ServingContext, name: string, live: LiveTarget): void {
  if (closing.aborted) throw new SkeinError('NODE_DRAINING', 'The node is shutting down.');
  if (!unwanted.has(name)) return;
  const { version } = live.record;
  throw new SkeinError(
    'ROLLED_BACK',
    `Version ${version} of "${name}" was aborted while it loaded.`,
  );
}

/**
 * Makes a ready version the only one of its deployment: first the state, so that a restart after a
 * crash uses the new version, then the traffic, then the end of the other versions.
 */
export async function takeOver(
  context: ServingContext,
  deployment: Deployment,
  live: LiveTarget,
  effective: EffectiveSettings,
): Promise<void> {
  const row = await context.state.putDeployment(
    {
      name: deployment.name,
      settings: effective.settings,
      targets: [{ version: live.record.version, weight: 100 }],
    },
    deployment.revision,
  );
  switchTo(context, deployment, row, [{ live, weight: 100 }], effective);
}

/** Makes ready versions the only ones of their deployment, in one synchronous step. */
export function switchTo(
  context: ServingContext,
  deployment: Deployment,
  { revision, updatedAt }: Pick<DeploymentRecord, 'revision' | 'updatedAt'>,
  split: readonly { readonly live: LiveTarget; readonly weight: number }[],
  effective: EffectiveSettings,
): void {
  deployment.revision = revision;
  deployment.updatedAt = updatedAt;
  const others = new Set([...deployment.live.values(), ...deployment.split]);
  for (const { live } of split) others.delete(live);
  deployment.stopped = undefined;
  deployment.applySettings(effective);
  for (const { live } of split) deployment.add(live);
  deployment.route(split);
  for (const { live } of split) live.floor = 0;
  for (const other of others) void retire(context, deployment, other);
  forgetAnswersThrough(context, deployment.name);
}

/** Answers of compositions that were computed with this deployment may change now. */
export function forgetAnswersThrough(context: ServingContext, name: string): void {
  const stale = new Set([name]);
  for (const changed of stale) {
    for (const caller of context.deployments.values()) {
      if (callsOf(caller).includes(changed)) stale.add(caller.name);
    }
  }
  stale.delete(name);
  for (const caller of stale) context.deployments.get(caller)?.clearCache();
}

/** Current replicas of the deployment's traffic: the number that a replacing version needs. */
export function replicasInUse(deployment: Deployment): number {
  let replicas = 0;
  for (const live of deployment.split) replicas += live.wanted;
  return Math.max(1, replicas);
}

function checkCalls({ deployments }: ServingContext, { name }: Deployment, live: LiveTarget): void {
  const calls = live.target.calls ?? [];
  for (const callee of calls) {
    if (callee !== name && !canBeCalled(deployments.get(callee))) {
      throw new SkeinError(
        'COMPOSITION_INVALID',
        `Composition "${name}" calls "${callee}", which is not deployed.`,
      );
    }
  }
  const cycle = cycleThrough(name, calls, (callee) => {
    const deployment = deployments.get(callee);
    return deployment === undefined ? [] : callsOf(deployment);
  });
  if (cycle !== undefined) {
    throw new SkeinError(
      'COMPOSITION_INVALID',
      `Composition "${name}" would call itself: ${cycle.join(' → ')}.`,
    );
  }
}

/** A failed deployment can be repaired without its callers; an unloaded one was taken away. */
function canBeCalled(deployment: Deployment | undefined): boolean {
  return deployment !== undefined && deployment.stopped?.status !== 'unloaded';
}

/** Waits until enough replicas are ready, or the missing ones have failed, or a timeout. */
function followers(deployment: Deployment, live: LiveTarget, replicas: number): Promise<void> {
  return new Promise((resolve) => {
    const settled = (): boolean => {
      const snapshot = live.target.snapshot();
      const starting = snapshot.replicas.some(
        ({ state }) => state === 'loading' || state === 'warming',
      );
      const { length } = snapshot.replicas;
      // A draining target has none left.
      if (length === 0 || readyReplicas(snapshot) >= replicas) return true;
      return !starting && length >= replicas;
    };
    const finish = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(finish, FOLLOWERS_MS);
    const stop = deployment.observer.onReplicaChange(() => {
      if (settled()) finish();
    });
    if (settled()) finish();
  });
}

function loadError(error: unknown, { model, version }: VersionRecord): SkeinError {
  if (error instanceof SkeinError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code =
    error instanceof RuntimeFailure && error.kind === 'unavailable'
      ? 'DEVICE_UNAVAILABLE'
      : 'MODEL_LOAD_FAILED';
  return new SkeinError(code, `Version ${version} of "${model}" cannot start: ${message}`, {
    cause: error,
  });
}
