/** The primitives through WebCrypto: browsers, workers, Deno, Bun. */
import { curves } from './curves.ts';
import type { Suite } from './suite.ts';
import { addWords } from './words.ts';

/** Words of keystream made at a time: each costs a promise, and four bytes of memory. */
const PIECE = 2 ** 17;
const NONCE = new Uint8Array(12);

export const webSuite: Suite = {
  name: 'WebCrypto',
  publicKey: async (secret) => (await curves()).publicKey(secret),
  agree: async (secret, peer) => (await curves()).agree(secret, peer),
  verify: async (publicKey, message, signature) =>
    (await curves()).verify(publicKey, message, signature),
  sha256: async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
  async derive(secret, info, length) {
    const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
    const terms = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info };
    return new Uint8Array(await crypto.subtle.deriveBits(terms, key, length * 8));
  },
  async hmac(raw, message) {
    // WebCrypto has no key of no bytes; HMAC fills every key with zeros to its block.
    const terms = { name: 'HMAC', hash: 'SHA-256' };
    const padded = raw.length > 0 ? raw : new Uint8Array(64);
    const key = await crypto.subtle.importKey('raw', padded, terms, false, ['sign']);
    return new Uint8Array(await crypto.subtle.sign('HMAC', key, message));
  },
  async seal(raw, plain, additionalData, iv = NONCE) {
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
    const terms = { name: 'AES-GCM', iv, additionalData };
    return new Uint8Array(await crypto.subtle.encrypt(terms, key, plain));
  },
  async open(raw, sealed, additionalData, iv = NONCE) {
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt']);
    const terms = { name: 'AES-GCM', iv, additionalData };
    return new Uint8Array(await crypto.subtle.decrypt(terms, key, sealed));
  },
  async addKeystreams(sum, keys, sign, first = new Uint8Array(16)) {
    const zeros = new Uint32Array(Math.min(PIECE, sum.length));
    for (const raw of keys) {
      const key = await crypto.subtle.importKey('raw', raw, 'AES-CTR', false, ['encrypt']);
      for (let at = 0; at < sum.length; at += PIECE) {
        const part = sum.subarray(at, at + PIECE);
        const counter = first.slice();
        const blocks = new DataView(counter.buffer);
        // A block is four words; the counter is big-endian.
        blocks.setBigUint64(8, blocks.getBigUint64(8) + BigInt(at / 4));
        const terms = { name: 'AES-CTR', counter, length: 64 };
        const bytes = await crypto.subtle.encrypt(terms, key, zeros.subarray(0, part.length));
        addWords(part, new Uint32Array(bytes), sign);
      }
    }
  },
};
