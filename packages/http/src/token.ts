/**
 * The token of a caller: `skein_<id>_<secret>`. The id finds the key, the secret proves it.
 *
 * The secret has 256 random bits, so storing a single sha-256 of it is safe: it cannot be guessed,
 * and a slow hash (scrypt, argon2) would only slow down every request. Slow hashes are for secrets
 * that people choose.
 */
import { hash, randomBytes } from 'node:crypto';

const TOKEN = /^skein_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const ID_START = 'skein_'.length;
const ID_END = ID_START + 12;
const TOKEN_LENGTH = ID_END + 1 + 43;

export interface IssuedToken {
  readonly id: string;
  readonly token: string;
  /** The stored form: sha-256 of the token, in hex. */
  readonly hash: string;
}

export function issueToken(): IssuedToken {
  const id = randomBytes(6).toString('hex');
  const token = `skein_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, token, hash: hash('sha256', token) };
}

export function hashToken(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

/** The id of a well-formed token, otherwise undefined. */
export function idOfToken(token: string): string | undefined {
  // Check the length first: a header of megabytes must not reach the pattern.
  return token.length === TOKEN_LENGTH && TOKEN.test(token)
    ? token.slice(ID_START, ID_END)
    : undefined;
}

/** The token of an `Authorization: Bearer …` header, otherwise undefined. */
export function bearerOf(authorization: string): string | undefined {
  const scheme = authorization.slice(0, 7);
  if (scheme !== 'Bearer ' && scheme.toLowerCase() !== 'bearer ') return undefined;
  return authorization.slice(7).trim();
}
