/**
 * A connection whose requests arrive whole, one after the other, like most clients' requests. They are
 * read and answered here, for about half of what Node's HTTP server takes for each. The first
 * request that is anything else takes the connection to Node's server, with its bytes, for good:
 *
 *   first bytes ─▶ read ─▶ whole, and a face takes it ─▶ answer ─▶ next
 *                   └────▶ anything else ─▶ Node's server
 */
import type { Socket } from 'node:net';
import type { HttpRequest } from '../exchange/exchange.ts';
import { HeadReader } from './head-reader.ts';
import { WholeResponse } from './whole-response.ts';

/** How long the rest of a request may take, in milliseconds, before Node's server waits for it. */
const REST_MS = 50;
/** Node's addition to the time that a client was given, in milliseconds. */
const KEEP_ALIVE_BUFFER_MS = 1000;
/** Pieces in which a request may arrive. */
const MAX_PIECES = 64;
const MS_PER_SECOND = 1000;

/**
 * Bytes of all connections that wait for the rest of their requests. Beyond the bound Node's server gets
 * them, which reads the body of no caller without a right.
 */
export class WaitingBytes {
  readonly #max: number;
  #held = 0;

  constructor(max = 4 * 1024 * 1024) {
    this.#max = max;
  }

  /** @returns whether so many more fit; they are held then. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}

export interface WholeOptions {
  /** Shared by all connections. */
  readonly waiting: WaitingBytes;
  readonly keepAliveTimeoutMs: number;
  /** A client that reads nothing of its answer for so long loses the connection. */
  readonly unreadTimeoutMs: number;
  /** Whether a request may be answered here. */
  takes(request: HttpRequest): boolean;
  serve(request: HttpRequest, body: Buffer, response: WholeResponse): void;
  /** Node's server takes the connection from here. */
  onOther(bytes: Buffer): void;
  /** The client has closed its side within a request. */
  onBroken(code: 'HPE_INVALID_EOF_STATE'): void;
}

export class WholeConnection {
  readonly #socket: Socket;
  readonly #options: WholeOptions;
  readonly #reader: HeadReader;
  readonly #keepAliveSeconds: number;
  /** The one that is being answered. */
  response: WholeResponse | undefined;
  /** Bytes that have arrived and have not been served. */
  #waiting: Buffer | undefined;
  #pieces = 0;
  /** Length of the bytes that wait for the rest of their request. */
  #held = 0;
  #restTimer: NodeJS.Timeout | undefined;
  #unreadTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: WholeOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new HeadReader(socket);
    this.#keepAliveSeconds = Math.floor(options.keepAliveTimeoutMs / MS_PER_SECOND);
    socket.setTimeout(options.keepAliveTimeoutMs + KEEP_ALIVE_BUFFER_MS);
    socket.on('timeout', this.#onTimeout);
    socket.on('data', this.receive);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** Whether it has been answered, and no byte of another request has arrived. */
  get isIdle(): boolean {
    return this.response === undefined && this.#waiting === undefined;
  }

  receive = (bytes: Buffer): void => {
    const all = this.#waiting === undefined ? bytes : Buffer.concat([this.#waiting, bytes]);
    if (this.response === undefined) {
      this.#read(all);
      return;
    }
    // A client that does not wait for its answer: the system keeps what comes next.
    this.#waiting = all;
    this.#socket.pause();
  };

  #read(bytes: Buffer): void {
    const head = this.#reader.read(bytes);
    if (head === 'for-node') {
      this.#leave(bytes);
      return;
    }
    const length = head === 'incomplete' ? Infinity : head.length;
    if (bytes.length > length || (head !== 'incomplete' && !this.#options.takes(head.request))) {
      this.#leave(bytes);
    } else if (head === 'incomplete' || bytes.length < length) {
      this.#await(bytes);
    } else {
      this.#dropPieces();
      this.response = new WholeResponse(this.#socket, this.#keepAliveSeconds, this.#onAnswered);
      this.#options.serve(head.request, bytes.subarray(head.headLength), this.response);
    }
  }

  /** For the rest of a request. */
  #await(bytes: Buffer): void {
    const more = bytes.length - this.#held;
    // Each piece copies those before it.
    if (++this.#pieces > MAX_PIECES || !this.#options.waiting.take(more)) {
      this.#leave(bytes);
      return;
    }
    this.#held += more;
    this.#waiting = bytes;
    this.#restTimer ??= setTimeout(() => this.#leave(this.#waiting!), REST_MS);
  }

  #dropPieces(): void {
    this.#waiting = undefined;
    this.#pieces = 0;
    this.#options.waiting.give(this.#held);
    this.#held = 0;
    clearTimeout(this.#restTimer);
    this.#restTimer = undefined;
  }

  #onAnswered = (response: WholeResponse): void => {
    const socket = this.#socket;
    if (socket.writableLength === 0 || socket.destroyed) {
      this.#finish(response);
      return;
    }
    this.#unreadTimer = boundUnread(socket, this.#options.unreadTimeoutMs);
    socket.write('', () => this.#finish(response));
  };

  #finish(response: WholeResponse): void {
    if (this.response !== response) return;
    const socket = this.#socket;
    clearInterval(this.#unreadTimer);
    response.writableFinished = !socket.destroyed;
    this.response = undefined;
    response.closed();
    if (!response.shouldKeepAlive) {
      socket.destroySoon();
    } else if (this.#waiting !== undefined) {
      const bytes = this.#waiting;
      this.#waiting = undefined;
      socket.resume();
      this.#read(bytes);
    }
  }

  #onTimeout = (): void => {
    // A request that takes long is not an idle connection. The next byte starts the time again.
    if (this.response === undefined) this.#socket.destroy();
  };

  /** The client is gone, or has closed its side, which cancels its request: Node's server does the same. */
  #onEnd = (): void => {
    if (this.response !== undefined || this.#waiting === undefined) {
      this.#socket.end();
    } else {
      this.#dropPieces();
      this.#options.onBroken('HPE_INVALID_EOF_STATE');
    }
  };

  #onClose = (): void => {
    this.#dropPieces();
    clearInterval(this.#unreadTimer);
    const { response } = this;
    this.response = undefined;
    response?.closed();
  };

  /** The socket closes automatically. */
  #onError = (): void => {};

  #leave(bytes: Buffer): void {
    this.#dropPieces();
    const socket = this.#socket;
    socket.setTimeout(0);
    socket.off('timeout', this.#onTimeout);
    socket.off('data', this.receive);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', this.#onError);
    this.#options.onOther(bytes);
  }
}

/**
 * Closes a connection whose client takes no byte of its answer for `ms`. The timeout of the socket does not
 * see that: each byte that the client sends starts it again.
 */
function boundUnread(socket: Socket, ms: number): NodeJS.Timeout {
  // The part of the write in progress that the system has not taken; only Node reports it.
  const handle = (socket as { _handle?: { readonly writeQueueSize?: number } | null })._handle;
  let before = handle?.writeQueueSize;
  return setInterval(() => {
    const left = handle?.writeQueueSize;
    if (left === before) socket.destroy();
    before = left;
  }, ms);
}
