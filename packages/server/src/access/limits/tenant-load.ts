/**
 * Counts the queued and running requests of a tenant and estimates when one of them ends.
 *
 * The time to the next free place is the mean gap between the tenant's completions while it was
 * busy. That number includes whatever slows its requests down.
 */
import type { Instant } from '@skein/serving';

const SMOOTHING = 0.1;
/** Estimate before the first completion. */
const FIRST_GUESS_MS = 100;

export interface TenantLoad {
  inFlight: number;
  meanGapMs: number;
  lastLeftAt: Instant;
}

export function tenantLoad(): TenantLoad {
  return { inFlight: 0, meanGapMs: FIRST_GUESS_MS, lastLeftAt: -1 };
}

export function arrive(load: TenantLoad, now: Instant): void {
  // An idle period reveals nothing about the duration of requests.
  if (load.inFlight === 0) load.lastLeftAt = now;
  load.inFlight += 1;
}

export function depart(load: TenantLoad, now: Instant): void {
  load.inFlight -= 1;
  load.meanGapMs += SMOOTHING * (now - load.lastLeftAt - load.meanGapMs);
  load.lastLeftAt = now;
}
