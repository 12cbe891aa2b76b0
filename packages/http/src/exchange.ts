/** One request and its response over HTTP, and the ways to answer it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ERRORS, type SkeinError } from '@skein/api';
import { destroyWithin, LINGER_MS } from './connections.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Goes out as X-Request-Id and into the log. */
  readonly id: string;
  /** Name and value in turn, on every answer: CORS. Empty until the origin policy has let it pass. */
  headers: readonly string[];
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** Bytes of an unread body that are cheaper to read than a new connection. */
const WORTH_READING = 256 * 1024;

/**
 * Refused bodies that are read, at the same time, only to be thrown away. Each takes memory until it is
 * collected; clients beyond these may lose their answer, which happens only in a flood.
 */
const MAX_DISCARDING = 32;
let discarding = 0;
/** Pieces of such a body: 64 MiB as they mostly come. Pieces of a byte take as long, each, to read. */
const MAX_DISCARDED_PIECES = 1024;

/**
 * On every answer, name and value in turn: a browser takes it for what its type says, and gives it
 * to no page of another origin, not even as an image or a script.
 */
export const SAFE_HEADERS = [
  'X-Content-Type-Options',
  'nosniff',
  'Cross-Origin-Resource-Policy',
  'same-origin',
] as const;

export function sendJson(exchange: Exchange, status: number, value: unknown): void {
  sendText(exchange, status, 'application/json', JSON.stringify(value));
}

/**
 * @param body bytes are sent as they lie, so that every answer with them shares their memory.
 * @param headers name and value in turn.
 */
export function sendText(
  { response, id, headers: common }: Exchange,
  status: number,
  contentType: string,
  body: string | Uint8Array,
  headers: readonly string[] = [],
): void {
  if (response.destroyed) return;
  response.writeHead(status, [
    'Content-Type',
    contentType,
    'Content-Length',
    String(Buffer.byteLength(body)),
    'X-Request-Id',
    id,
    ...SAFE_HEADERS,
    ...common,
    ...headers,
  ]);
  response.end(body);
}

/** @param headers name and value in turn. */
export function sendError(
  exchange: Exchange,
  error: SkeinError,
  headers: readonly string[] = [],
): void {
  const { request, response } = exchange;
  if (response.destroyed) return;
  // A stream that has begun cannot turn into an error; cutting it is the only honest sign.
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const all = [...headers];
  if (error.retryAfterMs !== undefined) {
    all.push('Retry-After', String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))));
  }
  const status = ERRORS[error.code].http;
  if (status === 401 && !headers.includes('WWW-Authenticate')) {
    all.push('WWW-Authenticate', 'Bearer realm="skein"');
  }
  const body = JSON.stringify(error.toBody());
  if (error.code !== 'BODY_TOO_SLOW' && isBodyWorthReading(exchange)) {
    sendText(exchange, status, 'application/json', body, all);
    request.resume();
    return;
  }
  // Closing with unread bytes in the buffer resets the connection, and the client may lose the
  // answer. So: answer, throw away what still comes for a moment, then close.
  response.writeHead(status, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'X-Request-Id',
    exchange.id,
    'Connection',
    'close',
    ...SAFE_HEADERS,
    ...exchange.headers,
    ...all,
  ]);
  if (exchange.expectsContinue) {
    endWithin(response, LINGER_MS, body);
    return;
  }
  if (discarding >= MAX_DISCARDING) {
    request.resume();
    endWithin(response, LINGER_MS, body);
    return;
  }
  response.write(body);
  const timer = setTimeout(() => endWithin(response, LINGER_MS), LINGER_MS);
  response.once('close', () => clearTimeout(timer));
  discarding++;
  response.once('close', () => discarding--);
  request.once('end', () => response.end());
  let pieces = 0;
  request.on('data', () => {
    if (++pieces > MAX_DISCARDED_PIECES) request.destroy();
  });
}

/** Ends an answer, and the connection too when the client has not taken it by then. */
export function endWithin(response: ServerResponse, ms: number, text = ''): void {
  response.end(text);
  destroyWithin(response, ms);
}

/**
 * To be called when a request is answered: a body that was not read by then, because the answer did
 * not need it, may not hold the connection for long.
 */
export function boundUnreadBody({ request }: Exchange): void {
  if (!request.complete) destroyWithin(request, LINGER_MS);
}

/**
 * To be called when a request is answered: a client that does not take the answer loses the
 * connection after `timeoutMs` without a byte of progress.
 */
export function boundUnreadAnswer({ response }: Exchange, timeoutMs: number): void {
  const { socket } = response;
  // Nearly every answer has left by now, in one piece.
  if (socket === null || socket.writableLength === 0 || !response.writableEnded) return;
  boundSilence(response, socket, timeoutMs);
}

/** While a response goes out: its client loses the connection after `ms` without a byte of progress. */
export function boundSilence(response: ServerResponse, socket: Socket, ms: number): void {
  const onTimeout = (): void => void socket.destroy();
  socket.setTimeout(ms, onTimeout);
  const done = (): void => {
    socket.off('timeout', onTimeout);
  };
  response.once('finish', done);
  response.once('close', done);
}

/** Node reads the rest of a short body by itself and keeps the connection. */
function isBodyWorthReading({ request, expectsContinue }: Exchange): boolean {
  if (request.complete) return true;
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (length === undefined) return encoding === undefined;
  // A client that was not told to continue may or may not send its body.
  return !expectsContinue && Number(length) <= WORTH_READING;
}
