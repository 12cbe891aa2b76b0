/**
 * Bounds how many replicas of a version a tenant may end: each costs every tenant the time until the
 * next one is up. `quarantine.ts` knows a request by its inputs; a caller that varies them is known
 * here by its tenant.
 *
 *   a run ended its replica ──▶ of one tenant: a strike      three strikes: refused, until one is forgiven
 *                           └─▶ of several: each is a suspect, and runs apart from the others for a while
 *
 * A strike is forgiven every 30 seconds, so a tenant costs a version at most three replicas at once and
 * two a minute from then on. A tenant that is alone on the version takes only from itself, and is not
 * refused: a model that crashes by itself now and then must go on.
 *
 * While no replica has been ended, a request costs one comparison.
 */
import { SkeinError } from '@skein/api';
import type { Clock, Instant } from './contract.ts';

const MAX_STRIKES = 3;
const FORGIVE_MS = 30_000;
/** A tenant that has not asked for so long is not one that needs to be protected. */
const ABSENT_MS = 600_000;
/** For how long a tenant runs apart. */
const SUSPECT_MS = 60_000;

interface Conduct {
  /** Strikes at `at`; since then they have become fewer. */
  strikes: number;
  at: Instant;
  suspectUntil: Instant;
}

export class TenantPenalties {
  readonly #version: string;
  readonly #clock: Clock;
  readonly #conduct = new Map<string, Conduct>();
  /** When each tenant asked last, noted while somebody has a strike. */
  readonly #seen = new Map<string, Instant>();

  constructor(version: string, clock: Clock) {
    this.#version = version;
    this.#clock = clock;
  }

  /** A run has ended its replica. @param tenants whose requests were in it. */
  note(tenants: ReadonlySet<string>): void {
    const now = this.#clock.now();
    for (const tenant of tenants) {
      const conduct = this.#conduct.get(tenant) ?? { strikes: 0, at: now, suspectUntil: -Infinity };
      if (tenants.size === 1) {
        conduct.strikes = left(conduct, now) + 1;
        conduct.at = now;
      }
      conduct.suspectUntil = now + SUSPECT_MS;
      this.#conduct.set(tenant, conduct);
    }
  }

  /** Whether the tenant's requests must share no run with those of others. */
  isSuspect(tenant: string): boolean {
    if (this.#conduct.size === 0) return false;
    const conduct = this.#conduct.get(tenant);
    return conduct !== undefined && conduct.suspectUntil > this.#clock.now();
  }

  /** Why the tenant is not let in now; undefined when it is. */
  refusal(tenant: string): SkeinError | undefined {
    if (this.#conduct.size === 0) return undefined;
    const now = this.#clock.now();
    this.#seen.set(tenant, now);
    const conduct = this.#conduct.get(tenant);
    if (conduct === undefined) {
      this.#forget(now);
      return undefined;
    }
    const over = left(conduct, now) - MAX_STRIKES;
    // After three at once the first of them has to be forgiven.
    if (over <= -1 || !this.#hasOthers(tenant, now)) return undefined;
    return new SkeinError(
      'TENANT_HELD',
      `Requests of this tenant have ended ${Math.ceil(conduct.strikes)} replicas of version ${this.#version}.`,
      { retryAfterMs: Math.ceil((over + 1) * FORGIVE_MS) },
    );
  }

  #hasOthers(tenant: string, now: Instant): boolean {
    for (const [other, at] of this.#seen) {
      if (other !== tenant && now - at < ABSENT_MS) return true;
    }
    return false;
  }

  /** Whose strikes are all forgiven is like any other. */
  #forget(now: Instant): void {
    for (const [tenant, conduct] of this.#conduct) {
      if (left(conduct, now) === 0 && conduct.suspectUntil <= now) this.#conduct.delete(tenant);
    }
    if (this.#conduct.size === 0) this.#seen.clear();
  }
}

/** Strikes that are not forgiven yet. */
function left({ strikes, at }: Conduct, now: Instant): number {
  return Math.max(0, strikes - (now - at) / FORGIVE_MS);
}
