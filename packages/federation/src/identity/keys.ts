/**
 * Ed25519 identities by WebCrypto (RFC 8032). Runs in Node and in the browser. A public key is
 * written in hex; a signature is over a label and the canonical form of a value, so that a signature
 * of one kind is never valid as another.
 */
import { SkeinError } from '@skein/api/errors';
import { canonical, fromHex, sha256, toHex, utf8 } from '@skein/api/canonical';
import type { Signer } from '@skein/train/secure-aggregation';

export interface Identity {
  /** Public key: 32 bytes in hex. */
  readonly key: string;
  /** @returns 64 bytes in hex. */
  sign(label: SignatureLabel, value: unknown): Promise<string>;
  /** @returns 64 bytes, over bytes that name their protocol themselves: the messages of secure aggregation. */
  readonly signBytes: (bytes: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>;
  /** The key pair in PKCS #8, to be stored where only its owner reads. */
  exported(): Promise<Uint8Array<ArrayBuffer>>;
}

export type SignatureLabel =
  | 'challenge'
  | 'prove'
  | 'accept'
  | 'answer'
  | 'entry'
  | 'witness'
  | 'head'
  | 'sealing';

const signedBytes = (label: SignatureLabel, value: unknown): Uint8Array<ArrayBuffer> =>
  utf8(`skein federation ${label}\n${canonical(value)}`);

export async function createIdentity(): Promise<Identity> {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  return identityOf(pair);
}

/** @throws SkeinError IDENTITY_UNPROVEN if the bytes are not a private key. */
export async function importIdentity(pkcs8: Uint8Array<ArrayBuffer>): Promise<Identity> {
  try {
    const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
    const { kty, crv, x } = await crypto.subtle.exportKey('jwk', privateKey);
    const publicJwk = { kty, crv, x } as JsonWebKey;
    const publicKey = await crypto.subtle.importKey('jwk', publicJwk, 'Ed25519', true, ['verify']);
    return identityOf({ privateKey, publicKey });
  } catch (error) {
    throw new SkeinError('IDENTITY_UNPROVEN', 'The stored identity is not an Ed25519 key.', {
      cause: error,
    });
  }
}

/** An identity whose private key may not be extractable: then `exported` rejects. */
export async function identityOf({ privateKey, publicKey }: CryptoKeyPair): Promise<Identity> {
  const key = toHex(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)));
  const signBytes = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, bytes));
  return {
    key,
    signBytes,
    sign: async (label, value) => toHex(await signBytes(signedBytes(label, value))),
    exported: async () => new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey)),
  };
}

/** An identity as the signer that secure aggregation asks for. */
export function signerOf({ key, signBytes }: Pick<Identity, 'key' | 'signBytes'>): Signer {
  return { publicKey: fromHex(key), sign: signBytes };
}

/** @param key in hex. @param signature in hex. */
export async function isSignedBy(
  key: string,
  label: SignatureLabel,
  value: unknown,
  signature: string,
): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey('raw', fromHex(key), 'Ed25519', false, [
      'verify',
    ]);
    return await crypto.subtle.verify(
      'Ed25519',
      imported,
      fromHex(signature),
      signedBytes(label, value),
    );
  } catch {
    return false;
  }
}

/** By key: a view of thousands of sites names all of them. */
const pseudonyms = new Map<string, string>();
const MOST_PSEUDONYMS = 20_000;

/** The name of a participant in a ledger: it does not reveal the participant. */
export async function pseudonymOf(key: string): Promise<string> {
  const known = pseudonyms.get(key);
  if (known !== undefined) return known;
  const made = `site-${(await sha256(fromHex(key))).slice(0, 16)}`;
  if (pseudonyms.size >= MOST_PSEUDONYMS) pseudonyms.clear();
  pseudonyms.set(key, made);
  return made;
}

export function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
