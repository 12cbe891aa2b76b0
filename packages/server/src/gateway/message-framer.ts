/**
 * Follows the frames of gRPC messages through a stream of bytes, whatever pieces they come in: a flag,
 * the length as four bytes, the message. It keeps none of them.
 */

export const PREFIX_BYTES = 5;

export class MessageFramer {
  /** Bytes of the current message's prefix that have been seen. */
  #prefix = 0;
  #length = 0;
  /** Bytes of the current message that are still to come. */
  #remaining = 0;

  /** Whether a message has begun and is not complete. */
  get partial(): boolean {
    return this.#prefix > 0;
  }

  /** @param completed gets the size of every message that these bytes complete, prefix included. */
  feed(bytes: Uint8Array, completed: number[]): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#prefix < PREFIX_BYTES) {
        // The first byte is a flag.
        if (this.#prefix > 0) this.#length = this.#length * 256 + bytes[at]!;
        at++;
        if (++this.#prefix < PREFIX_BYTES) continue;
        this.#remaining = this.#length;
      } else {
        const taken = Math.min(this.#remaining, bytes.length - at);
        this.#remaining -= taken;
        at += taken;
      }
      if (this.#remaining > 0) continue;
      completed.push(PREFIX_BYTES + this.#length);
      this.#prefix = 0;
      this.#length = 0;
    }
  }
}
