/**
 * The public keys of issuers. A key set is fetched from the address in the issuers file when a key is not known, at
 * most once in `COOLDOWN_MS`, and again when it is old: a withdrawn key is refused after `FRESH_MS` at the latest.
 */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { z } from 'zod';
import { fetchJson } from './fetch-json.ts';
import type { Issuer } from './issuers.ts';

const FRESH_MS = 600_000;
const COOLDOWN_MS = 30_000;
const FETCH_MS = 5000;

const KeySet = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).max(100),
});

type LocalKeys = ReturnType<typeof createLocalJWKSet>;
interface Kept {
  readonly keys: LocalKeys;
  readonly kids: ReadonlySet<string>;
  readonly fetchedAt: number;
}

export interface KeySets {
  /** @throws Error when the key set cannot be fetched. */
  keysFor(issuer: Issuer, kid: string): Promise<LocalKeys>;
}

export function createKeySets(now: () => number = Date.now): KeySets {
  const kept = new Map<string, Kept>();
  const fetching = new Map<string, Promise<Kept>>();
  /** When a fetch last failed: callers without a token must not make the service ask again and again. */
  const failedAt = new Map<string, number>();

  async function fetched(jku: string): Promise<Kept> {
    try {
      const { keys } = KeySet.parse(await fetchJson(jku, { Accept: 'application/json' }, FETCH_MS));
      const found = keptOf(keys);
      kept.set(jku, found);
      return found;
    } catch (error) {
      failedAt.set(jku, now());
      throw error;
    }
  }

  function keptOf(keys: readonly { kid?: string | undefined }[]): Kept {
    return {
      keys: createLocalJWKSet({ keys } as JSONWebKeySet),
      kids: new Set(keys.flatMap(({ kid }) => kid ?? [])),
      fetchedAt: now(),
    };
  }

  return {
    async keysFor({ iss, jku, keys }, kid) {
      if (jku === undefined) {
        const local = kept.get(iss) ?? keptOf(keys ?? []);
        kept.set(iss, local);
        return local.keys;
      }
      const known = kept.get(jku);
      if (known !== undefined) {
        const age = now() - known.fetchedAt;
        if (age < COOLDOWN_MS || (age < FRESH_MS && known.kids.has(kid))) return known.keys;
      }
      if (now() - (failedAt.get(jku) ?? -Infinity) < COOLDOWN_MS) {
        throw new Error('the key set could not be fetched a moment ago');
      }
      const running = fetching.get(jku) ?? fetched(jku).finally(() => fetching.delete(jku));
      fetching.set(jku, running);
      return (await running).keys;
    },
  };
}
