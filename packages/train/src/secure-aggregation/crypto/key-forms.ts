/** Raw keys of the curves in the DER forms of RFC 8410: a constant prefix and 32 bytes. */
import type { Bytes } from './suite.ts';

const form =
  (prefix: readonly number[]) =>
  (raw: Bytes): Bytes =>
    Uint8Array.of(...prefix, ...raw);

/** The last byte of the identifier: 1.3.101.110 is X25519, 1.3.101.112 is Ed25519. */
const spki = (curve: number) => form([0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, curve, 3, 33, 0]);
const pkcs8 = (curve: number) =>
  form([0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, curve, 4, 34, 4, 32]);

export const keyForms = {
  x25519Public: spki(0x6e),
  x25519Secret: pkcs8(0x6e),
  ed25519Public: spki(0x70),
  ed25519Secret: pkcs8(0x70),
};
