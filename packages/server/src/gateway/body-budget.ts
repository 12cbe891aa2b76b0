/**
 * Bounds what the bodies of all requests in flight take together, over both faces. Each body alone
 * has its own limit, but a hundred of the largest would still take gigabytes.
 *
 * A body counts from its first byte until its request is answered, because its tensors are views on
 * it. Only bytes that have arrived count: whoever announces a large body and sends nothing keeps
 * nobody else out.
 */
import { totalmem } from 'node:os';
import { SkeinError } from '@skein/api';

/** Tensors made of JSON take up to four times the memory of their text, beside the text. */
const SHARE_OF_MEMORY = 1 / 8;
/** When to come back: bodies of this size are mostly answered, or given up, within it. */
const RETRY_MS = 1000;

export class BodyBudget {
  /** Bytes that may be in flight. */
  readonly maxBytes: number;
  /** Bytes in flight now. */
  heldBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  hold(): BodyHold {
    return new BodyHold(this);
  }
}

/** What one request, or one stream of requests, holds of the budget. */
export class BodyHold {
  readonly #budget: BodyBudget;
  #bytes = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Counts bytes that have arrived. @throws SkeinError BODIES_TOO_LARGE; they are not counted then. */
  take(bytes: number): void {
    this.check(bytes);
    this.#bytes += bytes;
    this.#budget.heldBytes += bytes;
  }

  /** Whether so many bytes would find room now; for what has been announced. @throws SkeinError BODIES_TOO_LARGE. */
  check(bytes: number): void {
    const { heldBytes, maxBytes } = this.#budget;
    if (heldBytes + bytes <= maxBytes) return;
    throw new SkeinError(
      'BODIES_TOO_LARGE',
      `Bodies of ${heldBytes} bytes are in flight, and ${bytes} more would be over the ${maxBytes} that the node holds at once.`,
      { retryAfterMs: RETRY_MS },
    );
  }

  /** Gives back a part, at most what is held. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#bytes);
    this.#bytes -= given;
    this.#budget.heldBytes -= given;
  }

  /** Gives back everything. */
  release(): void {
    this.give(this.#bytes);
  }
}

/** A part of the memory that this process may use, but at least one body of the largest size. */
export function defaultBodyBudget(maxBodyBytes: number): number {
  const constrained = process.constrainedMemory();
  const memory = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.max(maxBodyBytes, Math.floor(memory * SHARE_OF_MEMORY));
}
