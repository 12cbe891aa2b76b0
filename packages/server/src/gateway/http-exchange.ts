/** One request and its response over HTTP, and the ways to answer it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ERRORS, type SkeinError } from '@skein/api';

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
/** How long the rest of a body that nobody wants may take. */
const LINGER_MS = 1000;

export function sendJson(exchange: Exchange, status: number, value: unknown): void {
  sendText(exchange, status, 'application/json', JSON.stringify(value));
}

/** @param headers name and value in turn. */
export function sendText(
  { response, id, headers: common }: Exchange,
  status: number,
  contentType: string,
  body: string,
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
    ...exchange.headers,
    ...all,
  ]);
  if (exchange.expectsContinue) {
    response.end(body);
    return;
  }
  response.write(body);
  const timer = setTimeout(() => response.end(), LINGER_MS);
  response.once('close', () => clearTimeout(timer));
  request.once('end', () => response.end());
  request.resume();
}

/**
 * To be called when a request is answered: a body that was not read by then, because the answer did
 * not need it, may not hold the connection for long.
 */
export function boundUnreadBody({ request }: Exchange): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(timer));
}

/**
 * To be called when a request is answered: a client that does not take the answer loses the
 * connection after `timeoutMs` without a byte of progress.
 */
export function boundUnreadAnswer({ response }: Exchange, timeoutMs: number): void {
  const { socket } = response;
  // Nearly every answer has left by now, in one piece.
  if (socket === null || socket.writableLength === 0 || !response.writableEnded) return;
  const onTimeout = (): void => void socket.destroy();
  socket.setTimeout(timeoutMs, onTimeout);
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
