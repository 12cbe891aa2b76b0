/**
 * A circuit that tenants share: one for all of them, and one for each whose requests have failed.
 *
 * A prompt alone can make an upstream fail, every time that it is sent, and three of them must not
 * close the route for other tenants. So the failures of a tenant open its own circuit, and count
 * once for all: failures of three tenants, without a success between them, are the upstream's. It
 * costs an upstream that is away a few requests more: up to three of each of two tenants.
 */
import type { SkeinError } from '@skein/api/errors';
import { afterFailure, afterSending, type Circuit, CLOSED, closedIn } from './circuit.ts';

export interface SharedCircuit {
  readonly all: Circuit;
  /** Circuits of tenants with a failure since the last success; the first to fail comes first. */
  readonly tenants: ReadonlyMap<string, Circuit>;
}

export const ALL_CLOSED: SharedCircuit = { all: CLOSED, tenants: new Map() };

/** Tenants whose failures are remembered: a bound on memory; the oldest are dropped. */
const REMEMBERED = 256;

/** Milliseconds until the tenant may ask; 0: now. */
export function closedInFor({ all, tenants }: SharedCircuit, tenant: string, now: number): number {
  return Math.max(closedIn(all, now), closedIn(tenants.get(tenant) ?? CLOSED, now));
}

/** Notes that a request of the tenant was sent. */
export function afterSendingFor(
  { all, tenants }: SharedCircuit,
  tenant: string,
  now: number,
): SharedCircuit {
  const own = tenants.get(tenant);
  return {
    all: afterSending(all, now),
    tenants: own === undefined ? tenants : withTenant(tenants, tenant, afterSending(own, now)),
  };
}

/** @param isOfKey whether the upstream has refused the key, which is the same for every tenant. */
export function afterFailureFor(
  { all, tenants }: SharedCircuit,
  tenant: string,
  error: SkeinError,
  now: number,
  random: number,
  isOfKey: boolean,
): SharedCircuit {
  const own = tenants.get(tenant) ?? CLOSED;
  const failed = afterFailure(own, error, now, random);
  if (failed === own) return { all, tenants };
  const counts = isOfKey || !tenants.has(tenant);
  return {
    // One that does not count may have been the try of an opened circuit: another tenant tries it.
    all: counts ? afterFailure(all, error, now, random, isOfKey) : { ...all, triedAt: undefined },
    tenants: withTenant(tenants, tenant, failed),
  };
}

function withTenant(
  tenants: ReadonlyMap<string, Circuit>,
  tenant: string,
  circuit: Circuit,
): ReadonlyMap<string, Circuit> {
  const all = new Map(tenants).set(tenant, circuit);
  for (const oldest of all.keys()) {
    if (all.size <= REMEMBERED) break;
    all.delete(oldest);
  }
  return all;
}
