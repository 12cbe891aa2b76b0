/**
 * Verifies the token of a CDS Hooks call: a JWT that a hospital's system signs anew for each call.
 *
 * The caller learns nothing but that it was refused; the reason goes to the audit log. Each token is good for one
 * call: its `jti` is taken as a lease in the shared state until it expires, so that another replica refuses it too.
 */
import { createHash, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import type { State } from '@skein/state';
import type { Issuer } from './issuers.ts';
import type { KeySets } from './key-sets.ts';

const ALGORITHMS = ['ES384', 'RS384'];
/** Seconds that two clocks may differ. */
const TOLERANCE_S = 30;
/** Longest validity of a token, in seconds: its `jti` is kept as long. */
const LONGEST_S = 3600;
const LONGEST_TOKEN = 8192;

/** Why a token was refused; for the audit log alone. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

export interface Tokens {
  /**
   * @param audience the exact public address of the endpoint.
   * @throws TokenRefused; SkeinError of the state when it is unreachable.
   */
  verify(authorization: string | undefined, audience: string): Promise<Issuer>;
}

export interface TokenOptions {
  readonly issuers: readonly Issuer[];
  readonly keySets: KeySets;
  /** Shared by all replicas. */
  readonly state: Pick<State, 'leases'>;
  readonly now?: (() => number) | undefined;
}

export function createTokens({ issuers, keySets, state, now = Date.now }: TokenOptions): Tokens {
  const byName = new Map(issuers.map((issuer) => [issuer.iss, issuer]));

  async function checked(authorization: string | undefined, audience: string) {
    const token = /^Bearer ([\w.-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw new TokenRefused('no bearer token');
    if (token.length > LONGEST_TOKEN) throw new TokenRefused('the token is too long');
    const header = decodeProtectedHeader(token);
    const issuer = byName.get(String(decodeJwt(token).iss));
    if (issuer === undefined) throw new TokenRefused('the issuer is not allowed');
    const { alg = 'none', kid, typ, jku } = header;
    if (!ALGORITHMS.includes(alg)) throw new TokenRefused(`the algorithm is ${alg.slice(0, 20)}`);
    if (typ !== 'JWT') throw new TokenRefused('typ is not JWT');
    if (typeof kid !== 'string') throw new TokenRefused('kid is missing');
    if (jku !== undefined && jku !== issuer.jku) throw new TokenRefused('jku is not the issuer’s');
    const keys = await keySets.keysFor(issuer, kid);
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      audience,
      issuer: issuer.iss,
      typ: 'JWT',
      requiredClaims: ['exp', 'iat', 'jti', 'aud'],
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(now()),
    });
    return { issuer, payload };
  }

  return {
    async verify(authorization, audience) {
      const { issuer, payload } = await checked(authorization, audience).catch((error: unknown) => {
        if (error instanceof TokenRefused) throw error;
        throw new TokenRefused((error as Error).message.slice(0, 200));
      });
      const { exp, iat, jti, tenant } = payload;
      const seconds = now() / 1000;
      if (exp! - iat! > LONGEST_S) throw new TokenRefused('valid for more than an hour');
      if (iat! > seconds + TOLERANCE_S) throw new TokenRefused('iat lies in the future');
      if (typeof jti !== 'string' || jti === '' || jti.length > 300) {
        throw new TokenRefused('jti is not a short text');
      }
      if (issuer.tenant !== undefined && tenant !== issuer.tenant) {
        throw new TokenRefused('the tenant is another');
      }
      const name = createHash('sha256').update(`${issuer.iss}\0${jti}`).digest('base64url');
      const leftMs = Math.ceil((exp! + 2 * TOLERANCE_S - seconds) * 1000);
      // A new holder each time: the same holder could take its lease again.
      const lease = await state.leases.acquire(`health/jti/${name}`, randomUUID(), leftMs);
      if (lease === undefined) throw new TokenRefused('the token was used before');
      return issuer;
    },
  };
}
