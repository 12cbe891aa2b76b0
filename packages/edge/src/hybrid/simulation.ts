/**
 * The policy against a clairvoyant one, by simulation. The clairvoyant one has the times of both in advance, and takes the
 * faster; it misses a deadline only where both do. The policy learns from its own requests alone.
 *
 * A case is a device and a node with times that differ, drift, stall and come in bursts of refusals with a Retry-After.
 */
import { decide, type HedgeMargins, type LocalState, type RemoteState } from './policy.ts';
import { LEAST_TRIPS, recentTimes } from './recent-times.ts';

const REQUESTS = 500;
/** Time between two requests, in milliseconds, as a multiple of the deadline. */
const GAP = 4;

export interface OffloadCase {
  readonly requests: number;
  /** Requests without an answer within the deadline. */
  readonly missed: number;
  readonly missedByClairvoyant: number;
  /** Requests that the node got, alone or as a hedge. */
  readonly sent: number;
  readonly hedged: number;
}

export function simulateOffload(seed: number, margins?: HedgeMargins): OffloadCase {
  const random = mulberry32(seed);
  const deadlineMs = 20 * 10 ** (2 * random());
  const device = timesOf(random, deadlineMs);
  const node = timesOf(random, deadlineMs);
  const refusals = random() < 0.3 ? 0.002 + 0.01 * random() : 0;
  const runs = recentTimes();
  const trips = recentTimes(LEAST_TRIPS);
  const totals = { missed: 0, missedByClairvoyant: 0, sent: 0, hedged: 0 };
  /** When the run ends that a hedge has left behind, and until when the node refuses. */
  let busyUntil = 0;
  let refusesUntil = 0;
  let retryAt = 0;

  for (let request = 0; request < REQUESTS; request++) {
    const now = request * deadlineMs * GAP;
    if (random() < refusals) refusesUntil = now + 40 * deadlineMs * GAP * random();
    const runMs = device(request / REQUESTS);
    const tripMs = node(request / REQUESTS);
    const refuses = now < refusesUntil;
    const localMs = Math.max(0, busyUntil - now) + runMs;
    if (Math.min(runMs, refuses ? Infinity : tripMs) > deadlineMs) totals.missedByClairvoyant += 1;

    const local: LocalState = { isReady: true, isBusy: busyUntil > now, runs: runs.quantiles() };
    const remote: RemoteState = {
      isConfigured: true,
      isAllowed: true,
      retryAt,
      trips: trips.quantiles(),
    };
    const decision = decide({ isPrivate: false, deadlineMs }, local, remote, now, margins);
    const sentAt =
      decision.where === 'remote' ? 0 : decision.where === 'local' ? decision.hedgeAtMs : undefined;
    const isSent = sentAt !== undefined && (decision.where === 'remote' || localMs > sentAt);
    let remoteMs = Infinity;
    if (isSent) {
      totals.sent += 1;
      if (decision.where === 'local') totals.hedged += 1;
      if (refuses) retryAt = refusesUntil;
      else remoteMs = sentAt + tripMs;
    }
    // A node that refuses leaves the input to the device.
    const runsHere = decision.where === 'local' || refuses;
    const ownMs = runsHere ? localMs : Infinity;
    if (Math.min(ownMs, remoteMs) > deadlineMs) totals.missed += 1;
    if (runsHere) {
      runs.add(runMs);
      busyUntil = now + localMs;
    }
    if (isSent && !refuses) {
      if (remoteMs <= ownMs) trips.add(tripMs);
      else trips.addCutOff(ownMs - sentAt);
    }
  }
  return { requests: REQUESTS, ...totals };
}

/** @param deadlineMs the median lies from a hundredth of it to three times as much. @returns the time at a part of the case. */
function timesOf(random: () => number, deadlineMs: number): (part: number) => number {
  const median = deadlineMs * 10 ** (-2 + 2.5 * random());
  const spread = 0.05 + 0.6 * random();
  const drift = random() < 0.5 ? 0 : random() - 0.5;
  const [stalls, stallMs] = [random() < 0.5 ? 0 : 0.05 * random(), deadlineMs * (1 + 5 * random())];
  return (part) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const time = median * Math.exp(spread * normal + drift * part);
    return random() < stalls ? time + stallMs : time;
  };
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Deadline misses in addition to the clairvoyant policy's, in points of percent over all requests. */
export function offloadRegretPp(cases: number, firstSeed = 1): number {
  let requests = 0;
  let excess = 0;
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const each = simulateOffload(seed);
    requests += each.requests;
    excess += each.missed - each.missedByClairvoyant;
  }
  return (100 * excess) / requests;
}
