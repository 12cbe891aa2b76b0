/**
 * Identifies the caller from the Authorization header within about two microseconds: one sha-256,
 * one lookup, one comparison in constant time, no allocation that outlives the call.
 *
 * Rate limits apply per key, because a client can slow down its key. Concurrency limits apply per
 * tenant: a key's `maxConcurrent` is compared with all requests in flight of its tenant, however
 * many keys the tenant has.
 */
import { timingSafeEqual } from 'node:crypto';
import { SkeinError } from '@skein/api/errors';
import type { Clock, WeightOf } from '@skein/serving';
import type { State } from '@skein/state';
import type { ShareOf } from '@skein/api/shared-budget';
import type { Access, Caller, Scope } from './contract.ts';
import { openKeyRing, type HeldKey, type KeyRing } from './keys/key-ring.ts';
import { watchKeys } from './keys/key-watch.ts';
import { arrive, depart, tenantLoad, type TenantLoad } from './limits/tenant-load.ts';
import { bearerOf, hashToken, idOfToken } from '@skein/http';
import { take } from './limits/token-bucket.ts';

/** `open`: any process on this machine may do everything. `keys`: a request needs an API key. */
export type AccessMode = 'open' | 'keys';

const LOCAL: Caller = Object.freeze({
  actor: 'local',
  tenant: 'default',
  scopes: Object.freeze(['infer', 'read', 'jobs', 'admin'] as const),
});
const MAX_RETRY_MS = 60_000;
/** In which a node of a fleet gets a share of a limit that it has calls for. */
const SHARE_MS = 500;
/** How long the weight of a tenant is cached; a key may expire in between. */
const WEIGHT_MS = 1000;

interface KnownWeight {
  readonly weight: number;
  /** Change count of the key ring when the weight was computed. */
  readonly changes: number;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Errors for keys that a node cannot judge while it does not hold the state of its fleet. */
export interface KeyDoubt {
  /** Why a key that is not known here may exist. */
  missing(): SkeinError | undefined;
  /** Why no key of this node may be used any more. */
  outdated(): SkeinError | undefined;
}

/**
 * @param wallNow milliseconds since 1970, for the expiry of keys.
 * @param doubt of a node in a fleet.
 * @returns the access check of the faces, and the keys that it checks as `keys`.
 */
export async function createAccess(options: {
  state: Pick<State, 'addKey' | 'keys' | 'revokeKey' | 'removeKeys'>;
  mode: AccessMode;
  clock: Clock;
  wallNow?: () => number;
  doubt?: KeyDoubt | undefined;
}): Promise<
  Access & {
    readonly mode: AccessMode;
    readonly keys: KeyRing;
    readonly weightOf: WeightOf;
    /** The most that a tenant may hold of a shared resource. */
    readonly shareOf: ShareOf;
    /** Requests of a tenant that are in flight on this node. */
    readonly inFlight: (tenant: string) => number;
  }
> {
  const { state, mode, clock, wallNow = Date.now, doubt } = options;
  // Setting the clock back must not make expired keys valid again; setting it forward expires keys.
  const openedAt = wallNow() - clock.now();
  const time = (): number => Math.max(wallNow(), openedAt + clock.now());
  const watches = watchKeys((key) => endOf(key, time()));
  const keys = await openKeyRing(state, (key) => watches.look(key));
  if (mode === 'open') {
    const open = { weightOf: () => 1, shareOf: () => 1, inFlight: () => 0, authorize: () => LOCAL };
    return { mode, keys, ...open, enter() {}, leave() {}, watch: () => () => {} };
  }
  const loads = new Map<string, TenantLoad>();
  const weights = new Map<string, KnownWeight>();

  function weightOf(tenant: string): number {
    const now = time();
    const known = weights.get(tenant);
    if (known?.changes === keys.changes && now < known.until) return known.weight;
    const valid = keys.validOf(tenant, now);
    const weight = valid.length === 0 ? 1 : Math.max(...valid.map(({ weight = 1 }) => weight));
    // Cache only tenants that have a key: the operator decides how many there are.
    if (valid.length > 0) {
      weights.set(tenant, { weight, changes: keys.changes, until: now + WEIGHT_MS });
    }
    return weight;
  }

  return {
    mode,
    keys,
    weightOf,
    shareOf(tenant) {
      const weight = weightOf(tenant);
      return weight / (1 + weight);
    },

    authorize(authorization, scope) {
      const key = identify(keys, authorization, doubt);
      const ended = endOf(key, time()) ?? doubt?.outdated();
      if (ended !== undefined) throw ended;
      if (!allows(key.caller.scopes, scope)) {
        throw new SkeinError(
          'SCOPE_MISSING',
          `The API key ${key.caller.actor} lacks the scope "${scope}".`,
        );
      }
      if (key.bucket !== undefined) {
        const waitMs = take(key.bucket, clock.now());
        if (waitMs > 0) {
          throw new SkeinError(
            'RATE_LIMITED',
            `The API key ${key.caller.actor} has used up its ${key.ratePerSecond} requests per second.`,
            { retryAfterMs: retryAfter(waitMs, key.ratePerSecond) },
          );
        }
      }
      return key.caller;
    },

    enter(caller) {
      const now = clock.now();
      let load = loads.get(caller.tenant);
      if (load === undefined) loads.set(caller.tenant, (load = tenantLoad()));
      const key = keys.find(caller.actor);
      if (key !== undefined && load.inFlight >= key.concurrent) {
        key.crowdedOut += 1;
        const { concurrent, maxConcurrent } = key;
        const here =
          concurrent === maxConcurrent ? '' : `, and this node admits ${concurrent} of them`;
        throw new SkeinError(
          'QUOTA_EXCEEDED',
          `Tenant "${caller.tenant}" has ${load.inFlight} requests in flight; key ${caller.actor} allows ${maxConcurrent}${here}.`,
          { retryAfterMs: Math.min(MAX_RETRY_MS, Math.max(1, Math.ceil(load.meanGapMs))) },
        );
      }
      arrive(load, now);
    },

    leave(caller) {
      const load = loads.get(caller.tenant);
      if (load !== undefined && load.inFlight > 0) depart(load, clock.now());
    },

    inFlight: (tenant) => loads.get(tenant)?.inFlight ?? 0,

    watch(caller, onEnd) {
      const key = keys.find(caller.actor);
      return key === undefined ? () => {} : watches.watch(key, onEnd);
    },
  };
}

/** A node whose share is nothing now gets one soon: the wait of its own bucket would be years. */
function retryAfter(waitMs: number, ratePerSecond = Infinity): number {
  return Math.ceil(Math.min(waitMs, Math.max(1000 / ratePerSecond, SHARE_MS)));
}

function identify(
  keys: KeyRing,
  authorization: string | undefined,
  doubt: KeyDoubt | undefined,
): HeldKey {
  if (authorization === undefined || authorization === '') {
    throw new SkeinError('KEY_MISSING', 'This node requires an API key, and none was sent.');
  }
  const token = bearerOf(authorization);
  if (token === undefined) {
    throw new SkeinError(
      'KEY_MISSING',
      'The Authorization header is not of the form "Bearer KEY".',
    );
  }
  const id = idOfToken(token);
  const key = id === undefined ? undefined : keys.find(id);
  // A key of the fleet must not be called invalid because the store is away.
  const doubted = key === undefined && id !== undefined ? doubt?.missing() : undefined;
  if (doubted !== undefined) throw doubted;
  // The same message for all three: a guess must not learn which part was right.
  if (key === undefined || !timingSafeEqual(hashToken(token), key.hash)) {
    throw new SkeinError('KEY_INVALID', 'The API key is not one of this node.');
  }
  return key;
}

/** Why a key of this node may not be used any more. */
function endOf(key: HeldKey, wallNow: number): SkeinError | undefined {
  if (key.revoked) return invalid('has been revoked', key);
  return wallNow >= key.expiresAt ? invalid('has expired', key) : undefined;
}

function invalid(what: string, key: HeldKey): SkeinError {
  return new SkeinError('KEY_INVALID', `The API key ${key.caller.actor} ${what}.`);
}

/** `admin` includes the other scopes: a caller that may replace a model may also use it. */
function allows(scopes: readonly Scope[], wanted: Scope): boolean {
  return scopes.includes(wanted) || scopes.includes('admin');
}
