/**
 * Bounds the time that Node's HTTP parser takes in one turn of the event loop. One read of a socket may bring
 * thousands of chunks or requests, and one turn may read a thousand sockets.
 *
 * Bytes are parsed in slices until the time of the turn is spent. The rest waits for the next turn, and no
 * connection is read until the rest is parsed. Requests that arrive whole, gRPC, timers and replicas do not wait.
 * The connection that was read longest ago comes first.
 *
 * The price: Node's parser does not read the socket directly, so each read needs one more allocation.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { freePiece } from '@skein/api/owned-memory';
import { startReading, stopReading } from './shared-reading.ts';
import { TurnTime } from './turn-time.ts';

/** Bytes that are parsed before the clock is read again: some 2,700 chunks of one byte, 5 ms. */
const SLICE_BYTES = 16 * 1024;

interface Reader {
  readonly socket: Socket;
  /** Node's parser. */
  readonly parse: (bytes: Buffer) => void;
  readonly listeners: Readonly<Record<'data' | 'pause' | 'resume', (bytes: Buffer) => void>>;
  /** Bytes that have arrived and wait for the next turn. */
  rest: Buffer | undefined;
}

export class PacedReads {
  readonly #time: TurnTime;
  /** In the order of their last read, the oldest first. */
  readonly #readers = new Map<Socket, Reader>();
  #isStopped = false;

  constructor(now?: () => number) {
    this.#time = new TurnTime({ now, onDone: () => this.#startAll() });
  }

  /** Call it when Node's server has taken the socket, and before it gets the first bytes. */
  add(socket: Socket): void {
    const parse = socket.listeners('data').at(-1) as Reader['parse'];
    const listeners: Reader['listeners'] = {
      data: (bytes) => this.#read(reader, bytes),
      // Without this, a paused stream continues to read until its buffer is full.
      pause: () => stopReading(socket),
      resume: () => this.#start(socket),
    };
    const reader: Reader = { socket, parse, listeners, rest: undefined };
    socket.off('data', parse);
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
    socket.once('close', () => this.release(socket));
    this.#readers.set(socket, reader);
  }

  /** Call it when Node's server has handed the socket over, or the socket has closed. */
  release(socket: Socket): void {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return;
    this.#readers.delete(socket);
    for (const [event, listener] of Object.entries(reader.listeners)) socket.off(event, listener);
    reader.rest = undefined;
    startReading(socket);
  }

  #read(reader: Reader, bytes: Buffer): void {
    const { socket, parse } = reader;
    // The connection was refused, or has had its last answer.
    if (!socket.writable) return freePiece(bytes);
    if (reader.rest !== undefined) {
      reader.rest = Buffer.concat([reader.rest, bytes]);
      return;
    }
    this.#readers.delete(socket);
    this.#readers.set(socket, reader);
    const step = isBodyOfKnownLength(socket) ? bytes.length : SLICE_BYTES;
    for (let at = 0; at < bytes.length; at += step) {
      if (this.#time.isSpent) return this.#wait(reader, bytes.subarray(at));
      const slice = bytes.length <= step ? bytes : bytes.subarray(at, at + step);
      this.#time.spend(() => parse(slice));
      const hasMore = at + step < bytes.length;
      if (this.#readers.get(socket) !== reader) {
        if (hasMore && !socket.destroyed) socket.push(bytes.subarray(at + step));
        return;
      }
      if (!socket.writable) return;
      if (hasMore && socket.isPaused()) {
        socket.unshift(bytes.subarray(at + step));
        return;
      }
    }
    freePiece(bytes);
  }

  #wait(reader: Reader, rest: Buffer): void {
    reader.rest = rest;
    this.#time.wait(() => this.#readRest(reader));
    const stopped = this.#isStopped ? [reader.socket] : this.#readers.keys();
    this.#isStopped = true;
    for (const socket of stopped) stopReading(socket);
  }

  #readRest(reader: Reader): void {
    const { rest } = reader;
    reader.rest = undefined;
    // Absent: the connection has closed meanwhile.
    if (rest !== undefined) this.#read(reader, rest);
  }

  #startAll(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    for (const socket of this.#readers.keys()) this.#start(socket);
  }

  #start(socket: Socket): void {
    if (!this.#isStopped && !socket.isPaused()) startReading(socket);
  }
}

/** Whether the next bytes belong to a body with a Content-Length: the parser passes it on in few pieces. */
function isBodyOfKnownLength(socket: Socket): boolean {
  const { parser } = socket as { parser?: { readonly incoming: IncomingMessage | null } | null };
  const request = parser?.incoming;
  return request?.complete === false && request.headers['content-length'] !== undefined;
}
