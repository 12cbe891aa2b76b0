/**
 * The keys in memory, by id. Every change goes to the state first and then here, in the same turn:
 * what `revoke` has acknowledged is refused from the next request on.
 */
import type { KeyRecord, State } from '../state/contract.ts';
import { SkeinError } from '@skein/api/errors';
import type { Caller, Keys, KeyView, NewKey } from './contract.ts';
import { issueToken } from './token.ts';
import { tokenBucket, type TokenBucket } from './token-bucket.ts';

/** A key as the hot path wants it: nothing left to parse, nothing to allocate. */
export interface HeldKey {
  readonly caller: Caller;
  readonly hash: Buffer;
  readonly bucket: TokenBucket | undefined;
  /** Absent: 1. */
  readonly weight: number | undefined;
  /** Infinity: unlimited. */
  readonly maxConcurrent: number;
  /** Milliseconds since 1970; Infinity: never. */
  readonly expiresAt: number;
  revoked: boolean;
}

export interface KeyRing extends Keys {
  /** Counts the keys created and revoked, for what is computed from all keys and remembered. */
  readonly changes: number;
  find(id: string): HeldKey | undefined;
  /** The keys of a tenant that are valid at a time, in milliseconds since 1970. */
  validOf(tenant: string, wallNow: number): HeldKey[];
}

/** @param onRevoked told of a key in the same turn in which it is refused from. */
export async function openKeyRing(
  state: Pick<State, 'addKey' | 'keys' | 'revokeKey'>,
  onRevoked: (key: HeldKey) => void = () => {},
): Promise<KeyRing> {
  const held = new Map<string, HeldKey>();
  for (const record of await state.keys()) held.set(record.id, hold(record));
  let changes = 0;

  return {
    get changes() {
      return changes;
    },
    find: (id) => held.get(id),
    validOf: (tenant, wallNow) =>
      [...held.values()].filter(
        ({ caller, revoked, expiresAt }) =>
          caller.tenant === tenant && !revoked && wallNow < expiresAt,
      ),

    async create(key) {
      const { id, token, hash } = issueToken();
      const record: KeyRecord = {
        id,
        secretHash: hash,
        ...checked(key),
        createdAt: new Date().toISOString(),
      };
      await state.addKey(record);
      held.set(id, hold(record));
      changes += 1;
      return { key: viewOf(record), secret: token };
    },

    async list() {
      return (await state.keys()).map(viewOf);
    },

    async revoke(id) {
      if (!(await state.revokeKey(id, new Date().toISOString()))) {
        throw new SkeinError('KEY_UNKNOWN', `There is no API key "${id}".`);
      }
      const key = held.get(id);
      if (key) key.revoked = true;
      changes += 1;
      if (key) onRevoked(key);
    },
  };
}

function hold(record: KeyRecord): HeldKey {
  return {
    caller: Object.freeze({ actor: record.id, tenant: record.tenant, scopes: record.scopes }),
    hash: Buffer.from(record.secretHash, 'hex'),
    bucket: record.ratePerSecond === undefined ? undefined : tokenBucket(record.ratePerSecond),
    weight: record.weight,
    maxConcurrent: record.maxConcurrent ?? Infinity,
    expiresAt: record.expiresAt === undefined ? Infinity : Date.parse(record.expiresAt),
    revoked: record.revokedAt !== undefined,
  };
}

/** The schemas of the API check this too; a limit that fails open deserves a second look. */
function checked(key: NewKey): NewKey {
  const bad = (message: string) => new SkeinError('REQUEST_INVALID', message);
  const { label, tenant, scopes, ratePerSecond, maxConcurrent, weight, expiresAt } = key;
  if (tenant === '') throw bad('A key needs a tenant.');
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
