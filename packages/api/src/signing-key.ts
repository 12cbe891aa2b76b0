/**
 * Ed25519 keys by WebCrypto (RFC 8032), in Node and in the browser: of the sites of a federation, and of devices. Public
 * keys and signatures are written in hex. What is signed names its protocol, so that a signature of one protocol is
 * never valid in another.
 */
import { fromHex, toHex } from './canonical.ts';

type Bytes = Uint8Array<ArrayBuffer>;

export interface SigningKey {
  /** Public key: 32 bytes in hex. */
  readonly key: string;
  /** @returns 64 bytes. */
  readonly signBytes: (bytes: Bytes) => Promise<Bytes>;
  /** The key pair in PKCS #8, to be stored where only its owner reads. */
  exported(): Promise<Bytes>;
}

export async function createSigningKey(): Promise<SigningKey> {
  return signingKeyOf(await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']));
}

/** @throws Error if the bytes are not a private key. */
export async function importSigningKey(pkcs8: Bytes): Promise<SigningKey> {
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
  const { kty, crv, x } = await crypto.subtle.exportKey('jwk', privateKey);
  const publicJwk = { kty, crv, x } as JsonWebKey;
  const publicKey = await crypto.subtle.importKey('jwk', publicJwk, 'Ed25519', true, ['verify']);
  return signingKeyOf({ privateKey, publicKey });
}

/** A pair whose private key may not be extractable: then `exported` rejects. */
export async function signingKeyOf({ privateKey, publicKey }: CryptoKeyPair): Promise<SigningKey> {
  return {
    key: toHex(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))),
    signBytes: async (bytes) =>
      new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, bytes)),
    exported: async () => new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey)),
  };
}

/** @param key in hex. @param signature in hex. @returns false also for a key or signature that is none. */
export async function isSignatureOf(
  key: string,
  bytes: Bytes,
  signature: string,
): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey('raw', fromHex(key), 'Ed25519', false, [
      'verify',
    ]);
    return await crypto.subtle.verify('Ed25519', imported, fromHex(signature), bytes);
  } catch {
    return false;
  }
}

export function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
