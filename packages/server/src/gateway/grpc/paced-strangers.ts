/**
 * Bounds how long strangers hold up everything else over gRPC: one read of a connection brings as many calls as it
 * may have open, one turn of the event loop a read of every connection, and new ones that the HTTP port hands over.
 *
 * From the first of these events on, a turn has some milliseconds for them. Then connections of strangers are not
 * read until the next turn, and calls and connections that have arrived by then wait for it. Most of a call's work
 * runs in ticks and events, which cannot be separated from other work, so that all time counts: strangers yield to callers
 * with keys.
 */
import { constants, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { SharedReading, TurnTime } from '@skein/http';

/** Calls, and connections, that wait; above it, the oldest is refused. A stream takes some kilobytes. */
const MAX_WAITING = 128;

interface Paced {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: () => void): unknown;
}

export class PacedStrangers {
  readonly #time: TurnTime;
  readonly #reading = new SharedReading();

  constructor(now?: () => number) {
    this.#time = new TurnTime({ now });
  }

  /** Call it when its session has begun. */
  add(socket: Socket): void {
    this.#reading.add(socket);
  }

  /** It has carried a valid key, or has closed. */
  release(socket: Socket): void {
    this.#reading.release(socket);
  }

  /** Call it for everything that a stranger sends. */
  count(socket: Socket): void {
    this.#reading.note(socket);
    this.#time.begin();
    if (!this.#time.isSpent || !this.#reading.stop()) return;
    // Behind all that this turn brings, and before what waits later: neither starves the other.
    this.#time.wait(() => this.#time.wait(() => this.#reading.start()));
  }

  /**
   * Lets the listeners of an event wait for a turn that has time. Call it when all of them are there.
   * @param strangerOf its socket; absent where it does not wait.
   */
  pace<T extends Paced>(
    server: Http2Server,
    event: 'connection' | 'stream',
    strangerOf: (subject: T) => Socket | undefined,
    refuse: (subject: T) => void,
  ): void {
    const listeners = server.listeners(event) as ((subject: T, ...rest: unknown[]) => void)[];
    /** Oldest first. */
    const waiting = new Set<T>();
    server.removeAllListeners(event);
    server.on(event, (subject: T, ...rest: unknown[]) => {
      const serve = (): void => {
        for (const listener of listeners) listener.call(server, subject, ...rest);
      };
      const socket = strangerOf(subject);
      if (socket === undefined) return serve();
      this.count(socket);
      if (!this.#time.isSpent) return serve();
      if (waiting.size >= MAX_WAITING) {
        const [oldest] = waiting;
        waiting.delete(oldest!);
        refuse(oldest!);
      }
      waiting.add(subject);
      subject.once('close', () => waiting.delete(subject));
      // Its client may cancel it, and nothing else listens yet.
      subject.on('error', () => {});
      this.#time.wait(() => {
        if (!waiting.delete(subject) || subject.destroyed) return;
        this.#time.begin();
        serve();
      });
    });
  }
}

/** Its client may send the call again: it has not been read. */
export function refuseStream(stream: ServerHttp2Stream): void {
  stream.close(constants.NGHTTP2_REFUSED_STREAM);
}
