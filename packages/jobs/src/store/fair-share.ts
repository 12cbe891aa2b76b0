/**
 * Which tenant starts the next job: weighted dominant-resource fairness (Ghodsi et al., NSDI 2011).
 * The tenant with the smallest dominant share of the fleet, divided by its weight, is next.
 *
 * Shares tie when little runs at once (a single slot is always empty when it is given away). Then
 * virtual time decides: each start costs its dominant share divided by the weight. A tenant that
 * was idle resumes at the clock of the active tenants, so it has no credit for its idle time
 * (start-time fair queueing, Goyal et al., SIGCOMM 1996).
 */
export interface Resources {
  readonly millicores: number;
  readonly memoryBytes: number;
}

export interface TenantShare {
  readonly tenant: string;
  readonly weight: number;
  /** Resources that its running jobs hold. */
  readonly held: Resources;
  readonly virtualTime: number;
}

/** @returns 0…1 of the fleet. */
export function dominantShare(held: Resources, total: Resources): number {
  return Math.max(held.millicores / total.millicores, held.memoryBytes / total.memoryBytes);
}

/** Negative when `a` goes first. */
export function compareShares(a: TenantShare, b: TenantShare, total: Resources): number {
  return (
    dominantShare(a.held, total) / a.weight - dominantShare(b.held, total) / b.weight ||
    a.virtualTime - b.virtualTime ||
    (a.tenant < b.tenant ? -1 : a.tenant > b.tenant ? 1 : 0)
  );
}

/** @returns the tenant's virtual time after a start, and the store's virtual clock. */
export function charge(
  { weight, virtualTime }: Pick<TenantShare, 'weight' | 'virtualTime'>,
  needs: Resources,
  total: Resources,
  clock: number,
): { virtualTime: number; clock: number } {
  const start = Math.max(virtualTime, clock);
  return { virtualTime: start + dominantShare(needs, total) / weight, clock: start };
}
