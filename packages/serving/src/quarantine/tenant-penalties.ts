/**
 * Bounds how many replicas of a version a tenant may end: each costs every tenant the time until
 * the next one is ready. `quarantine.ts` identifies a request by its inputs; this identifies a
 * caller that varies them by its tenant.
 *
 *   a run ended its replica ──▶ of one tenant: a strike      three strikes: refused, until one expires
 *                           └─▶ of several: each is a suspect, and runs separately for a while
 *
 * A strike expires after 30 seconds, so a tenant costs a version at most three replicas at once and
 * two per minute from then on. A tenant that is alone on the version harms only itself and is not
 * refused: a model that crashes now and then must stay usable.
 *
 * While no replica has been ended, a request costs one comparison.
 */
import { SkeinError } from '@skein/api';
import type { Clock, Instant } from '../contract.ts';

const MAX_STRIKES = 3;
const STRIKE_EXPIRY_MS = 30_000;
/** A tenant without a request for this long does not need protection. */
const ABSENT_MS = 600_000;
/** How long a tenant's requests run separately. */
const SUSPECT_MS = 60_000;

interface TenantRecord {
  /** Strikes at `at`; they expire from then on. */
  strikes: number;
  at: Instant;
  suspectUntil: Instant;
}

export class TenantPenalties {
  readonly #version: string;
  readonly #clock: Clock;
  readonly #records = new Map<string, TenantRecord>();
  /** Time of each tenant's last request, recorded while any tenant has a strike. */
  readonly #seen = new Map<string, Instant>();

  constructor(version: string, clock: Clock) {
    this.#version = version;
    this.#clock = clock;
  }

  /** A run has ended its replica. @param tenants of its requests. */
  note(tenants: ReadonlySet<string>): void {
    const now = this.#clock.now();
    for (const tenant of tenants) {
      const record = this.#records.get(tenant) ?? { strikes: 0, at: now, suspectUntil: -Infinity };
      if (tenants.size === 1) {
        record.strikes = left(record, now) + 1;
        record.at = now;
      }
      record.suspectUntil = now + SUSPECT_MS;
      this.#records.set(tenant, record);
    }
  }

  /** Whether the tenant's requests must not share a run with other tenants'. */
  isSuspect(tenant: string): boolean {
    if (this.#records.size === 0) return false;
    const record = this.#records.get(tenant);
    return record !== undefined && record.suspectUntil > this.#clock.now();
  }

  /** Why the tenant is refused now; undefined if it is admitted. */
  refusal(tenant: string): SkeinError | undefined {
    if (this.#records.size === 0) return undefined;
    const now = this.#clock.now();
    this.#seen.set(tenant, now);
    const record = this.#records.get(tenant);
    if (record === undefined) {
      this.#dropExpired(now);
      return undefined;
    }
    const over = left(record, now) - MAX_STRIKES;
    // After three strikes at once, the first one must expire.
    if (over <= -1 || !this.#hasOthers(tenant, now)) return undefined;
    return new SkeinError(
      'TENANT_HELD',
      `Requests of this tenant have ended ${Math.ceil(record.strikes)} replicas of version ${this.#version}.`,
      { retryAfterMs: Math.ceil((over + 1) * STRIKE_EXPIRY_MS) },
    );
  }

  #hasOthers(tenant: string, now: Instant): boolean {
    for (const [other, at] of this.#seen) {
      if (other !== tenant && now - at < ABSENT_MS) return true;
    }
    return false;
  }

  /** A tenant without strikes is dropped. */
  #dropExpired(now: Instant): void {
    for (const [tenant, record] of this.#records) {
      if (left(record, now) === 0 && record.suspectUntil <= now) this.#records.delete(tenant);
    }
    if (this.#records.size === 0) this.#seen.clear();
  }
}

/** Strikes that have not expired. */
function left({ strikes, at }: TenantRecord, now: Instant): number {
  return Math.max(0, strikes - (now - at) / STRIKE_EXPIRY_MS);
}
