/**
 * Timeouts of many peers with one timer. All peers have the same timeout, so the map is ordered by
 * expiry.
 */
export class PeerTimeouts<Peer> {
  /** Timeout of every peer, in milliseconds. */
  readonly #timeoutMs: number;
  readonly #onTimeout: (peer: Peer) => void;
  readonly #expiresAt = new Map<Peer, number>();

  constructor(timeoutMs: number, onTimeout: (peer: Peer) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  /** Starts the peer's timeout, or restarts it. */
  start(peer: Peer, now: number): void {
    this.#expiresAt.delete(peer);
    this.#expiresAt.set(peer, now + this.#timeoutMs);
  }

  has(peer: Peer): boolean {
    return this.#expiresAt.has(peer);
  }

  clear(peer: Peer): void {
    this.#expiresAt.delete(peer);
  }

  /** Calls `onTimeout` once for each peer whose timeout has passed. */
  sweep(now: number): void {
    for (const [peer, expiresAt] of this.#expiresAt) {
      if (now < expiresAt) break;
      this.#expiresAt.delete(peer);
      this.#onTimeout(peer);
    }
  }
}
