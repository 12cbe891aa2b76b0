/**
 * Once per second: asks the autoscaler for the replicas of every version, divides the cores of the
 * node, and applies the result. All decisions are in `autoscaler.ts` and `core-budget.ts`.
 */
import { ERRORS, type ErrorCode } from '@skein/api';
import { decideReplicas, stepped, type ScalingSignals } from './autoscaler.ts';
import type { ServingContext } from '../context.ts';
import type { Instant, ScalingCause, TargetSnapshot } from '../contract.ts';
import { divideCores, type Claim } from './core-budget.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { readyReplicas, scale, type LiveTarget } from '../deployment/live-target.ts';
import { copyBytes, residentsOf } from './memory-use.ts';

const EVERY_MS = 1000;

interface CoreRequest extends Claim {
  readonly deployment: Deployment;
  readonly live: LiveTarget;
  readonly cause: ScalingCause;
  readonly reason: string;
  readonly signals: ScalingSignals;
}

export function createScalingLoop(context: ServingContext) {
  const { clock, cores, deployments } = context;
  let timer: NodeJS.Timeout | undefined;

  /** One decision for every version. */
  const tick = (): void => {
    const now = clock.now();
    const requests: CoreRequest[] = [];
    for (const deployment of deployments.values()) {
      for (const live of deployment.live.values())
        requests.push(coreRequestOf(deployment, live, now));
    }
    const granted = divideCores(requests, cores);
    const memory = modelMemoryOf(context);
    for (const request of requests) {
      const replicas = granted.get(request.id)!;
      const fit = withinMemory(memory, request.live, replicas);
      const bound =
        fit < replicas ? 'the memory of the node allows' : `the ${cores} cores of the node allow`;
      carryOut(request, fit, bound, now);
    }
  };

  return {
    tick,
    start(): void {
      timer ??= setInterval(tick, EVERY_MS).unref();
    },
    stop(): void {
      clearInterval(timer);
      timer = undefined;
    },
  };
}

function coreRequestOf(deployment: Deployment, live: LiveTarget, now: Instant): CoreRequest {
  const snapshot = live.target.snapshot();
  const signals = signalsOf(live, snapshot, now);
  live.seen = { at: now, snapshot };
  live.signals = signals;
  const { settings, bounds } = deployment;
  const min = Math.max(bounds.min, live.floor);
  const decision = decideReplicas(
    live.scaling,
    signals,
    {
      min,
      max: Math.max(bounds.max, live.floor),
      objectiveMs: settings.objective.latencyMs,
      idleMs: bounds.idleMs,
    },
    live.wanted,
    now,
  );
  live.scaling = decision.memory;
  return {
    id: `${deployment.name}/${live.record.version}`,
    deployment,
    live,
    cause: decision.cause,
    reason: decision.reason,
    signals,
    threads: settings.threads,
    // A version with queued requests keeps one replica, otherwise the request that woke it would
    // wait for ever.
    min: decision.replicas > 0 ? Math.max(1, min) : min,
    wanted: decision.replicas,
    current: live.wanted,
    // A composition computes on the threads of the deployments that it calls.
    oversubscribe: settings.oversubscribe || live.record.kind === 'composition',
  };
}

/** Memory for models that is free, in bytes; without a bound it is not measured. */
interface ModelMemory {
  freeBytes: number;
}

function modelMemoryOf(context: ServingContext): ModelMemory {
  const { placing } = context;
  if (placing === undefined) return { freeBytes: Infinity };
  const used = residentsOf(context).reduce((sum, { bytes }) => sum + bytes, 0);
  return { freeBytes: placing.budgetBytes - used };
}

/** Each further replica holds its own copy of the model. The first one is counted already. */
function withinMemory(memory: ModelMemory, live: LiveTarget, replicas: number): number {
  const more = replicas - Math.max(1, live.wanted);
  if (more <= 0 || memory.freeBytes === Infinity) return replicas;
  const bytes = copyBytes(live);
  const fit =
    bytes === 0 ? more : Math.min(more, Math.max(0, Math.floor(memory.freeBytes / bytes)));
  memory.freeBytes -= fit * bytes;
  return replicas - more + fit;
}

/** @param bound what allows no more replicas, where fewer are granted than wanted. */
function carryOut(request: CoreRequest, replicas: number, bound: string, now: Instant): void {
  const { live, deployment, wanted, signals } = request;
  const reason =
    replicas < wanted
      ? `${request.reason}; ${wanted} replicas would help, but ${bound} ${replicas}`
      : request.reason;
  live.reason = reason;
  const before = live.wanted;
  if (replicas === before) return;
  live.scaling = stepped(live.scaling, before, replicas, now);
  scale(live, replicas);
  const cause = replicas < Math.min(before, wanted) ? 'cores' : request.cause;
  deployment.noteScaling(live, { from: before, to: replicas, cause }, signals);
}

/** Rates since the last decision; a new version has none. */
function signalsOf(live: LiveTarget, snapshot: TargetSnapshot, now: Instant): ScalingSignals {
  const before = live.seen?.snapshot;
  const seconds = live.seen === undefined ? 1 : Math.max(0.001, (now - live.seen.at) / 1000);
  const since = (count: (of: TargetSnapshot) => number): number =>
    before === undefined ? 0 : (count(snapshot) - count(before)) / seconds;
  return {
    rowsPerSecond: since(({ arrivedRows }) => arrivedRows),
    shedPerSecond: since(shedBy),
    predictedDelayMs: Number.isFinite(snapshot.predictedDelayMs) ? snapshot.predictedDelayMs : 0,
    queued: snapshot.queuedRequests,
    running: snapshot.inFlightRows,
    capacity: live.record.kind === 'composition' ? 0 : capacityOf(snapshot),
    ready: readyReplicas(snapshot),
  };
}

function shedBy({ refused }: TargetSnapshot): number {
  let shed = 0;
  for (const code in refused) {
    if (ERRORS[code as ErrorCode].kind === 'load') shed += refused[code]!;
  }
  return shed;
}

/** Rows per second of one replica at its best batch size. */
function capacityOf({ latencies }: TargetSnapshot): number {
  let best = 0;
  for (const { rows, p50Ms } of latencies)
    if (p50Ms > 0) best = Math.max(best, (rows * 1000) / p50Ms);
  return best;
}
