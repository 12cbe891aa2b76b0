/** The two curves: of WebCrypto where it has them, else of @noble/curves, which is loaded only then. */
import { keyForms } from './key-forms.ts';
import type { Bytes } from './suite.ts';

export interface Curves {
  publicKey(secret: Bytes): Promise<Bytes>;
  agree(secret: Bytes, peer: Bytes): Promise<Bytes>;
  verify(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<boolean>;
  sign(secret: Bytes, message: Bytes): Promise<Bytes>;
  signingKey(secret: Bytes): Promise<Bytes>;
}

/** The base point of X25519 (RFC 7748, section 4.1). */
const BASE = Uint8Array.of(9, ...new Uint8Array(31));

const { subtle } = crypto;

export const webCurves: Curves = {
  publicKey: (secret) => webCurves.agree(secret, BASE),
  async agree(secret, peer) {
    const [own, other] = await Promise.all([
      subtle.importKey('pkcs8', keyForms.x25519Secret(secret), 'X25519', false, ['deriveBits']),
      subtle.importKey('raw', peer, 'X25519', false, []),
    ]);
    return new Uint8Array(await subtle.deriveBits({ name: 'X25519', public: other }, own, 256));
  },
  async verify(publicKey, message, signature) {
    const key = await subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
    return subtle.verify('Ed25519', key, signature, message);
  },
  async sign(secret, message) {
    const form = keyForms.ed25519Secret(secret);
    const key = await subtle.importKey('pkcs8', form, 'Ed25519', false, ['sign']);
    return new Uint8Array(await subtle.sign('Ed25519', key, message));
  },
  async signingKey(secret) {
    const form = keyForms.ed25519Secret(secret);
    const key = await subtle.importKey('pkcs8', form, 'Ed25519', true, ['sign']);
    const { x } = await subtle.exportKey('jwk', key);
    const text = atob(x!.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  },
};

export async function nobleCurves(): Promise<Curves> {
  const { ed25519, x25519 } = await import('@noble/curves/ed25519.js');
  return {
    publicKey: async (secret) => new Uint8Array(x25519.getPublicKey(secret)),
    agree: async (secret, peer) => new Uint8Array(x25519.getSharedSecret(secret, peer)),
    // Strict, as RFC 8032 and WebCrypto: not the looser ZIP 215.
    verify: async (publicKey, message, signature) =>
      ed25519.verify(signature, message, publicKey, { zip215: false }),
    sign: async (secret, message) => new Uint8Array(ed25519.sign(message, secret)),
    signingKey: async (secret) => new Uint8Array(ed25519.getPublicKey(secret)),
  };
}

let chosen: Promise<Curves> | undefined;

/** Browsers had X25519 and Ed25519 in WebCrypto late: Chromium 133 and 137, Firefox 130, Safari 17. */
export function curves(): Promise<Curves> {
  return (chosen ??= Promise.all([
    subtle.generateKey('X25519', false, ['deriveBits']),
    subtle.generateKey('Ed25519', false, ['sign', 'verify']),
  ]).then(() => webCurves, nobleCurves));
}
