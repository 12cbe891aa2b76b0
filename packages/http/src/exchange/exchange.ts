/** One request and its response over HTTP, and the ways to answer it. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SkeinError } from '@skein/api';
import { destroyWithin, LINGER_MS } from '../listener/connections.ts';
import { discardBody } from '../bodies/discard.ts';

/** The members of every request. Node's `IncomingMessage` is one. */
export interface HttpRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  /** The headers as sent, name and value alternating; absent where no header is given twice. */
  readonly rawHeaders?: readonly string[];
  readonly socket: Socket;
  /** Whether the body has arrived. */
  readonly complete: boolean;
}

/** The members of every response. Node's `ServerResponse` is one. */
export interface HttpResponse {
  /** Null while an earlier answer of its connection is being sent. */
  readonly socket: Socket | null;
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  /** Whether the system has taken every byte of the answer. */
  readonly writableFinished: boolean;
  once(event: 'close', listener: () => void): unknown;
  /** @param headers name and value alternating. */
  writeHead(status: number, headers: string[]): unknown;
  cork(): void;
  write(chunk: string | Uint8Array): unknown;
  end(chunk?: string | Uint8Array, encoding?: BufferEncoding): unknown;
  destroy(): unknown;
}

export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** The body of a request that arrived whole; otherwise it is still to be read. */
  readonly body?: Buffer | undefined;
  /** Sent as X-Request-Id and written to the log. */
  readonly id: string;
  /** CORS headers of every answer, name and value alternating. Empty until the origin policy has run. */
  headers: readonly string[];
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** One that Node's HTTP server reads: its body and its answer may be streams. */
export interface NodeExchange extends Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body?: undefined;
}

function isNodes(exchange: Exchange): exchange is NodeExchange {
  return exchange.body === undefined;
}

/** Where a call comes from: a request over HTTP, or a call of gRPC. */
export type Peer = Pick<Exchange, 'request' | 'response'> | { getPeer(): string };

/** An address, with its port over gRPC; `unknown` once the connection has closed. */
export function remoteOf(from: Peer | undefined): string {
  if (from === undefined) return 'unknown';
  return 'getPeer' in from ? from.getPeer() : (from.request.socket.remoteAddress ?? 'unknown');
}

/** Unread body bytes that are cheaper to read than a new connection. */
const WORTH_READING = 256 * 1024;

/**
 * Pieces of a discarded body: 64 MiB at the usual size, 16 MiB of one in chunks. A one-byte piece takes as long
 * to read.
 */
const MAX_DISCARDED_PIECES = 1024;

/**
 * Headers of every answer, name and value alternating: a browser uses the declared type and does
 * not give the answer to a page of another origin, not even as an image or a script.
 */
export const SAFE_HEADERS = [
  'X-Content-Type-Options',
  'nosniff',
  'Cross-Origin-Resource-Policy',
  'same-origin',
] as const;

/** For an answer that belongs to its caller alone, or to this moment. */
export const NOT_STORED = ['Cache-Control', 'no-store'] as const;

export function sendJson(exchange: Exchange, status: number, value: unknown): void {
  sendText(exchange, status, 'application/json', JSON.stringify(value));
}

/** Status 204: the call has succeeded and has no answer. */
export function sendNothing({ response, id, headers }: Exchange): void {
  if (response.destroyed) return;
  response.writeHead(204, [...NOT_STORED, ...SAFE_HEADERS, 'X-Request-Id', id, ...headers]);
  response.end();
}

/**
 * @param body bytes are sent without a copy, so all answers with them share their memory.
 * @param headers name and value alternating.
 */
export function sendText(
  exchange: Exchange,
  status: number,
  contentType: string,
  body: string | Uint8Array,
  headers: readonly string[] = [],
): void {
  const { response } = exchange;
  if (response.destroyed) return;
  const length = Buffer.byteLength(body);
  response.writeHead(status, headersOf(exchange, contentType, length, headers));
  response.end(body);
}

/** @param more name and value alternating. @returns the headers of an answer with a body, in the same way. */
export function headersOf(
  { id, headers }: Exchange,
  contentType: string,
  length: number,
  more: readonly string[],
): string[] {
  const own = ['Content-Type', contentType, 'Content-Length', String(length), 'X-Request-Id', id];
  return [...own, ...SAFE_HEADERS, ...headers, ...more];
}

/** @returns the headers of an answer that is sent piece by piece, name and value alternating. */
export function streamHeaders({ id, headers }: Exchange, contentType: string): string[] {
  // Makes a proxy send the stream without a buffer.
  const unbuffered = ['X-Accel-Buffering', 'no'];
  const own = ['Content-Type', contentType, ...NOT_STORED, ...unbuffered, 'X-Request-Id', id];
  return [...own, ...SAFE_HEADERS, ...headers];
}

/** A path that exists, but not with this method; the answer names the methods that it has. */
export class MethodNotAllowed extends SkeinError {
  readonly allowed: readonly string[];

  constructor(method: string, path: string, allowed: readonly string[]) {
    const shown = JSON.stringify(path.slice(0, 200));
    super('METHOD_NOT_ALLOWED', `${shown} takes ${allowed.join(', ')}, not ${method}.`);
    this.allowed = allowed;
  }
}

/** @param fix the step that mends it, where the service has a more specific one than the error table. */
export function sendError(exchange: Exchange, error: SkeinError, fix = error.row.fix): void {
  sendErrorAs(exchange, error, JSON.stringify({ ...error.toBody(), fix }));
}

/**
 * The same in the words of another protocol.
 * @param body JSON.
 * @param more headers, name and value alternating.
 */
export function sendErrorAs(
  exchange: Exchange,
  error: SkeinError,
  body: string,
  more: readonly string[] = [],
): void {
  const { response } = exchange;
  if (response.destroyed) return;
  // A stream that has begun cannot become an error response; cut it, so that the client notices.
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const headers: string[] = [...NOT_STORED, ...more];
  if (error instanceof MethodNotAllowed) headers.push('Allow', error.allowed.join(', '));
  const { retryAfterSeconds } = error;
  if (retryAfterSeconds !== undefined) headers.push('Retry-After', String(retryAfterSeconds));
  const status = error.row.http;
  if (status === 401) headers.push('WWW-Authenticate', 'Bearer realm="skein"');
  const isUnread = isNodes(exchange) && !exchange.request.complete;
  if (isUnread && (error.code === 'BODY_TOO_SLOW' || !isBodyWorthReading(exchange))) {
    closeWithError(exchange, status, body, headers);
    return;
  }
  sendText(exchange, status, 'application/json', body, headers);
  if (isUnread) discardBody(exchange.request);
  else if (isNodes(exchange)) exchange.request.resume();
}

/**
 * Closing with unread bytes in the buffer resets the connection, and the client may lose the answer. So:
 * answers, discards what still arrives for a moment, then closes.
 */
function closeWithError(
  exchange: NodeExchange,
  status: number,
  body: string,
  headers: readonly string[],
): void {
  const { request, response } = exchange;
  const closing = ['Connection', 'close', ...headers];
  const length = Buffer.byteLength(body);
  response.writeHead(status, headersOf(exchange, 'application/json', length, closing));
  if (exchange.expectsContinue) {
    endWithin(response, LINGER_MS, body);
    return;
  }
  response.write(body);
  // Not `end`, after which Node reads the rest of the body itself.
  destroyWithin(response, LINGER_MS);
  request.once('end', () => response.end());
  let pieces = 0;
  discardBody(request, () => {
    if (++pieces > MAX_DISCARDED_PIECES) request.destroy();
  });
}

/** Ends the response. Closes the connection too if the client has not read it by then. */
export function endWithin(response: ServerResponse, ms: number, text = ''): void {
  response.end(text);
  destroyWithin(response, ms);
}

/**
 * Call it when a request has been answered: a body that was not read because the answer did not
 * need it must not hold the connection for long.
 */
export function boundUnreadBody({ request }: NodeExchange): void {
  if (!request.complete) destroyWithin(request, LINGER_MS);
}

/**
 * Call it when a request has been answered: a client that does not read the answer loses the
 * connection after `timeoutMs` without a byte of progress.
 */
export function boundUnreadAnswer({ response }: NodeExchange, timeoutMs: number): void {
  const { socket } = response;
  // Nearly every answer has been sent by now, in one piece.
  if (socket === null || socket.writableLength === 0 || !response.writableEnded) return;
  boundSilence(response, socket, timeoutMs);
}

/** While a response is being sent: its client loses the connection after `ms` without a byte of progress. */
export function boundSilence(response: ServerResponse, socket: Socket, ms: number): void {
  const onTimeout = (): void => void socket.destroy();
  socket.setTimeout(ms, onTimeout);
  const done = (): void => {
    socket.off('timeout', onTimeout);
  };
  response.once('finish', done);
  response.once('close', done);
}

/** Node reads the rest of a short body automatically and keeps the connection. */
function isBodyWorthReading({ request, expectsContinue }: NodeExchange): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (length === undefined) return encoding === undefined;
  // A client that did not get `100 Continue` may or may not send its body.
  return !expectsContinue && Number(length) <= WORTH_READING;
}
