/**
 * Decides how many members a fleet should have, by their published loads: the cores that the arriving
 * requests need, the requests that are refused for load, and the predicted waits.
 *
 * The rules equal the autoscaler's for replicas, with members in the place of replicas and cores
 * of work in the place of rows. A member takes longer to start and costs more than a replica, so a
 * decision stands for longer. The wait is the mean of the members: one busy member next to an idle one
 * is a matter of routing, not of machines.
 *
 * Every member decides for itself from the same loads. One that has just started has seen no demand
 * yet, and therefore keeps the number of members for its first minutes.
 */
import type { FleetScale, MemberLoad } from '@skein/api';
import {
  decideReplicas,
  pressureOf,
  startScaling,
  stepped,
  type ScalingLimits,
  type ScalingMemory,
  type ScalingPace,
  type ScalingSignals,
} from './autoscaler.ts';
import type { Instant, ScalingCause } from '../contract.ts';

/** A machine starts within the pause; a shorter hold makes it leave before the next burst. */
const MEMBER_PACE: ScalingPace = { upPauseMs: 60_000, holdMs: 120_000 };

export interface LoadedMember {
  readonly cores: number;
  /** Absent while it starts. */
  readonly load?: MemberLoad | undefined;
}

export interface FleetScaling {
  readonly memory: ScalingMemory;
  readonly desired: number;
}

export function startFleetScaling(members: number, now: Instant): FleetScaling {
  // The demand before this moment is not known, so no member is given up before it is.
  return { memory: { ...startScaling(now, MEMBER_PACE), lastPressureAt: now }, desired: members };
}

/** @param members those with a live lease; at least one, which decides. */
export function decideMembers(
  { memory, desired }: FleetScaling,
  members: readonly LoadedMember[],
  now: Instant,
): { readonly next: FleetScaling; readonly scale: FleetScale } {
  const loads = members.flatMap(({ load }) => (load === undefined ? [] : [load]));
  const sum = (of: (load: MemberLoad) => number): number =>
    loads.reduce((total, load) => total + of(load), 0);
  const cores = members.reduce((total, member) => total + member.cores, 0);
  const demandCores = sum((load) => load.demandCores);
  const shedPerSecond = sum((load) => load.shedPerSecond);
  const delayShare = loads.length === 0 ? 0 : sum((load) => load.delayShare) / loads.length;
  const idleMs = restsAfter(loads);
  const signals: ScalingSignals = {
    rowsPerSecond: demandCores,
    shedPerSecond,
    predictedDelayMs: delayShare,
    queued: loads.some(({ busy }) => busy) ? 1 : 0,
    running: 0,
    capacity: members.length === 0 ? 0 : cores / members.length,
    ready: members.length,
  };
  const limits: ScalingLimits = {
    min: idleMs === undefined ? 1 : 0,
    max: Number.MAX_SAFE_INTEGER,
    objectiveMs: 1,
    idleMs,
    pace: MEMBER_PACE,
  };
  // A platform may run more members than were asked for; pressure asks for more than those.
  const isPressed = pressureOf(signals, limits) !== undefined;
  const current = isPressed ? Math.max(desired, members.length) : desired;
  const decision = decideReplicas(memory, signals, limits, current, now);
  const coldStartMs = slowestStart(loads);
  const scale: FleetScale = {
    members: members.length,
    desiredMembers: decision.replicas,
    cause: decision.cause,
    reason: '',
    demandCores,
    cores,
    shedPerSecond,
    delayShare,
    coldStartMs,
  };
  return {
    next: {
      memory: stepped(decision.memory, desired, decision.replicas, now, MEMBER_PACE),
      desired: decision.replicas,
    },
    scale: { ...scale, reason: REASONS[decision.cause](scale) },
  };
}

/** When no deployment needs a member any more; undefined: one always does. */
function restsAfter(loads: readonly MemberLoad[]): number | undefined {
  let longest = 0;
  for (const { idleAfterMs } of loads) {
    if (idleAfterMs === null) return undefined;
    longest = Math.max(longest, idleAfterMs);
  }
  return loads.length === 0 ? undefined : longest;
}

function slowestStart(loads: readonly MemberLoad[]): number | null {
  const starts = loads.flatMap(({ startMs }) => startMs ?? []);
  return starts.length === 0 ? null : Math.max(...starts);
}

const REASONS: Readonly<Record<ScalingCause, (scale: FleetScale) => string>> = {
  bounds: () => 'a deployment with a minimum of at least one replica needs a member',
  woken: () => 'requests arrive and no member is wanted',
  demand: ({ demandCores, cores, members }) =>
    `requests for ${short(demandCores)} cores arrive, and ${members} members have ${short(cores)}, to be used to 80 %`,
  pressure: ({ delayShare, shedPerSecond, members, desiredMembers }) =>
    `a request would wait for ${percent(delayShare)} of its objective and ${short(shedPerSecond)} a second are refused` +
    (desiredMembers > members ? `; ${desiredMembers - members} more to start` : ''),
  quiet: ({ demandCores }) =>
    `for two minutes no request waited; ${short(demandCores)} cores are asked for now, to be used to 60 %`,
  idle: ({ coldStartMs }) =>
    'no deployment has had a request for its idle time' +
    (coldStartMs === null
      ? ''
      : `; the next one waits ${short(coldStartMs / 1000)} s for a member to start`),
  cores: () => 'the cores allow no more',
  steady: ({ demandCores, cores }) =>
    `requests for ${short(demandCores)} of ${short(cores)} cores are carried`,
};

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function short(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Math.round(value * 100) / 100);
}
