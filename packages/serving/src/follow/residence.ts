/**
 * Which deployments are on this node: how one leaves it for the members that hold it, and how memory is
 * freed for a new one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import type { ServingContext } from '../context.ts';
import type { DeployedModel } from '../contract.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { exclusively } from '../changes/exclusive.ts';
import type { LiveTarget } from '../deployment/live-target.ts';
import { isUnloading, residentsOf } from '../scaling/memory-use.ts';
import { retire } from '../changes/unloading.ts';
import type { DesiredDeployment, Place } from './placing.ts';

/** Takes a deployment out of the memory of this node; its accepted requests are answered first. */
export async function leave(
  context: ServingContext,
  deployment: Deployment,
  place: Place,
): Promise<void> {
  deployment.elsewhere = { model: describe(deployment), place };
  deployment.restoring = undefined;
  deployment.stopped = undefined;
  deployment.route([]);
  const live = [...deployment.live.values()];
  await Promise.all(live.map((each) => retire(context, deployment, each)));
}

/**
 * Prepares the leave of a deployment, which answers meanwhile: the other members send this one nothing
 * more, and one of them keeps it. Two members that leave at once cannot both succeed, because each announces
 * its leave before it searches another holder.
 * @returns whether it may leave.
 */
export async function handOver(
  { placing, closing }: ServingContext,
  deployment: Deployment,
  place: Place,
): Promise<boolean> {
  if (deployment.main === undefined || placing === undefined) return true;
  deployment.leaving = place;
  const versions = deployment.split.map(({ record }) => record.version);
  const isHandedOver = await placing.isHandedOver(deployment.name, versions, closing);
  deployment.leaving = undefined;
  return isHandedOver;
}

function describe(deployment: Deployment): DeployedModel {
  return { ...deployment.describe(), ready: false };
}

/**
 * How long a version waits for free memory, in milliseconds: what only this member holds cannot be unloaded until
 * another one has loaded it.
 */
const PATIENCE_MS = 60_000;
/** Time between two checks, in milliseconds. */
const CHECK_MS = 200;

/**
 * Unloads what has to go before a version is loaded.
 * @throws SkeinError FLEET_MEMORY, ROLLOUT_IN_PROGRESS when what has to go is being changed for long.
 */
export async function freeMemory(
  context: ServingContext,
  name: string,
  live: LiveTarget,
): Promise<void> {
  const { clock, closing, placing, waitingForMemory } = context;
  if (placing === undefined) return;
  const end = clock.now() + PATIENCE_MS;
  waitingForMemory.add(live);
  try {
    for (;;) {
      try {
        const victims = placing.evictionFor(
          name,
          residentsOf(context, later(waitingForMemory, live)),
          clock.now(),
        );
        await Promise.all([...victims].map(([victim, place]) => giveUp(context, victim, place)));
        return;
      } catch (error) {
        if (!mayComeTo(context, error) || closing.aborted || clock.now() >= end) throw error;
        await sleep(CHECK_MS, undefined, { ref: false });
      }
    }
  } finally {
    waitingForMemory.delete(live);
  }
}

/** Versions that wait behind another: neither takes memory that the other needs. */
function later(waiting: ReadonlySet<LiveTarget>, live: LiveTarget): ReadonlySet<LiveTarget> {
  const all = [...waiting];
  return new Set(all.slice(all.indexOf(live) + 1));
}

/** Whether memory may be free later: another member may load what has to go, its change may end, or it goes already. */
function mayComeTo(context: ServingContext, error: unknown): boolean {
  if (!(error instanceof SkeinError)) return false;
  const { retryAfterMs, code } = error;
  return retryAfterMs !== undefined || code === 'ROLLOUT_IN_PROGRESS' || isUnloading(context);
}

function giveUp(context: ServingContext, name: string, place: Place): Promise<void> {
  return exclusively(context, name, async () => {
    const deployment = context.deployments.get(name);
    if (deployment === undefined) return;
    if (await handOver(context, deployment, place)) return leave(context, deployment, place);
    const message = `"${name}" takes the memory of this member, and no other one holds it any more.`;
    throw new SkeinError('FLEET_MEMORY', message, { retryAfterMs: CHECK_MS });
  });
}

/** Deployments of the fleet that this node holds; undefined: all of them. One that is unloaded takes no memory. */
export function placesOf(
  context: ServingContext,
  desired: readonly DesiredDeployment[],
): ReadonlyMap<string, Place> | undefined {
  const { placing, clock } = context;
  const wanted = desired.filter(({ row }) => row.unloaded !== true);
  return placing?.decide(wanted, residentsOf(context), clock.now());
}
