/**
 * Ed25519 identities. Runs in Node and in the browser. A signature is over a label and the canonical form of a value, so
 * that a signature of one kind is never valid as another.
 */
import { SkeinError } from '@skein/api/errors';
import { canonical, fromHex, sha256, toHex, utf8 } from '@skein/api/canonical';
import {
  createSigningKey,
  importSigningKey,
  isSignatureOf,
  signingKeyOf,
  type SigningKey,
} from '@skein/api/signing-key';
import type { Signer } from '@skein/train/secure-aggregation';

/** `signBytes` is for bytes that name their protocol themselves: the messages of secure aggregation. */
export interface Identity extends SigningKey {
  /** @returns 64 bytes in hex. */
  sign(label: SignatureLabel, value: unknown): Promise<string>;
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
  return withLabels(await createSigningKey());
}

/** @throws SkeinError IDENTITY_UNPROVEN if the bytes are not a private key. */
export async function importIdentity(pkcs8: Uint8Array<ArrayBuffer>): Promise<Identity> {
  try {
    return withLabels(await importSigningKey(pkcs8));
  } catch (error) {
    throw new SkeinError('IDENTITY_UNPROVEN', 'The stored identity is not an Ed25519 key.', {
      cause: error,
    });
  }
}

/** An identity whose private key may not be extractable: then `exported` rejects. */
export async function identityOf(pair: CryptoKeyPair): Promise<Identity> {
  return withLabels(await signingKeyOf(pair));
}

function withLabels(pair: SigningKey): Identity {
  return {
    ...pair,
    sign: async (label, value) => toHex(await pair.signBytes(signedBytes(label, value))),
  };
}

/** An identity as the signer that secure aggregation asks for. */
export function signerOf({ key, signBytes }: Pick<Identity, 'key' | 'signBytes'>): Signer {
  return { publicKey: fromHex(key), sign: signBytes };
}

/** @param key in hex. @param signature in hex. */
export function isSignedBy(
  key: string,
  label: SignatureLabel,
  value: unknown,
  signature: string,
): Promise<boolean> {
  return isSignatureOf(key, signedBytes(label, value), signature);
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
