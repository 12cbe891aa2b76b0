/** The answer to a request that was read whole, with the part of Node's `ServerResponse` that answers use. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpResponse } from '../exchange/exchange.ts';

/** The form of a header's value (RFC 9110, section 5.5): no line end may come in by one. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const MS_PER_SECOND = 1000;

export class WholeResponse implements HttpResponse {
  readonly socket: Socket;
  readonly keepAliveSeconds: number;
  readonly #onEnd: (response: WholeResponse) => void;
  /** Written together with the first bytes of the body. */
  #head = '';
  #onClose: (() => void) | undefined;
  headersSent = false;
  writableEnded = false;
  /** The system has taken every byte. */
  writableFinished = false;
  shouldKeepAlive = true;

  /** @param onEnd called when the answer is complete; it may not have been sent yet. */
  constructor(socket: Socket, keepAliveSeconds: number, onEnd: (response: WholeResponse) => void) {
    this.socket = socket;
    this.keepAliveSeconds = keepAliveSeconds;
    this.#onEnd = onEnd;
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  /** The request has been answered, or its connection has closed. */
  once(_: 'close', listener: () => void): void {
    const before = this.#onClose;
    const both = (): void => {
      before?.();
      listener();
    };
    this.#onClose = before === undefined ? listener : both;
  }

  closed(): void {
    this.#onClose?.();
    this.#onClose = undefined;
  }

  /** @param headers name and value alternating. */
  writeHead(status: number, headers: readonly string[]): void {
    if (this.headersSent) throw new Error('The headers have been sent.');
    this.headersSent = true;
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
    for (let at = 0; at < headers.length; at += 2) {
      const value = headers[at + 1]!;
      if (!FIELD_VALUE.test(value)) throw new Error(`The value of ${headers[at]} is invalid.`);
      head += `${headers[at]}: ${value}\r\n`;
    }
    const connection = this.shouldKeepAlive
      ? `Connection: keep-alive\r\nKeep-Alive: timeout=${this.keepAliveSeconds}`
      : 'Connection: close';
    this.#head = `${head}Date: ${httpDate()}\r\n${connection}\r\n\r\n`;
  }

  cork(): void {
    this.socket.cork();
  }

  write(chunk: string | Uint8Array): void {
    this.#send(chunk, 'utf8');
  }

  /** @param encoding of a string. Default: UTF-8. */
  end(chunk: string | Uint8Array = '', encoding: BufferEncoding = 'utf8'): void {
    this.#send(chunk, encoding);
    this.socket.uncork();
    this.writableEnded = true;
    this.#onEnd(this);
  }

  destroy(): void {
    this.socket.destroy();
  }

  #send(chunk: string | Uint8Array, encoding: BufferEncoding): void {
    const { socket } = this;
    const head = this.#head;
    this.#head = '';
    // One write is one call of the system.
    if (typeof chunk === 'string') {
      if (head !== '' || chunk !== '') socket.write(head + chunk, encoding);
      return;
    }
    socket.cork();
    if (head !== '') socket.write(head, 'latin1');
    socket.write(chunk);
    socket.uncork();
  }
}

let date = '';
let dateUntil = 0;

/** Now, as RFC 9110, section 5.6.7 has it, made once a second. */
function httpDate(): string {
  const now = Date.now();
  if (now >= dateUntil || now < dateUntil - MS_PER_SECOND) {
    date = new Date(now).toUTCString();
    dateUntil = now - (now % MS_PER_SECOND) + MS_PER_SECOND;
  }
  return date;
}
