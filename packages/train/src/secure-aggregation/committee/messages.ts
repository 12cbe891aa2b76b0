/** The bodies of protocol B. */
import type { Bytes } from '../crypto/suite.ts';
import { chunkBytes } from '../packing.ts';
import { readChunkDigests } from '../upload.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import type { CommitteeContext } from './context.ts';
import type { Sealed } from './hpke.ts';

/** Bytes of an AES-128 key sealed by HPKE: the encapsulated key, and the ciphertext with its tag. */
const ENCAPSULATED = 32;
const CIPHERTEXT = 16 + 16;
/** Bytes of an envelope without its body. */
const ENVELOPE = 4 + 32 + 64;

/** The head of a client's only message. */
export interface ClientHead {
  /** By helper. */
  readonly seeds: readonly Sealed[];
  readonly digests: Bytes[];
}

export function writeClientHead(seeds: readonly Sealed[], digests: Bytes): Bytes {
  const writer = new Writer();
  for (const { encapsulated, ciphertext } of seeds) writer.raw(encapsulated).raw(ciphertext);
  return writer.raw(digests).bytes();
}

export function readClientHead(body: Bytes, context: CommitteeContext): ClientHead {
  const reader = new Reader(body, 'the head of a sealed update');
  const seeds = context.helpers.map(() => ({
    encapsulated: reader.raw(ENCAPSULATED),
    ciphertext: reader.raw(CIPHERTEXT),
  }));
  const digests = readChunkDigests(reader, context);
  reader.end();
  return { seeds, digests };
}

/** The list of clients of a sum: their heads, whole, so that each signature can be checked. */
export function writeClients(heads: readonly Bytes[]): Bytes {
  return new Writer().u32(heads.length).many(heads).bytes();
}

export function readClients(body: Bytes, { helpers, length, bits }: CommitteeContext): Bytes[] {
  const reader = new Reader(body, 'the list of clients');
  const head =
    ENVELOPE + helpers.length * (ENCAPSULATED + CIPHERTEXT) + 32 * chunkBytes(length, bits).length;
  const count = reader.count(head);
  const heads = Array.from({ length: count }, () => reader.raw(head));
  reader.end();
  return heads;
}

/** The head of a helper's answer: the list that it answers, and the digests of the chunks. */
export function writeMasksHead(list: Bytes, digests: Bytes): Bytes {
  return new Writer().raw(list).raw(digests).bytes();
}

export function readMasksHead(
  body: Bytes,
  context: CommitteeContext,
): { list: Bytes; digests: Bytes[] } {
  const reader = new Reader(body, 'the head of summed masks');
  const head = { list: reader.raw(32), digests: readChunkDigests(reader, context) };
  reader.end();
  return head;
}
