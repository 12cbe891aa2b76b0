/**
 * Bounds how long the connections of Node's server hold up everything else: one read of a socket brings
 * thousands of chunks or requests, and one turn of the event loop a read of each of a thousand sockets.
 *
 * Node's parser reads a socket itself while a turn brings few bytes, which takes a fifth less time for a small
 * request. The socket whose bytes are too many for a turn is read here from then on: its bytes are parsed in slices
 * until the time of a turn is spent. What is left of them waits for the next turn, and no connection is read until
 * it has been parsed; requests that arrive whole, gRPC, timers and replicas do not wait for it. Connections that
 * were not read then are read first.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { freePiece } from '../bodies/discard.ts';
import { SharedReading, stopReading } from './reading.ts';
import { TurnTime } from './turn-time.ts';

/** Bytes that are parsed without a look at the clock: some 2,700 chunks of one byte, 5 ms. */
const SLICE_BYTES = 16 * 1024;

/** Bytes that Node's parser reads by itself in one turn: some 160 small requests, 7 ms, and the rest of its last read. */
const UNPACED_BYTES = 32 * 1024;
/** A read that is not a small request. */
const LARGE_READ_BYTES = 4 * 1024;

/** Node's parser, with members that its types do not declare. */
type Parser = Record<number, (read: unknown) => void> & {
  readonly incoming: IncomingMessage | null;
  /** Whether it reads the socket itself. */
  readonly _consumed?: boolean;
  /** `kOnExecute` is the place of what it calls after each of its reads. */
  readonly constructor: { readonly kOnExecute?: number };
};

interface Reader {
  readonly socket: Socket;
  readonly parse: (bytes: Buffer) => void;
  readonly listeners: Readonly<Record<'data' | 'pause' | 'resume', (bytes: Buffer) => void>>;
  /** What has arrived and waits for the next turn. */
  rest: Buffer | undefined;
}

export class PacedReads {
  readonly #time: TurnTime;
  readonly #readers = new Map<Socket, Reader>();
  readonly #reading = new SharedReading((socket) => !socket.isPaused());
  /** Bytes that Node's parser may still read by itself in this turn. */
  #unpacedBytes = UNPACED_BYTES;

  constructor(now?: () => number) {
    this.#time = new TurnTime({ now, onDone: () => this.#reading.start() });
  }

  /** Call it when Node's server has taken the socket, and before it gets the first bytes. */
  add(socket: Socket): void {
    const parse = socket.listeners('data').at(-1) as Reader['parse'];
    const listeners: Reader['listeners'] = {
      data: (bytes) => this.#read(reader, bytes),
      // A stream that is paused would read on until its buffer is full.
      pause: () => stopReading(socket),
      resume: () => this.#reading.settle(socket),
    };
    const reader: Reader = { socket, parse, listeners, rest: undefined };
    socket.off('data', parse);
    // Not by the socket's own method, which ends the reads of Node's parser.
    EventEmitter.prototype.on.call(socket, 'data', listeners.data);
    socket.on('pause', listeners.pause).on('resume', listeners.resume);
    socket.once('close', () => this.release(socket));
    this.#readers.set(socket, reader);
    this.#reading.add(socket);
    this.#watch(reader);
  }

  /** Node's server has given the socket away, or it has closed. */
  release(socket: Socket): void {
    const reader = this.#readers.get(socket);
    if (reader === undefined) return;
    this.#readers.delete(socket);
    for (const [event, listener] of Object.entries(reader.listeners)) socket.off(event, listener);
    reader.rest = undefined;
    this.#reading.release(socket);
  }

  /** Counts the reads of Node's parser. */
  #watch(reader: Reader): void {
    const parser = parserOf(reader.socket);
    const place = parser?.constructor.kOnExecute;
    const onExecute = place === undefined ? undefined : parser?.[place];
    if (parser?._consumed !== true || onExecute === undefined) return this.#takeOver(reader);
    parser[place!] = (read) => {
      onExecute(read);
      if (typeof read === 'number') this.#count(reader, read);
    };
  }

  #count(reader: Reader, bytes: number): void {
    const { socket } = reader;
    if (this.#readers.get(socket) !== reader) return;
    this.#reading.note(socket);
    if (this.#unpacedBytes === UNPACED_BYTES) setImmediate(this.#endTurn);
    this.#unpacedBytes -= bytes;
    if (this.#unpacedBytes > 0) return;
    if (bytes >= LARGE_READ_BYTES) this.#takeOver(reader);
    this.#stop();
  }

  #endTurn = (): void => {
    this.#unpacedBytes = UNPACED_BYTES;
  };

  /** From now on its bytes come to the listener. */
  #takeOver({ socket }: Reader): void {
    const nothing = (): void => {};
    socket.on('data', nothing).off('data', nothing);
  }

  #read(reader: Reader, bytes: Buffer): void {
    const { socket, parse } = reader;
    // The connection has been refused, or answered for the last time.
    if (!socket.writable) return freePiece(bytes);
    if (reader.rest !== undefined) {
      reader.rest = Buffer.concat([reader.rest, bytes]);
      return;
    }
    this.#reading.note(socket);
    const step = isBodyOfKnownLength(socket) ? bytes.length : SLICE_BYTES;
    // What is not parsed at once must not be overtaken.
    if (bytes.length > step || this.#time.isSpent) this.#takeOver(reader);
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
    this.#stop();
  }

  #readRest(reader: Reader): void {
    const { rest } = reader;
    reader.rest = undefined;
    // Absent: it has closed meanwhile.
    if (rest !== undefined) this.#read(reader, rest);
  }

  #stop(): void {
    // For a turn in which nothing else waits.
    if (this.#reading.stop()) this.#time.wait(() => {});
  }
}

function parserOf(socket: Socket): Parser | null | undefined {
  return (socket as { parser?: Parser | null }).parser;
}

/** Whether what comes next is a body that arrives in few pieces, however it is cut. */
function isBodyOfKnownLength(socket: Socket): boolean {
  const request = parserOf(socket)?.incoming;
  return request?.complete === false && request.headers['content-length'] !== undefined;
}
