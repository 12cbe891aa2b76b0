/**
 * What a caller sends: `skein_<id>_<secret>`, the id to look the key up by, the secret to prove it.
 *
 * The secret is 256 random bits, so a single sha-256 is the right thing to store: there is nothing
 * to guess, and a slow hash (scrypt, argon2) would only make every request slow. Slow hashes are
 * for secrets that people choose.
 */
import { hash, randomBytes } from 'node:crypto';

const TOKEN = /^skein_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;
const ID_START = 'skein_'.length;
const ID_END = ID_START + 12;
const TOKEN_LENGTH = ID_END + 1 + 43;

export interface IssuedToken {
  readonly id: string;
  readonly token: string;
  /** What is stored: sha-256 of the token, in hex. */
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

/** The id in a token of the right form, else undefined. */
export function idOfToken(token: string): string | undefined {
  // The length first: a header of megabytes is not given to the pattern.
  return token.length === TOKEN_LENGTH && TOKEN.test(token)
    ? token.slice(ID_START, ID_END)
    : undefined;
}

/** The token of an `Authorization: Bearer …` header, else undefined. */
export function bearerOf(authorization: string): string | undefined {
  const scheme = authorization.slice(0, 7);
  if (scheme !== 'Bearer ' && scheme.toLowerCase() !== 'bearer ') return undefined;
  return authorization.slice(7).trim();
}
