/**
 * Echoes on a connection: they show that the peer is there, and how long the way to it and back takes.
 *
 * The way counts with the least of the recent echoes, which have waited least at either end. Time for
 * the bytes of large tensors is not part of it.
 */
import type { ClientHttp2Session } from 'node:http2';

/** Interval of pings, and how long the echo may take, in milliseconds. */
const PING_MS = 500;
const ECHO_MS = 2000;
/** Echoes that count: four seconds of them. */
const KEPT = 8;

export class RoundTrip {
  #echoesMs: number[] = [];

  /** There and back, in milliseconds; 0 while there is no connection. */
  get ms(): number {
    return this.#echoesMs.length === 0 ? 0 : Math.min(...this.#echoesMs);
  }

  /**
   * Pings a new connection until it ends, and closes it when an echo does not arrive.
   * @returns after the first echo. @throws Error if the connection ends before.
   */
  follow(session: ClientHttp2Session): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let echoedAt = performance.now();
    const ping = (): void => {
      session.ping((error, durationMs) => {
        if (error !== null) return;
        echoedAt = performance.now();
        this.#echoesMs = [...this.#echoesMs, durationMs].slice(-KEPT);
        resolve();
      });
    };
    ping();
    const timer = setInterval(() => {
      if (performance.now() - echoedAt > ECHO_MS) session.destroy();
      else if (!session.destroyed) ping();
    }, PING_MS).unref();
    session.once('goaway', () => session.close());
    session.once('close', () => {
      clearInterval(timer);
      this.#echoesMs = [];
      reject(new Error('The connection has ended.'));
    });
    return promise;
  }
}
