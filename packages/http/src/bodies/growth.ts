/** The buffer in which a body is put together while its pieces arrive. */
import { allocate, freePiece } from '@skein/api/owned-memory';

export const NOTHING: Buffer = Buffer.alloc(0);
/** Announced bytes that are allocated at once. */
const SMALL_BYTES = 64 * 1024;
/** A longer body is allocated in full when this fraction of it has arrived. */
const CREDIBLE_PARTS = 16;

/**
 * Returns a buffer of at least `size` bytes that begins with the bytes of `whole`, whose memory is
 * given back.
 *
 * The announced length is allocated once a fraction of it has arrived: assembling 32 MiB at the end
 * would block the event loop for 20 ms. Until then, and without a length, the buffer doubles.
 *
 * @param announced 0: unknown. @param isMuchHeld see `allocate`.
 */
export function grown(
  whole: Buffer,
  size: number,
  announced: number,
  maxBytes: number,
  isMuchHeld: boolean,
): Buffer {
  const isCredible = announced <= SMALL_BYTES || size * CREDIBLE_PARTS >= announced;
  const wanted = isCredible ? announced : 2 * size;
  const capacity = Math.max(size, Math.min(Math.max(wanted, 2 * whole.length), maxBytes));
  const larger = allocate(capacity, isMuchHeld);
  whole.copy(larger);
  freePiece(whole);
  return larger;
}
