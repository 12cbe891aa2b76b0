/**
 * Where an input is answered: on this device, or by the node. A pure function, so that each answer can give its reason.
 *
 * A private input is never sent, whatever the deadline: a device without a version then refuses. Else the device answers
 * itself, unless it is too slow for the deadline by the p99 of its recent runs.
 */

/** The device's own version. */
export interface LocalState {
  readonly isReady: boolean;
  /** Why it is not. */
  readonly reason?: string | undefined;
  /** The p99 of its recent runs, in milliseconds; undefined before there are enough. */
  readonly p99Ms: number | undefined;
}

export interface RemoteState {
  readonly isConfigured: boolean;
  /** By the manifest of the bundle. */
  readonly isAllowed: boolean;
  /** When the node may be asked again, by its Retry-After or after it could not be reached; 0: now. */
  readonly retryAt: number;
}

export interface Asked {
  readonly isPrivate: boolean;
  readonly deadlineMs: number | undefined;
}

export type Decision =
  | { readonly where: 'local' | 'remote'; readonly why: string }
  | { readonly where: 'refused'; readonly why: string };

export function decide(
  asked: Asked,
  local: LocalState,
  remote: RemoteState,
  now: number,
): Decision {
  const barrier = barrierOf(asked, remote, now);
  if (!local.isReady) {
    const why = local.reason ?? 'no version is installed';
    if (barrier === undefined) return { where: 'remote', why };
    return { where: 'refused', why: `${why}, and ${barrier}` };
  }
  const { deadlineMs } = asked;
  const { p99Ms } = local;
  if (deadlineMs === undefined || p99Ms === undefined || p99Ms <= deadlineMs) {
    return {
      where: 'local',
      why: asked.isPrivate ? 'the input is private' : 'the device is fast enough',
    };
  }
  const late = `the device takes ${Math.ceil(p99Ms)} ms at its p99, and the deadline is ${deadlineMs} ms`;
  if (barrier === undefined) return { where: 'remote', why: late };
  return { where: 'local', why: `${barrier}, although ${late}` };
}

/** Why an input may not be sent; undefined if it may. */
export function barrierOf(asked: Asked, remote: RemoteState, now: number): string | undefined {
  if (asked.isPrivate) return 'the input is private';
  if (!remote.isConfigured) return 'there is no node';
  if (!remote.isAllowed) return 'the bundle allows no offload';
  if (now < remote.retryAt) return `the node is not to be asked for ${remote.retryAt - now} ms`;
  return undefined;
}
