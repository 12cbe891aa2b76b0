/** This node's report to its fleet about its load, from the last scaling decision of each version. */
import type { MemberLoad } from '@skein/api';
import { IDLE_MS } from './autoscaler.ts';
import type { ServingContext } from '../context.ts';
import type { Instant } from '../contract.ts';
import type { Deployment } from '../deployment/deployment.ts';

/** A version that a member holds. */
export interface LoadedVersion {
  readonly model: string;
  readonly version: string;
  readonly digest: string;
}

/** @param startMs from the start of the process until the node was ready. */
export function memberLoad(
  deployments: ReadonlyMap<string, Deployment>,
  startMs: number | null,
  now: Instant,
): MemberLoad {
  let demandCores = 0;
  let requestsPerSecond = 0;
  let shedPerSecond = 0;
  let delayShare = 0;
  let busy = false;
  let lastTrafficAt = -Infinity;
  let idleAfterMs: number | null = deployments.size === 0 ? null : 0;
  for (const { live, settings, bounds, stopped } of deployments.values()) {
    if (stopped !== undefined) continue;
    const restsAfter = bounds.min > 0 ? null : (bounds.idleMs ?? IDLE_MS);
    if (idleAfterMs !== null)
      idleAfterMs = restsAfter === null ? null : Math.max(idleAfterMs, restsAfter);
    for (const { signals, scaling, record } of live.values()) {
      if (signals === undefined) continue;
      const { rowsPerSecond, capacity, predictedDelayMs, queued, running } = signals;
      // A composition computes on the threads of the deployments that it calls.
      if (capacity > 0 && record.kind === 'onnx')
        demandCores += (rowsPerSecond / capacity) * settings.threads;
      requestsPerSecond += rowsPerSecond;
      shedPerSecond += signals.shedPerSecond;
      delayShare = Math.max(delayShare, predictedDelayMs / settings.objective.latencyMs);
      busy ||= rowsPerSecond > 0 || queued > 0 || running > 0;
      lastTrafficAt = Math.max(lastTrafficAt, scaling.lastTrafficAt);
    }
  }
  const idleMs = busy ? 0 : Math.max(0, now - Math.max(lastTrafficAt, 0));
  return {
    demandCores,
    requestsPerSecond,
    shedPerSecond,
    delayShare,
    busy,
    idleMs,
    idleAfterMs,
    startMs,
  };
}

/**
 * The versions that are ready here or start with a request, the new ones of a rollout too. A version of a
 * deployment that takes no traffic here yet, or that leaves, is left out: other members rely on the list.
 */
export function loadedVersions({
  deployments,
  loading,
}: Pick<ServingContext, 'deployments' | 'loading'>): LoadedVersion[] {
  return [...deployments.values()]
    .filter(({ main, leaving }) => main !== undefined && leaving === undefined)
    .flatMap(({ live }) =>
      [...live.values()]
        .filter(({ target }) => !loading.has(target))
        .map(({ record: { model, version, digest } }) => ({ model, version, digest })),
    );
}
