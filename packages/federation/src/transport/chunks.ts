/** Where the parts of payloads wait until they are whole. What has arrived outlives a connection. */
import { SkeinError } from '@skein/api/errors';
import { sha256 } from '@skein/api/canonical';

export interface Payload {
  /** sha-256 in hex. */
  readonly digest: string;
  readonly bytes: number;
  read(): Promise<Uint8Array<ArrayBuffer>>;
  /** Fills `into` with the bytes from `at` on. */
  readInto(into: Uint8Array<ArrayBuffer>, at: number): Promise<void>;
}

export interface Chunks {
  /**
   * How many bytes of a payload are here already.
   * @throws SkeinError ANSWER_INVALID if it is larger than the receiver takes; PHASE_CLOSED if it takes none of
   *   this sender now: the message is then refused in its place.
   */
  held(digest: string, bytes: number): Promise<number>;
  append(digest: string, offset: number, part: Uint8Array<ArrayBuffer>): Promise<void>;
  /** @throws SkeinError ANSWER_INVALID if the content does not have the digest; it is dropped. */
  finish(digest: string, bytes: number): Promise<Payload>;
}

/** @param most bytes of one payload, and of all that is incomplete. */
export function memoryChunks(most: number): Chunks {
  const partial = new Map<string, { readonly bytes: Uint8Array<ArrayBuffer>; held: number }>();
  return {
    async held(digest, bytes) {
      assertFits(bytes, most);
      const known = partial.get(digest);
      if (known?.bytes.length === bytes) return known.held;
      const others = [...partial.values()].reduce((sum, each) => sum + each.bytes.length, 0);
      // Incomplete payloads of earlier tasks are dropped to free memory.
      if (others + bytes > most) partial.clear();
      partial.set(digest, { bytes: new Uint8Array(bytes), held: 0 });
      return 0;
    },
    async append(digest, offset, part) {
      const known = partial.get(digest);
      if (
        known === undefined ||
        offset !== known.held ||
        offset + part.length > known.bytes.length
      ) {
        throw misplaced(offset);
      }
      known.bytes.set(part, offset);
      known.held += part.length;
    },
    async finish(digest, bytes) {
      const known = partial.get(digest)?.bytes ?? new Uint8Array(bytes);
      partial.delete(digest);
      return payloadOf(known, digest);
    },
  };
}

/** @throws SkeinError ANSWER_INVALID if the bytes do not have the digest. */
export async function payloadOf(bytes: Uint8Array<ArrayBuffer>, digest: string): Promise<Payload> {
  if ((await sha256(bytes)) !== digest) throw damaged(digest);
  return payloadIn(bytes, digest);
}

/** @param digest of the bytes, which must not change. */
export function payloadIn(bytes: Uint8Array<ArrayBuffer>, digest: string): Payload {
  return {
    digest,
    bytes: bytes.length,
    read: async () => bytes,
    readInto: async (into, at) => into.set(bytes.subarray(at, at + into.length)),
  };
}

export function assertFits(bytes: number, most: number): void {
  if (bytes <= most) return;
  throw answerInvalid(`A payload of ${bytes} bytes is above the bound of ${most}.`);
}

export const answerInvalid = (message: string): SkeinError =>
  new SkeinError('ANSWER_INVALID', message);

export const misplaced = (offset: number): SkeinError =>
  answerInvalid(`A chunk came at offset ${offset}, which was not asked for.`);

export const damaged = (digest: string): SkeinError =>
  answerInvalid(`A payload does not have the digest ${digest}.`);
