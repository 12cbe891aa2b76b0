/**
 * Hybrid public-key encryption (RFC 9180) of one message: base mode, DHKEM(X25519, HKDF-SHA-256),
 * HKDF-SHA-256, AES-128-GCM.
 *
 * Over the primitives of the platform, because a helper opens a seed of each client of a round: the curve
 * of hpke-js 1.8 is JavaScript: 2.3 ms to open a message against 0.16 (Node 24 on an AMD EPYC). The tests
 * exchange messages with hpke-js.
 */
import { randomBytes, type Bytes } from '../crypto/suite.ts';
import { joined, Writer } from '../wire/bytes.ts';
import { suite } from '../crypto/platform-suite.ts';

const text = (ascii: string): Bytes => new TextEncoder().encode(ascii);
const NONE: Bytes = new Uint8Array(0);
const VERSION = text('HPKE-v1');
const KEM = Uint8Array.of(...text('KEM'), 0, 0x20);
const HPKE = Uint8Array.of(...text('HPKE'), 0, 0x20, 0, 1, 0, 1);

/** LabeledExtract of section 4. */
async function extract(id: Bytes, salt: Bytes, label: string, material: Bytes): Promise<Bytes> {
  return suite.hmac(salt, joined([VERSION, id, text(label), material]));
}

/** LabeledExpand of section 4, of at most one block. */
async function expand(
  id: Bytes,
  key: Bytes,
  label: string,
  info: Bytes,
  length: number,
): Promise<Bytes> {
  const labelled = [Uint8Array.of(0, length), VERSION, id, text(label), info, Uint8Array.of(1)];
  return (await suite.hmac(key, joined(labelled))).slice(0, length);
}

/** The part of the key schedule that depends on the application's information alone (section 5.1). */
export async function scheduleContext(info: Bytes): Promise<Bytes> {
  return new Writer()
    .u8(0)
    .raw(await extract(HPKE, NONE, 'psk_id_hash', NONE))
    .raw(await extract(HPKE, NONE, 'info_hash', info))
    .bytes();
}

async function schedule(agreed: Bytes, encapsulated: Bytes, recipient: Bytes, context: Bytes) {
  const kemContext = new Writer().raw(encapsulated).raw(recipient).bytes();
  const prk = await extract(KEM, NONE, 'eae_prk', agreed);
  const shared = await expand(KEM, prk, 'shared_secret', kemContext, 32);
  const secret = await extract(HPKE, shared, 'secret', NONE);
  return {
    key: await expand(HPKE, secret, 'key', context, 16),
    nonce: await expand(HPKE, secret, 'base_nonce', context, 12),
  };
}

export interface Sealed {
  /** The sender's fresh public key, 32 bytes. */
  readonly encapsulated: Bytes;
  /** With its tag of 16 bytes. */
  readonly ciphertext: Bytes;
}

/**
 * @param recipient X25519 public key.
 * @param context of `scheduleContext`.
 */
export async function seal(
  recipient: Bytes,
  context: Bytes,
  associated: Bytes,
  plain: Bytes,
): Promise<Sealed> {
  const secret = randomBytes(32);
  const encapsulated = await suite.publicKey(secret);
  const agreed = await suite.agree(secret, recipient);
  const { key, nonce } = await schedule(agreed, encapsulated, recipient, context);
  return { encapsulated, ciphertext: await suite.seal(key, plain, associated, nonce) };
}

/** @throws where the message was not sealed to this key, in this context, with this associated data. */
export async function open(
  { secret, publicKey }: { readonly secret: Bytes; readonly publicKey: Bytes },
  context: Bytes,
  associated: Bytes,
  { encapsulated, ciphertext }: Sealed,
): Promise<Bytes> {
  const agreed = await suite.agree(secret, encapsulated);
  const { key, nonce } = await schedule(agreed, encapsulated, publicKey, context);
  return suite.open(key, ciphertext, associated, nonce);
}
