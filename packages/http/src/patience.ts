/**
 * Who has been waited for too long, with one timer for all: everybody gets the same time, so those
 * who are late first stand first.
 */
export class Patience<Peer> {
  /** Milliseconds that everybody has. */
  readonly #timeoutMs: number;
  readonly #onLate: (peer: Peer) => void;
  readonly #lateAt = new Map<Peer, number>();

  constructor(timeoutMs: number, onLate: (peer: Peer) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onLate = onLate;
  }

  /** The peer's time begins now, again if it is already waited for. */
  expect(peer: Peer, now: number): void {
    this.#lateAt.delete(peer);
    this.#lateAt.set(peer, now + this.#timeoutMs);
  }

  expects(peer: Peer): boolean {
    return this.#lateAt.has(peer);
  }

  forget(peer: Peer): void {
    this.#lateAt.delete(peer);
  }

  /** Tells of everybody who is late, once. */
  sweep(now: number): void {
    for (const [peer, lateAt] of this.#lateAt) {
      if (now < lateAt) break;
      this.#lateAt.delete(peer);
      this.#onLate(peer);
    }
  }
}
