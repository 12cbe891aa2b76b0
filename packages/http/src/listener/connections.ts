/**
 * The open connections of an HTTP server, and what each of them may hold.
 *
 * A client without a key can open connections and leave them idle. Their number is therefore
 * bounded. At the bound, the server closes connections in this order, oldest first: connections
 * that never sent a whole request and idle connections, the larger group first; connections
 * whose client does not read its answer. A client that opens most of them thereby closes its own: with
 * an order between the two, idle connections of one client would close each new connection of another before its
 * first request has arrived. A new connection is rejected only if every open one has a request in
 * flight. A client whose idle connection was closed opens a new one.
 *
 * A rejected connection is destroyed after a short delay. `end()` alone is not enough: it closes
 * one direction, and the client can keep the other one open.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ERRORS, SkeinError } from '@skein/api';

/** How long a client may take to read why its connection was rejected, in milliseconds. */
export const LINGER_MS = 1000;
/** Fraction of all connections that one search closes, so that the search is rare. */
const CLOSED_PARTS = 16;
/**
 * Bounds on pipelined requests that wait for an earlier answer, per connection and in total. Each
 * takes some kilobytes before its key has been checked. Clients that pipeline at all send a few.
 */
const MAX_QUEUED = 32;
const MAX_QUEUED_OF_ALL = 1024;

/** A connection that Node's server does not read. */
interface ReadConnection {
  /** Whether it waits for the first byte of a request. */
  readonly isIdle: boolean;
  readonly response: OpenResponse | undefined;
}

/** A response that is being written. */
type OpenResponse = Pick<ServerResponse, 'headersSent' | 'writableEnded'>;

export class HttpConnections {
  readonly #max: number;
  /** Creation time of each connection, oldest first. */
  readonly #madeAt = new Map<Socket, number>();
  readonly #queued = new Map<Socket, number>();
  #queuedOfAll = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#madeAt.size;
  }

  /** @returns false if the connection was rejected instead. */
  add(socket: Socket): boolean {
    if (this.#madeAt.size >= this.#max) this.#closeUnused();
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

  /** @param connection that reads the socket; absent: Node's server. */
  readBy(socket: Socket, connection: ReadConnection | undefined): void {
    if (connection === undefined) wholeConnections.delete(socket);
    else wholeConnections.set(socket, connection);
  }

  /** Another server has taken over the connection. */
  release(socket: Socket): void {
    this.#madeAt.delete(socket);
  }

  /**
   * Counts a request that arrived before the previous one on its connection was answered.
   * @returns false if there are too many; the connection is then closed.
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
      // The connection has closed, and its waiting requests with it.
      if (left === undefined) return;
      this.#queuedOfAll--;
      if (left > 1) this.#queued.set(socket, left - 1);
      else this.#queued.delete(socket);
    });
    return true;
  }

  /** Closes the connections without a request in flight, even if part of a request has arrived. */
  closeWaiting(): void {
    for (const socket of this.#madeAt.keys()) {
      if (responseOn(socket) === undefined) socket.destroy();
    }
  }

  /** Closes those that Node's server does not read and that have been answered. */
  closeIdle(): void {
    for (const socket of this.#madeAt.keys()) {
      if (wholeConnections.get(socket)?.isIdle === true) socket.destroy();
    }
  }

  closeAll(): void {
    for (const socket of this.#madeAt.keys()) socket.destroy();
  }

  #closeUnused(): void {
    const [silent, idle, unread]: [Socket[], Socket[], Socket[]] = [[], [], []];
    const lingeredSince = performance.now() - LINGER_MS;
    for (const [socket, madeAt] of this.#madeAt) {
      const response = responseOn(socket);
      if (response === undefined) (socket.bytesWritten === 0 ? silent : idle).push(socket);
      else if (response.writableEnded && madeAt < lingeredSince) unread.push(socket);
    }
    const byUse = silent.length < idle.length ? [idle, silent, unread] : [silent, idle, unread];
    const wanted = Math.ceil(this.#max / CLOSED_PARTS);
    for (const socket of byUse.flat().slice(0, wanted)) {
      this.#madeAt.delete(socket);
      socket.destroy();
    }
  }
}

/** Sends the reason and closes. */
export function refuseConnection(socket: Socket, refusal: SkeinError): void {
  // Node's HTTP server may have no listener on it, and then a reset would end the process.
  socket.on('error', () => {});
  const body = JSON.stringify(refusal.toBody());
  const { retryAfterSeconds: seconds } = refusal;
  const retryAfter = seconds === undefined ? '' : `Retry-After: ${seconds}\r\n`;
  socket.end(
    `HTTP/1.1 ${ERRORS[refusal.code].http} Refused\r\nContent-Type: application/json\r\n` +
      `X-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      retryAfter +
      `Connection: close\r\n\r\n${body}`,
  );
  destroyWithin(socket, LINGER_MS);
}

/** Closes a socket, or the socket of a request or response, unless it has closed by then. */
export function destroyWithin(stream: Socket | IncomingMessage | ServerResponse, ms: number): void {
  const timer = setTimeout(() => stream.destroy(), ms);
  stream.once('close', () => clearTimeout(timer));
}

/**
 * Stops the HTTP parser of a closed connection. Otherwise it continues to create requests from the
 * bytes that it has already read: more than a thousand from one read, which takes 20 ms and
 * megabytes for requests that cannot be answered. The parser stops at a request marked as an
 * upgrade: the value 2.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { parser?: { onIncoming: () => number } | null };
  if (parser) parser.onIncoming = () => 2;
}

/** The connections that Node's server does not read. */
const wholeConnections = new WeakMap<Socket, ReadConnection>();

/** The response that is being written to a socket; where Node's server reads it, Node keeps it there. */
export function responseOn(socket: Socket): OpenResponse | undefined {
  const nodes = (socket as { _httpMessage?: ServerResponse | null })._httpMessage;
  return nodes ?? wholeConnections.get(socket)?.response;
}
