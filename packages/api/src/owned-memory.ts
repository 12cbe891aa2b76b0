/**
 * Frees memory that lies outside of V8's heap when its last user leaves.
 *
 * V8 collects the bytes of buffers late: after a flood of large bodies, gigabytes of them are unused and not
 * freed. The first that is done with the inputs of a request may not free them either, because a request runs
 * again when its replica is lost, has a second copy at another member of the fleet, and waits in a queue when
 * its caller has left. So its memory counts its users, and the last one frees it.
 */
import type { BudgetHold } from './shared-budget.ts';

/**
 * Smallest size of a buffer that is worth the time to free it, in bytes. One read of a socket brings no more, so
 * a larger buffer was allocated for one request alone, and is no part of a buffer with other users.
 */
export const LARGE_BYTES = 64 * 1024 + 1;

/** Freed in one turn of the event loop: the system takes a tenth of a millisecond for each MiB. */
const FREED_PER_TURN = 32 * 2 ** 20;

/** Smaller ones are many more mappings, and the C library maps larger ones itself, whatever it has freed before. */
const LEAST_MAPPED = 256 * 1024;
const MOST_MAPPED = 32 * 2 ** 20;

/**
 * Memory for a body, not zeroed.
 *
 * The C library keeps freed blocks for the next ones of their size, up to 32 MiB each, and gives none back to the
 * system while any block above them lives. That makes bodies fast: the system takes half a millisecond to map a MiB.
 * But a flood of them leaves gaps too small for larger ones, and the process keeps both. So while much is held,
 * a body has a mapping of its own, which goes back when it is freed.
 *
 * @param isMuchHeld see `BudgetHold`.
 */
export function allocate(bytes: number, isMuchHeld: boolean): Buffer {
  if (!isMuchHeld || bytes < LEAST_MAPPED || bytes > MOST_MAPPED) {
    return Buffer.allocUnsafeSlow(bytes);
  }
  // V8 maps a buffer that could be resized.
  return Buffer.from(new ArrayBuffer(bytes, { maxByteLength: bytes }));
}

export class OwnedMemory {
  readonly #buffers = new Set<ArrayBufferLike>();
  readonly #copies: BudgetHold;
  readonly #onFree: () => void;
  #users = 0;
  #isFreed = false;

  /** @param copies counts the copies of its bytes. @param onFree called once, when they are freed. */
  constructor(copies: BudgetHold, onFree: () => void = () => {}) {
    this.#copies = copies;
    this.#onFree = onFree;
  }

  /** @param bytes in a buffer that no other request uses. V8 collects small ones. */
  add({ buffer }: Uint8Array): void {
    if (buffer.byteLength >= LARGE_BYTES) this.#buffers.add(buffer);
  }

  /** Whether its bytes are gone. */
  get isFreed(): boolean {
    return this.#isFreed;
  }

  /** Keeps the bytes for one more user. @returns what it calls when it needs them no more; idempotent. */
  retain(): () => void {
    this.#users += 1;
    let isUser = true;
    return () => {
      if (!isUser) return;
      isUser = false;
      this.#users -= 1;
      if (this.#users === 0) this.#free();
    };
  }

  /** Does not free the bytes: when the system has read them is not known. They count no more once its users have left. */
  leaveToV8(): void {
    this.#buffers.clear();
  }

  /** Counts a copy, such as that at a replica. @returns what is called when the copy is gone; idempotent. */
  countCopy(bytes: number): () => void {
    let held = bytes;
    this.#copies.restore(held);
    return () => {
      this.#copies.give(held);
      held = 0;
    };
  }

  #free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    // Others have moved to a thread.
    const here = [...this.#buffers].filter(({ byteLength }) => byteLength > 0);
    let left = here.length;
    if (left === 0) this.#onFree();
    const freed = (): void => {
      left -= 1;
      if (left === 0) this.#onFree();
    };
    for (const buffer of here) freeInTurns(new Uint8Array(buffer), freed);
  }
}

/**
 * Frees the bytes of a piece that is not used any more.
 *
 * @param piece empty afterwards. One that is a part of a larger buffer stays as it is.
 */
export function freePiece({ buffer, byteLength }: Uint8Array): void {
  const isWhole = byteLength > 0 && buffer.byteLength === byteLength;
  if (isWhole && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Frees the large ones of the pieces by `freeInTurns`. @param onFreed called when the last one is freed. */
export function freeLarge(
  pieces: readonly (Uint8Array | string)[],
  onFreed: () => void = () => {},
): void {
  const large = pieces.filter(
    (piece) => typeof piece !== 'string' && piece.byteLength >= LARGE_BYTES,
  ) as Uint8Array[];
  let left = large.length;
  if (left === 0) onFreed();
  for (const piece of large)
    freeInTurns(piece, () => {
      left -= 1;
      if (left === 0) onFreed();
    });
}

const unused: { readonly piece: Uint8Array; readonly onFreed: (() => void) | undefined }[] = [];

/**
 * Does `freePiece` soon: a connection that ends leaves many bodies of 64 MiB at once.
 * @param onFreed called when its memory counts no more.
 */
export function freeInTurns(piece: Uint8Array, onFreed?: () => void): void {
  if (unused.push({ piece, onFreed }) === 1) setImmediate(freeSome);
}

function freeSome(): void {
  for (let freed = 0; freed < FREED_PER_TURN && unused.length > 0;) {
    const { piece, onFreed } = unused.pop()!;
    freed += piece.byteLength;
    freePiece(piece);
    onFreed?.();
  }
  if (unused.length > 0) setImmediate(freeSome);
}
