/** The primitives through `node:crypto`, synchronously. */
import type { KeyObject } from 'node:crypto';
import { keyForms } from './key-forms.ts';
import type { Bytes, Suite } from './suite.ts';
import { addFourWords, addWords, FOUR } from './words.ts';

/** Bytes of keystream made at a time: stays in the cache, and below the size at which each buffer is mapped anew. */
const PIECE = 2 ** 16;
const NONCE = new Uint8Array(12);
const COUNTER = new Uint8Array(16);
const TAG = 16;

/** Gives the memory of a keystream back at once, where it is one of its own: V8 collects it late. */
function free({ buffer, byteLength }: Uint32Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** @returns undefined where this is not Node. */
export function nodeSuite(): Suite | undefined {
  const node = globalThis.process?.getBuiltinModule?.('node:crypto');
  if (node === undefined) return undefined;
  // Node (24.21) distinguishes bytes from key objects by exceptions that it catches, up to four for each key: 45 µs of
  // the 63 that a public key takes. Text, and bytes made a key object before they are used, are spared them.
  const pem = (label: 'PUBLIC' | 'PRIVATE', der: Bytes): string =>
    `-----BEGIN ${label} KEY-----\n${Buffer.from(der).toString('base64')}\n-----END ${label} KEY-----`;
  const publicOf = (form: (raw: Bytes) => Bytes, raw: Bytes): KeyObject =>
    node.createPublicKey(pem('PUBLIC', form(raw)));
  const secretOf = (raw: Bytes): KeyObject =>
    node.createPrivateKey(pem('PRIVATE', keyForms.x25519Secret(raw)));
  const keyOf = (raw: Bytes): KeyObject => node.createSecretKey(raw);
  // One site agrees with all of its peers: its own key is parsed once.
  let last: { readonly raw: Bytes; readonly key: KeyObject } | undefined;
  const secretKey = (raw: Bytes): KeyObject => {
    if (last?.raw !== raw) last = { raw, key: secretOf(raw) };
    return last.key;
  };
  return {
    name: 'node:crypto',
    publicKey(secret) {
      const der = node.createPublicKey(secretOf(secret)).export({ format: 'der', type: 'spki' });
      return new Uint8Array(der.subarray(-32));
    },
    agree: (secret, peer) =>
      new Uint8Array(
        node.diffieHellman({
          privateKey: secretKey(secret),
          publicKey: publicOf(keyForms.x25519Public, peer),
        }),
      ),
    verify: (publicKey, message, signature) =>
      node.verify(null, message, publicOf(keyForms.ed25519Public, publicKey), signature),
    sha256: (bytes) => new Uint8Array(node.hash('sha256', bytes, 'buffer')),
    derive: (secret, info, length) =>
      new Uint8Array(node.hkdfSync('sha256', keyOf(secret), new Uint8Array(0), info, length)),
    hmac: (key, message) =>
      new Uint8Array(node.createHmac('sha256', keyOf(key)).update(message).digest()),
    seal(key, plain, associated, nonce = NONCE) {
      const cipher = node.createCipheriv('aes-128-gcm', keyOf(key), nonce).setAAD(associated);
      const sealed = new Uint8Array(plain.length + TAG);
      sealed.set(cipher.update(plain));
      cipher.final();
      sealed.set(cipher.getAuthTag(), plain.length);
      return sealed;
    },
    open(key, sealed, associated, nonce = NONCE) {
      const cipher = node
        .createDecipheriv('aes-128-gcm', keyOf(key), nonce, { authTagLength: TAG })
        .setAAD(associated)
        .setAuthTag(sealed.subarray(-TAG));
      const plain = new Uint8Array(cipher.update(sealed.subarray(0, -TAG)));
      cipher.final();
      return plain;
    },
    addKeystreams(sum, keys, sign, counter = COUNTER) {
      const zeros = new Uint8Array(Math.min(PIECE, sum.byteLength));
      for (let first = 0; first < keys.length; first += FOUR) {
        const ciphers = keys
          .slice(first, first + FOUR)
          .map((key) => node.createCipheriv('aes-128-ctr', keyOf(key), counter));
        for (let at = 0; at < sum.length; at += PIECE / 4) {
          const part = sum.subarray(at, at + PIECE / 4);
          const streams = ciphers.map((cipher) => {
            const bytes = cipher.update(zeros.subarray(0, part.byteLength));
            return new Uint32Array(bytes.buffer, bytes.byteOffset, part.length);
          });
          if (streams.length === FOUR) addFourWords(part, streams, sign);
          else for (const words of streams) addWords(part, words, sign);
          for (const words of streams) free(words);
        }
        // Frees what a cipher has outside of V8's heap, which only a collection of all garbage would.
        for (const cipher of ciphers) cipher.final();
      }
    },
  };
}
