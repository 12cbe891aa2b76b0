/**
 * Where an input is answered: on this device, by the node, or by whichever of both is first. A pure function, so that
 * each answer can give its reason.
 *
 * A private input is never sent, whatever the deadline: a device without a version then refuses. Else the device computes
 * itself, and asks the node as well where the device has not answered at the last moment from which the node still
 * answers in time. The node alone is asked where the device is usually too slow, and the node is not.
 *
 * The hedge costs a request of the node for each run that is slow, and no more; a fast device sends none.
 */

/** Quantiles of recent times in milliseconds; undefined before there are enough. */
export interface Quantiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The device's own version. */
export interface LocalState {
  readonly isReady: boolean;
  /** Why it is not. */
  readonly reason?: string | undefined;
  /** A run that a hedge has left behind has not ended. */
  readonly isBusy: boolean;
  /** Its recent runs. */
  readonly runs: Quantiles | undefined;
}

export interface RemoteState {
  readonly isConfigured: boolean;
  /** By the manifest of the bundle. */
  readonly isAllowed: boolean;
  /** When the node may be asked again, by its Retry-After or after it could not be reached; 0: now. */
  readonly retryAt: number;
  /** From a request to its answer, recently. */
  readonly trips: Quantiles | undefined;
}

export interface Asked {
  readonly isPrivate: boolean;
  readonly deadlineMs: number | undefined;
}

export type Decision =
  | {
      readonly where: 'local';
      readonly why: string;
      /** After this time without an answer the node is asked as well; absent: never. */
      readonly hedgeAtMs?: number;
    }
  | { readonly where: 'remote'; readonly why: string }
  | { readonly where: 'refused'; readonly why: string };

/** How early the node is asked as well. `simulation.test.ts` halves and doubles both. */
export interface HedgeMargins {
  /** Multiple of the p99 of recent trips that is kept for the node: the slowest of a few trips is seldom the slowest of all. */
  readonly trip: number;
  /** The part of the deadline that is kept for a node whose trips are unknown. */
  readonly unknownTripShare: number;
}

const MARGINS: HedgeMargins = { trip: 1.2, unknownTripShare: 0.8 };

export function decide(
  asked: Asked,
  local: LocalState,
  remote: RemoteState,
  now: number,
  margins = MARGINS,
): Decision {
  const barrier = barrierOf(asked, remote, now);
  if (!local.isReady) {
    const why = local.reason ?? 'no version is installed';
    if (barrier === undefined) return { where: 'remote', why };
    return { where: 'refused', why: `${why}, and ${barrier}` };
  }
  const { deadlineMs } = asked;
  const { runs } = local;
  const isLate = deadlineMs !== undefined && runs !== undefined && runs.p99Ms > deadlineMs;
  const late = isLate
    ? `the device takes ${Math.ceil(runs.p99Ms)} ms at its p99, and the deadline is ${deadlineMs} ms`
    : undefined;
  if (barrier !== undefined) {
    if (late !== undefined) return { where: 'local', why: `${barrier}, although ${late}` };
    return { where: 'local', why: asked.isPrivate ? barrier : 'the device is fast enough' };
  }
  if (local.isBusy) return { where: 'remote', why: 'the device still computes an earlier input' };
  if (deadlineMs === undefined) return { where: 'local', why: 'the device is fast enough' };
  const { trips } = remote;
  const isUsuallyLate = runs !== undefined && runs.p50Ms > deadlineMs;
  const isNodeInTime = trips !== undefined && trips.p99Ms <= deadlineMs;
  if (isUsuallyLate && isNodeInTime) {
    return {
      where: 'remote',
      why: `the device takes ${Math.ceil(runs.p50Ms)} ms, and the deadline is ${deadlineMs} ms`,
    };
  }
  const tripMs =
    trips === undefined ? deadlineMs * margins.unknownTripShare : trips.p99Ms * margins.trip;
  const hedgeAtMs = isUsuallyLate ? 0 : Math.max(0, deadlineMs - tripMs);
  return { where: 'local', why: late ?? 'the device is fast enough', hedgeAtMs };
}

/** Why an input may not be sent; undefined if it may. */
export function barrierOf(asked: Asked, remote: RemoteState, now: number): string | undefined {
  if (asked.isPrivate) return 'the input is private';
  if (!remote.isConfigured) return 'there is no node';
  if (!remote.isAllowed) return 'the bundle allows no offload';
  if (now < remote.retryAt) return `the node is not to be asked for ${remote.retryAt - now} ms`;
  return undefined;
}
