/**
 * A loaded version of a deployment: its target, its share of the traffic and the number of replicas
 * that was requested last.
 */
import { SkeinError } from '@skein/api';
import type { VersionRecord } from '@skein/state';
import { startScaling, type ScalingMemory, type ScalingSignals } from '../scaling/autoscaler.ts';
import type {
  DeployedModel,
  Instant,
  Prediction,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../contract.ts';

export interface LiveTarget {
  readonly record: VersionRecord;
  readonly target: Target;
  readonly loadedAt: Instant;
  /** Memory of one replica, in bytes: until it is measured, and as measured, at most. */
  readonly expectedBytes: number;
  measuredBytes: number | undefined;
  /** A share of the sum of the deployment's weights; 0 while a rollout loads it. */
  weight: number;
  /** Replicas requested last; change it with `scale`. */
  wanted: number;
  /** Minimum replicas while a rollout depends on it. */
  floor: number;
  scaling: ScalingMemory;
  /** Reason of the last decision about its replicas. */
  reason: string;
  /** The snapshot of the last scaling decision, for rates. */
  seen: { readonly at: Instant; readonly snapshot: TargetSnapshot } | undefined;
  /** Inputs of the last scaling decision. */
  signals: ScalingSignals | undefined;
  /** Description for faces; created once, because every request reads it. */
  model: DeployedModel | undefined;
}

export function liveTarget(
  record: VersionRecord,
  target: Target,
  expectedBytes: number,
  now: Instant,
): LiveTarget {
  return {
    record,
    target,
    loadedAt: now,
    expectedBytes,
    measuredBytes: undefined,
    weight: 0,
    wanted: 0,
    floor: 0,
    scaling: startScaling(now),
    reason: '',
    seen: undefined,
    signals: undefined,
    model: undefined,
  };
}

export function scale(live: LiveTarget, replicas: number): void {
  live.wanted = replicas;
  live.target.scaleTo(replicas);
}

export function readyReplicas({ replicas }: TargetSnapshot): number {
  let ready = 0;
  for (const { state } of replicas) if (state === 'ready') ready++;
  return ready;
}

/** When the target would answer a request that arrives now. */
export function predict(target: Target, request: TargetRequest, now: Instant): Prediction {
  if (target.predict !== undefined) return target.predict(request);
  const snapshot = target.snapshot();
  const name = `version ${target.version} of "${request.deployment}"`;
  if (readyReplicas(snapshot) === 0) {
    return { refusal: new SkeinError('NO_REPLICA', `No replica of ${name} is ready.`) };
  }
  const finishMs = snapshot.predictedDelayMs + (snapshot.latencies[0]?.p99Ms ?? 0);
  const lateMs = Math.ceil(now + finishMs - request.deadline);
  if (lateMs <= 0) return { finishMs };
  const message = `The answer of ${name} would be an estimated ${lateMs} ms late.`;
  return {
    refusal: new SkeinError('DEADLINE_UNREACHABLE', message, { retryAfterMs: lateMs }),
  };
}
