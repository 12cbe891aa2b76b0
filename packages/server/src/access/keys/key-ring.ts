/**
 * The keys in memory, by id, for access checks and lists.
 *
 * A new key is written to the state first, because a key that a restart drops is useless. A
 * revocation takes effect in memory first, so that the next request is rejected even if the disk is
 * full or the store is unreachable; it is then written to the state until it is durable
 * (`revocations.ts`).
 *
 * Keys that ended stay listed until the ring is full: a new one then takes the place of the keys that
 * ended longest ago.
 */
import type { KeyRecord, State } from '@skein/state';
import { SkeinError } from '@skein/api/errors';
import { safeLine } from '@skein/api/safe-text';
import { UnsureChange } from '../audit-trail.ts';
import type { Caller, Keys, KeyView, NewKey } from '../contract.ts';
import { createRevocations } from './revocations.ts';
import { issueToken } from '@skein/http';
import { tokenBucket, type TokenBucket } from '../limits/token-bucket.ts';

/** A key in the form for the hot path: nothing to parse, nothing to allocate. */
export interface HeldKey {
  readonly caller: Caller;
  readonly hash: Buffer;
  /** Requests per second over all nodes; absent: unlimited. */
  readonly ratePerSecond: number | undefined;
  /** This node's part of the rate. */
  readonly bucket: TokenBucket | undefined;
  /** Absent: 1. */
  readonly weight: number | undefined;
  /** Requests in flight over all nodes; Infinity: unlimited. */
  readonly maxConcurrent: number;
  /** This node's part of the requests in flight. */
  concurrent: number;
  /** Recent requests that were refused for that. */
  crowdedOut: number;
  /** Milliseconds since 1970; Infinity: never. */
  readonly expiresAt: number;
  revoked: boolean;
}

export interface KeyRing extends Keys {
  /** Number of keys created and revoked, to invalidate cached results. */
  readonly changes: number;
  find(id: string): HeldKey | undefined;
  /** Every key that has a limit. */
  limited(): Iterable<HeldKey>;
  /** Takes over the keys of the fleet: new ones, revocations, and the end of keys that are gone. */
  follow(stored: Iterable<KeyRecord>): void;
  /** The keys of a tenant that are valid at a time, in milliseconds since 1970. */
  validOf(tenant: string, wallNow: number): HeldKey[];
  /** Begins to write the revocations that are not durable yet: the store takes changes again. */
  writeRevocations(): void;
  /** Writes the revocations that are not durable yet. */
  close(): Promise<void>;
}

/** Every key is in memory, and a change of a tenant's weight reads all of them. */
const MAX_KEYS = 100_000;
/** A node of a fleet that was away for longer may still hold a removed key as valid, and reports that the store lost it. */
const REMOVED_AFTER_MS = 30 * 86_400_000;
const REMOVED_AT_ONCE = 100;

/**
 * @param onRevoked called synchronously when a key is revoked.
 * @param maxKeys those that ended count too.
 */
export async function openKeyRing(
  state: Pick<State, 'addKey' | 'keys' | 'revokeKey' | 'removeKeys'>,
  onRevoked: (key: HeldKey) => void = () => {},
  maxKeys = MAX_KEYS,
): Promise<KeyRing> {
  const held = new Map<string, HeldKey>();
  const records = new Map<string, KeyRecord>();
  const limited = new Map<string, HeldKey>();
  const keep = (record: KeyRecord): void => {
    const key = hold(record);
    held.set(record.id, key);
    records.set(record.id, record);
    if (key.bucket !== undefined || key.maxConcurrent < Infinity) limited.set(record.id, key);
  };
  for (const record of await state.keys()) keep(record);
  const revocations = createRevocations(state);
  let changes = 0;

  /** The requests and streams of a key end here, whatever the state holds. */
  function end(record: KeyRecord, key: HeldKey, revokedAt: string): void {
    records.set(record.id, { ...record, revokedAt });
    limited.delete(record.id);
    key.revoked = true;
    changes += 1;
    onRevoked(key);
  }

  function drop(id: string): void {
    held.delete(id);
    records.delete(id);
    limited.delete(id);
    changes += 1;
  }

  /** Removes the keys that ended longest ago, if any did so long enough ago. */
  async function removeEnded(): Promise<void> {
    const before = Date.now() - REMOVED_AFTER_MS;
    const ended = [...records.values()]
      .map((record) => ({ id: record.id, at: endedAt(record) }))
      .filter(({ id, at }) => at < before && !revocations.unwritten.has(id))
      .sort((a, b) => a.at - b.at)
      .slice(0, REMOVED_AT_ONCE)
      .map(({ id }) => id);
    if (ended.length === 0) return;
    await state.removeKeys(ended);
    for (const id of ended) drop(id);
  }

  return {
    get changes() {
      return changes;
    },
    find: (id) => held.get(id),
    limited: () => limited.values(),
    validOf: (tenant, wallNow) =>
      [...held.values()].filter(
        ({ caller, revoked, expiresAt }) =>
          caller.tenant === tenant && !revoked && wallNow < expiresAt,
      ),

    async create(key) {
      if (held.size >= maxKeys) await removeEnded();
      if (held.size >= maxKeys) {
        throw new SkeinError('KEYS_TOO_MANY', `The node has ${held.size} API keys already.`);
      }
      const { id, token, hash } = issueToken();
      const record: KeyRecord = {
        id,
        secretHash: hash,
        ...checked(key),
        createdAt: new Date().toISOString(),
      };
      await state.addKey(record).catch((error: unknown) => {
        throw withLeftover(error, id);
      });
      keep(record);
      changes += 1;
      return { key: viewOf(record), secret: token };
    },

    list: async () => [...records.values()].map(viewOf),

    async show(id) {
      const record = records.get(id);
      if (record === undefined) throw unknown(id);
      return { ...viewOf(record), durable: !revocations.unwritten.has(id) };
    },

    async revoke(id) {
      const record = records.get(id);
      const key = held.get(id);
      if (record === undefined || key === undefined) throw unknown(id);
      const { revokedAt = new Date().toISOString() } = record;
      // Before the write: end the streams of the key even if the disk is full.
      end(record, key, revokedAt);
      await revocations.write(id, revokedAt);
    },

    follow(stored) {
      const gone = new Set(records.keys());
      for (const record of stored) {
        gone.delete(record.id);
        const known = records.get(record.id);
        const key = held.get(record.id);
        if (known === undefined || key === undefined) {
          keep(record);
          changes += 1;
        } else if (record.revokedAt !== undefined && !key.revoked) {
          end(known, key, record.revokedAt);
        }
      }
      for (const id of gone) {
        const key = held.get(id);
        if (key !== undefined) end(records.get(id)!, key, new Date().toISOString());
        drop(id);
      }
    },

    writeRevocations: () => revocations.retry(),
    close: () => revocations.close(),
  };
}

/** A store that did not answer may hold the key nevertheless; its secret was given to no caller. */
function withLeftover(error: unknown, id: string): unknown {
  if (!(error instanceof SkeinError) || error.code !== 'STORE_UNREACHABLE') return error;
  return new UnsureChange(
    id,
    `${error.message} If \`skein keys ls\` lists the key ${id} later, revoke it: its secret was not given out.`,
    error,
  );
}

/** When the key was revoked or expires, in milliseconds since 1970; Infinity: never. */
function endedAt({ revokedAt, expiresAt }: KeyRecord): number {
  const times = [revokedAt, expiresAt].map((at) => (at === undefined ? Infinity : Date.parse(at)));
  return Math.min(...times);
}

function unknown(id: string): SkeinError {
  return new SkeinError('KEY_UNKNOWN', `There is no API key "${id}".`);
}

function hold(record: KeyRecord): HeldKey {
  return {
    caller: Object.freeze({ actor: record.id, tenant: record.tenant, scopes: record.scopes }),
    hash: Buffer.from(record.secretHash, 'hex'),
    ratePerSecond: record.ratePerSecond,
    bucket: record.ratePerSecond === undefined ? undefined : tokenBucket(record.ratePerSecond),
    weight: record.weight,
    maxConcurrent: record.maxConcurrent ?? Infinity,
    concurrent: record.maxConcurrent ?? Infinity,
    crowdedOut: 0,
    expiresAt: record.expiresAt === undefined ? Infinity : Date.parse(record.expiresAt),
    revoked: record.revokedAt !== undefined,
  };
}

/** The schemas of the API check this too; a limit that fails open deserves a second check. */
function checked(key: NewKey): NewKey {
  const bad = (message: string) => new SkeinError('REQUEST_INVALID', message);
  const { label, tenant, scopes, ratePerSecond, maxConcurrent, weight, expiresAt } = key;
  if (tenant === '') throw bad('A key needs a tenant.');
  // Operators see the label and must be able to trust what it shows.
  if (safeLine(label) !== label) throw bad('A label has no control characters.');
  if (scopes.length === 0) throw bad('A key needs at least one scope.');
  if (ratePerSecond !== undefined && !(ratePerSecond > 0)) {
    throw bad(`ratePerSecond must be above 0, not ${ratePerSecond}.`);
  }
  if (maxConcurrent !== undefined && !(maxConcurrent >= 1)) {
    throw bad(`maxConcurrent must be at least 1, not ${maxConcurrent}.`);
  }
  if (weight !== undefined && !(weight > 0)) {
    throw bad(`weight must be above 0, not ${weight}.`);
  }
  if (expiresAt !== undefined && Number.isNaN(Date.parse(expiresAt))) {
    throw bad(`expiresAt must be an ISO 8601 time, not "${expiresAt}".`);
  }
  return {
    label,
    tenant,
    scopes: [...new Set(scopes)],
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
    ...(maxConcurrent === undefined ? {} : { maxConcurrent: Math.floor(maxConcurrent) }),
    ...(weight === undefined ? {} : { weight }),
    ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
  };
}

function viewOf({ secretHash: _secretHash, ...shown }: KeyRecord): KeyView {
  return shown;
}
