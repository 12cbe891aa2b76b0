/**
 * The open connections of an HTTP server, and what each of them may hold.
 *
 * A caller without a key can open connections and do nothing with them. So their number is bounded,
 * and at the bound those that do nothing make room: first those that never sent a whole request,
 * then idle ones, then those that do not take their answer, the oldest first. Only when every
 * connection has a request in flight is a new one refused. A client whose idle connection was closed
 * opens another; a proxy that keeps hundreds of them does so all the time.
 *
 * A connection that was refused is closed for good after a moment. `end()` alone is not enough: it
 * closes one direction, and the other stays open for as long as the client likes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ERRORS, SkeinError } from '@skein/api';

/** How long a client may take to read why it was refused, in milliseconds. */
export const LINGER_MS = 1000;
/** The part of all connections that is closed at once to make room, so that the search pays. */
const ROOM_PARTS = 16;
/**
 * Requests that wait for the answer to an earlier one on the same connection, and on all of them.
 * Each takes some kilobytes before anybody has asked who calls; clients that pipeline at all do it
 * a few deep.
 */
const MAX_QUEUED = 32;
const MAX_QUEUED_OF_ALL = 1024;

export class HttpConnections {
  readonly #max: number;
  /** When each was made, oldest first. */
  readonly #madeAt = new Map<Socket, number>();
  readonly #queued = new Map<Socket, number>();
  #queuedOfAll = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#madeAt.size;
  }

  /** @returns false when the connection was refused instead. */
  add(socket: Socket): boolean {
    if (this.#madeAt.size >= this.#max) this.#makeRoom();
    const fits = this.#madeAt.size < this.#max;
    if (!fits) {
      const message = `All of the ${this.#max} connections that the node keeps have requests in flight.`;
      refuseConnection(socket, new SkeinError('CONNECTIONS_EXHAUSTED', message));
      return false;
    }
    this.#madeAt.set(socket, performance.now());
    socket.once('close', () => {
      this.#madeAt.delete(socket);
      this.#queuedOfAll -= this.#queued.get(socket) ?? 0;
      this.#queued.delete(socket);
    });
    return true;
  }

  /**
   * Counts a request that came before the one ahead of it was answered.
   * @returns false when there are too many: the connection is closed.
   */
  queue(socket: Socket, response: ServerResponse): boolean {
    const queued = (this.#queued.get(socket) ?? 0) + 1;
    if (queued > MAX_QUEUED || this.#queuedOfAll >= MAX_QUEUED_OF_ALL) {
      stopParsing(socket);
      socket.destroy();
      return false;
    }
    this.#queued.set(socket, queued);
    this.#queuedOfAll++;
    response.once('close', () => {
      const left = this.#queued.get(socket);
      // The connection has closed, with all that waited on it.
      if (left === undefined) return;
      this.#queuedOfAll--;
      if (left > 1) this.#queued.set(socket, left - 1);
      else this.#queued.delete(socket);
    });
    return true;
  }

  /** Closes the connections without a request in flight, whatever they have sent of one. */
  closeWaiting(): void {
    for (const socket of this.#madeAt.keys()) {
      if (responseOn(socket) === undefined) socket.destroy();
    }
  }

  closeAll(): void {
    for (const socket of this.#madeAt.keys()) socket.destroy();
  }

  #makeRoom(): void {
    const byUse: Socket[][] = [[], [], []];
    const lingeredSince = performance.now() - LINGER_MS;
    for (const [socket, madeAt] of this.#madeAt) {
      const response = responseOn(socket);
      if (response === undefined) byUse[socket.bytesWritten === 0 ? 0 : 1]!.push(socket);
      else if (response.writableEnded && madeAt < lingeredSince) byUse[2]!.push(socket);
    }
    const wanted = Math.ceil(this.#max / ROOM_PARTS);
    for (const socket of byUse.flat().slice(0, wanted)) {
      this.#madeAt.delete(socket);
      socket.destroy();
    }
  }
}

/** Says why, and closes. */
export function refuseConnection(socket: Socket, refusal: SkeinError): void {
  const body = JSON.stringify(refusal.toBody());
  socket.end(
    `HTTP/1.1 ${ERRORS[refusal.code].http} Refused\r\nContent-Type: application/json\r\n` +
      `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
  destroyWithin(socket, LINGER_MS);
}

/** Closes a socket, or what a request or an answer uses, unless that has closed by then. */
export function destroyWithin(stream: Socket | IncomingMessage | ServerResponse, ms: number): void {
  const timer = setTimeout(() => stream.destroy(), ms);
  stream.once('close', () => clearTimeout(timer));
}

/**
 * A connection that is closed while it is read from goes on to make requests of what has been read
 * already: a thousand and more of one piece, which takes 20 ms and megabytes, and is for nobody. The
 * parser stops at a request that it is told to be an upgrade, which is the answer 2.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { parser?: { onIncoming: () => number } | null };
  if (parser) parser.onIncoming = () => 2;
}

/** The response that is written to a socket now; Node keeps it there. */
export function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}
