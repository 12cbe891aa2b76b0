/**
 * Decides once per second how many replicas a version should have, from the arrivals, the refusals
 * and the predicted wait of a request.
 *
 * It grows quickly and shrinks slowly, because a missing replica costs goodput at once, while a
 * spare one only costs memory:
 * - up by demand, when the mean of the last seconds exceeds what the replicas carry at 80 % load;
 * - up by pressure, one more at a time, when a request would wait for longer than half of the
 *   objective, or is shed while there is a queue: capacity is an estimate, waiting is a fact;
 * - down to what the highest demand of the hold time needs at 60 % load, if there was no change and
 *   no pressure during the whole hold time;
 * - to zero after a minute without a request, when the bounds allow it.
 *
 * The gap between 80 % and 60 % stops a steady load from flapping. A bursty load that presses again
 * soon after a step down doubles the hold time, up to five minutes.
 *
 * The signals come from Knative's autoscaler (a stable and a panic window), with predicted delay
 * in the place of concurrency.
 */
import type { Instant, ScalingCause } from '../contract.ts';

const UP_LOAD = 0.8;
const DOWN_LOAD = 0.6;
/** Seconds whose mean is the demand. */
const DEMAND_SECONDS = 4;
const PRESSURE_SHARE = 0.5;
const SHED_PRESSURE_SHARE = 0.15;
const MAX_HOLD_MS = 300_000;
/** Time without a request after which a version may go to no replica. */
export const IDLE_MS = 60_000;

export interface ScalingPace {
  /** Time for a new replica to take effect before pressure adds another. */
  readonly upPauseMs: number;
  /** Time without a change and without pressure before a decrease. */
  readonly holdMs: number;
}

const REPLICA_PACE: ScalingPace = { upPauseMs: 3_000, holdMs: 30_000 };

export interface ScalingSignals {
  /** Rows per second since the last decision, refused ones included. */
  readonly rowsPerSecond: number;
  /** Requests refused for load per second. */
  readonly shedPerSecond: number;
  /** Predicted wait of a request that arrives now, in milliseconds. */
  readonly predictedDelayMs: number;
  /** Queued requests and running rows. */
  readonly queued: number;
  readonly running: number;
  /** Rows per second that one replica carries; 0 while unknown. */
  readonly capacity: number;
  /** Replicas that are ready. */
  readonly ready: number;
}

export interface ScalingLimits {
  readonly min: number;
  readonly max: number;
  readonly objectiveMs: number;
  /** Time without a request after which a version may go to 0 replicas. */
  readonly idleMs?: number | undefined;
  /** Default: the bounds of replicas. */
  readonly pace?: ScalingPace | undefined;
}

/** State of a version between two decisions. */
export interface ScalingMemory {
  /** Demand in rows per second, newest last, one per decision within the longest hold time. */
  readonly demand: readonly { readonly at: Instant; readonly rowsPerSecond: number }[];
  readonly lastTrafficAt: Instant;
  readonly lastUpAt: Instant;
  readonly lastDownAt: Instant;
  readonly lastPressureAt: Instant;
  readonly holdMs: number;
}

export interface ScalingDecision {
  readonly replicas: number;
  /** Cause of the decision; `steady` if no change is needed. */
  readonly cause: ScalingCause;
  /** Reason for operators, with the numbers that decided. */
  readonly reason: string;
  /** Memory after this decision; `stepped` adds the change that was made. */
  readonly memory: ScalingMemory;
}

type Settle = (replicas: number, cause: ScalingCause, reason: string) => ScalingDecision;

export function startScaling(now: Instant, { holdMs } = REPLICA_PACE): ScalingMemory {
  return {
    demand: [],
    lastTrafficAt: now,
    lastUpAt: -Infinity,
    lastDownAt: -Infinity,
    lastPressureAt: -Infinity,
    holdMs,
  };
}

/**
 * @param current number of replicas that was requested last.
 * @returns the number that the version should have; the cores of the node may allow fewer.
 */
export function decideReplicas(
  memory: ScalingMemory,
  signals: ScalingSignals,
  limits: ScalingLimits,
  current: number,
  now: Instant,
): ScalingDecision {
  const { min, max, pace = REPLICA_PACE } = limits;
  const busy = signals.rowsPerSecond > 0 || signals.queued > 0 || signals.running > 0;
  const pressure = pressureOf(signals, limits);
  const remembered = remember(memory, signals, now, pace, busy, pressure !== undefined);
  const settle: Settle = (replicas, cause, reason) => ({
    replicas,
    cause,
    reason,
    memory: remembered,
  });

  if (current < min) return settle(min, 'bounds', `the bounds ask for at least ${min}`);
  if (current > max) return settle(max, 'bounds', `the bounds allow at most ${max}`);
  if (current === 0) {
    if (!busy) return settle(0, 'idle', 'no requests');
    return settle(Math.max(1, min), 'woken', 'a request arrived while there was no replica');
  }

  const demand = meanDemand(remembered, now);
  const needed = replicasFor(demand, signals.capacity, UP_LOAD);
  if (needed > current && current < max) {
    const wanted = Math.min(max, needed);
    return settle(
      wanted,
      'demand',
      `${rate(demand)} rows/s arrive and one replica carries ${rate(signals.capacity)} rows/s, ` +
        `which needs ${needed} at ${UP_LOAD * 100} % load${needed > max ? `; the bounds allow ${max}` : ''}`,
    );
  }
  if (pressure !== undefined) {
    if (current >= max)
      return settle(current, 'pressure', `${pressure}, but the bounds allow at most ${max}`);
    if (signals.ready < current) {
      return settle(
        current,
        'pressure',
        `${pressure}; ${current - signals.ready} more replicas are starting`,
      );
    }
    if (now - memory.lastUpAt < pace.upPauseMs) {
      return settle(
        current,
        'pressure',
        `${pressure}; the newest replica has not taken effect yet`,
      );
    }
    return settle(current + 1, 'pressure', pressure);
  }
  return down(remembered, signals, limits, current, now, busy, settle);
}

function down(
  memory: ScalingMemory,
  signals: ScalingSignals,
  { min, idleMs: patienceMs = IDLE_MS }: ScalingLimits,
  current: number,
  now: Instant,
  busy: boolean,
  settle: Settle,
): ScalingDecision {
  const idleMs = now - memory.lastTrafficAt;
  if (min === 0 && !busy && idleMs >= patienceMs) {
    return settle(0, 'idle', `no request for ${Math.round(idleMs / 1000)} s`);
  }
  const quietSince = Math.max(memory.lastUpAt, memory.lastDownAt, memory.lastPressureAt);
  if (current > Math.max(1, min) && now - quietSince >= memory.holdMs) {
    const peak = peakDemand(memory, now);
    const enough = Math.max(1, min, replicasFor(peak, signals.capacity, DOWN_LOAD));
    if (signals.capacity === 0 && peak > 0) {
      return settle(
        current - 1,
        'quiet',
        `nothing has waited for ${Math.round(memory.holdMs / 1000)} s`,
      );
    }
    if (enough < current) {
      return settle(
        enough,
        'quiet',
        `at most ${rate(peak)} rows/s arrived in ${Math.round(memory.holdMs / 1000)} s, ` +
          `which ${enough} ${enough === 1 ? 'replica carries' : 'replicas carry'} at ${DOWN_LOAD * 100} % load`,
      );
    }
  }
  return settle(current, 'steady', `${rate(meanDemand(memory, now))} rows/s are carried`);
}

/** Why requests wait too long now; undefined if they do not. */
export function pressureOf(
  signals: ScalingSignals,
  { objectiveMs }: ScalingLimits,
): string | undefined {
  const { predictedDelayMs, shedPerSecond } = signals;
  if (predictedDelayMs > objectiveMs * PRESSURE_SHARE) {
    return `a request would wait ${rate(predictedDelayMs)} ms, more than half of the objective of ${objectiveMs} ms`;
  }
  // Requests whose deadline no number of replicas could meet are refused without a queue.
  if (shedPerSecond > 0 && predictedDelayMs > objectiveMs * SHED_PRESSURE_SHARE) {
    return `${rate(shedPerSecond)} requests/s are shed and a request would wait ${rate(predictedDelayMs)} ms`;
  }
  return undefined;
}

function remember(
  memory: ScalingMemory,
  signals: ScalingSignals,
  now: Instant,
  pace: ScalingPace,
  busy: boolean,
  pressed: boolean,
): ScalingMemory {
  const demand = memory.demand.filter(({ at }) => now - at < Math.max(memory.holdMs, pace.holdMs));
  demand.push({ at: now, rowsPerSecond: signals.rowsPerSecond });
  return {
    ...memory,
    demand,
    lastTrafficAt: busy ? now : memory.lastTrafficAt,
    lastPressureAt: pressed ? now : memory.lastPressureAt,
  };
}

/** Records a change, and lengthens the hold time if an increase follows soon after a decrease. */
export function stepped(
  memory: ScalingMemory,
  from: number,
  to: number,
  now: Instant,
  { holdMs: shortest } = REPLICA_PACE,
): ScalingMemory {
  if (to === from) return memory;
  if (to < from) return { ...memory, lastDownAt: now };
  const sinceDown = now - memory.lastDownAt;
  const holdMs =
    from > 0 && sinceDown < memory.holdMs * 4
      ? Math.min(MAX_HOLD_MS, memory.holdMs * 2)
      : sinceDown > MAX_HOLD_MS * 2
        ? shortest
        : memory.holdMs;
  return { ...memory, lastUpAt: now, holdMs };
}

function replicasFor(demand: number, capacity: number, load: number): number {
  return capacity > 0 ? Math.ceil(demand / (capacity * load)) : 0;
}

function meanDemand(memory: ScalingMemory, now: Instant): number {
  let sum = 0;
  let count = 0;
  for (let i = memory.demand.length - 1; i >= 0; i--) {
    const sample = memory.demand[i]!;
    if (now - sample.at >= DEMAND_SECONDS * 1000) break;
    sum += sample.rowsPerSecond;
    count++;
  }
  // A new version has seen less than the whole window: one busy second is not yet a demand.
  return sum / Math.max(count, DEMAND_SECONDS);
}

/** The highest mean over the demand window within the hold time. */
function peakDemand(memory: ScalingMemory, now: Instant): number {
  const { demand, holdMs } = memory;
  let peak = 0;
  let sum = 0;
  let start = 0;
  for (let i = 0; i < demand.length; i++) {
    const sample = demand[i]!;
    if (now - sample.at >= holdMs) {
      start = i + 1;
      continue;
    }
    sum += sample.rowsPerSecond;
    while (sample.at - demand[start]!.at >= DEMAND_SECONDS * 1000)
      sum -= demand[start++]!.rowsPerSecond;
    peak = Math.max(peak, sum / (i - start + 1));
  }
  return peak;
}

function rate(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
}
