/**
 * Keys of a publisher: Ed25519 by WebCrypto, in Node and in browsers. A key is named by the SHA-256 of its canonical
 * form, and the name is checked, so that no root file gives a known name to another key.
 */
import { fromHex, sha256, toHex } from '@skein/api/canonical';
import { SkeinError } from '@skein/api/errors';
import { canonicalJson, signedBytes } from './canonical-json.ts';
import { untrusted, type Key, type Metadata, type Role, type Signed } from './metadata.ts';

/** A private key, and the name under which `root.json` has its public half. */
export interface EdgeKey {
  readonly id: string;
  readonly key: Key;
  /** @returns 64 bytes in hex. */
  sign(bytes: Uint8Array<ArrayBuffer>): Promise<string>;
  /** The key pair in PKCS #8. */
  exported(): Promise<Uint8Array<ArrayBuffer>>;
}

export async function createKey(): Promise<EdgeKey> {
  const { privateKey } = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  return keyOf(privateKey);
}

/** @throws SkeinError EDGE_KEYS if the bytes are not a private key. */
export async function importKey(pkcs8: Uint8Array<ArrayBuffer>, place: string): Promise<EdgeKey> {
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign']);
  } catch (error) {
    throw new SkeinError('EDGE_KEYS', `${place} is not an Ed25519 key.`, { cause: error });
  }
  return keyOf(key);
}

async function keyOf(privateKey: CryptoKey): Promise<EdgeKey> {
  const { kty, crv, x } = await crypto.subtle.exportKey('jwk', privateKey);
  const publicJwk = { kty, crv, x } as JsonWebKey;
  const publicKey = await crypto.subtle.importKey('jwk', publicJwk, 'Ed25519', true, ['verify']);
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', publicKey));
  const key: Key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: toHex(raw) } };
  return {
    id: await keyId(key),
    key,
    sign: async (bytes) =>
      toHex(new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, bytes))),
    exported: async () => new Uint8Array(await crypto.subtle.exportKey('pkcs8', privateKey)),
  };
}

export function keyId(key: Key): Promise<string> {
  return sha256(signedBytes(key));
}

/** @throws SkeinError EDGE_UNTRUSTED if a key of a root file does not have its own name. */
export async function checkKeyIds({ keys }: Signed<'root'>): Promise<void> {
  for (const [id, key] of Object.entries(keys)) {
    if ((await keyId(key)) !== id)
      throw untrusted(`root.json gives a key the id ${id} of another.`);
  }
}

/**
 * Requires signatures of as many keys as the root asks for. Keys count by their public half: one key under two names is
 * one key.
 * @throws SkeinError EDGE_UNTRUSTED.
 */
export async function requireSigned(root: Signed<'root'>, metadata: Metadata): Promise<void> {
  const { role } = metadata;
  const { keyids, threshold } = root.roles[role];
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = signedBytes(metadata.raw);
  } catch (error) {
    throw untrusted(`${role}.json cannot be signed: ${(error as Error).message}`, error);
  }
  const signers = new Set<string>();
  for (const id of new Set(keyids)) {
    const key = root.keys[id];
    const signature = metadata.signatures.get(id);
    if (key === undefined || signature === undefined) continue;
    if (await isSigned(key, bytes, signature)) signers.add(key.keyval.public);
  }
  if (signers.size < threshold) {
    throw untrusted(
      `${role}.json has ${signers.size} valid ${signers.size === 1 ? 'signature' : 'signatures'} of the ${threshold} that root version ${root.version} requires.`,
    );
  }
}

async function isSigned(key: Key, bytes: Uint8Array<ArrayBuffer>, sig: string): Promise<boolean> {
  try {
    const raw = fromHex(key.keyval.public);
    const imported = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', imported, fromHex(sig), bytes);
  } catch {
    // A public key that is not a point of the curve.
    return false;
  }
}

/** Whether a root changes the keys of a role, or how many of them must sign. */
export function hasRotated(before: Signed<'root'>, after: Signed<'root'>, role: Role): boolean {
  const keysOf = ({ roles }: Signed<'root'>): string =>
    canonicalJson([roles[role].threshold, ...roles[role].keyids.toSorted()]);
  return keysOf(before) !== keysOf(after);
}
