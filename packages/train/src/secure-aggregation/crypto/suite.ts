/**
 * The primitives of secure aggregation, once per platform: X25519 (RFC 7748), Ed25519 (RFC 8032),
 * HKDF-SHA-256 (RFC 5869), AES-128-GCM and the keystream of AES-128-CTR (SP 800-38A).
 */

/** Bytes that WebCrypto accepts: never on shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;
type Later<T> = T | Promise<T>;

/** Keys are raw: 32 bytes for the curves, 16 for AES. Every AES key is used once. */
export interface Suite {
  readonly name: string;
  /** Public X25519 key of a secret one. */
  publicKey(secret: Bytes): Later<Bytes>;
  /** Shared secret of X25519. @throws where the peer's key has a small order. */
  agree(secret: Bytes, peer: Bytes): Later<Bytes>;
  verify(publicKey: Bytes, message: Bytes, signature: Bytes): Later<boolean>;
  sha256(bytes: Bytes): Later<Bytes>;
  /** HKDF-SHA-256 without salt. */
  derive(secret: Bytes, info: Bytes, length: number): Later<Bytes>;
  /** HMAC-SHA-256. */
  hmac(key: Bytes, message: Bytes): Later<Bytes>;
  /** AES-128-GCM: ciphertext and tag. @param nonce 12 bytes; default: zeros, for a key that is used once. */
  seal(key: Bytes, plain: Bytes, associated: Bytes, nonce?: Bytes): Later<Bytes>;
  /** @throws where the tag is not right. */
  open(key: Bytes, sealed: Bytes, associated: Bytes, nonce?: Bytes): Later<Bytes>;
  /**
   * Adds the keystream of each key to the sum, or subtracts it: entry i takes bytes 4i to 4i+3 of the
   * keystream as a little-endian integer, modulo 2^32.
   * @param counter the first block; default: zeros.
   */
  addKeystreams(
    sum: Uint32Array,
    keys: readonly Bytes[],
    sign: 1 | -1,
    counter?: Bytes,
  ): Later<void>;
}

/** The first block of a keystream from this entry on, a multiple of 4: a block is four entries. */
export function counterOf(entry: number): Bytes {
  const counter = new Uint8Array(16);
  new DataView(counter.buffer).setUint32(12, entry / 4);
  return counter;
}

/** How an identity signs: the private key never leaves its holder. */
export interface Signer {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Bytes;
  sign(message: Bytes): Later<Bytes>;
}

export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}
