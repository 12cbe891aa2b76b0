/**
 * The HTTP server under every HTTP face: timeouts, malformed input, and a drain that drops nothing.
 *
 * Draining has two phases. For a moment it still answers everything, telling every client with
 * `Connection: close` not to come back on this connection; closing connections at once would reset
 * those whose next request is already on the wire. Then it stops accepting, closes what is idle,
 * waits for what is in flight, and after a bound cuts the rest.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { ERRORS, SkeinError } from '@skein/api';
import type { GatewayLimits } from './limits.ts';
import { listenOnFreePort, type ListenAddress, type ListenOptions } from './listen.ts';
import type { GatewayLogger } from './logger.ts';

export interface HttpListener {
  /** @throws SkeinError PORT_IN_USE. */
  listen(options: ListenOptions): Promise<ListenAddress>;
  /** Where it listens; absent before `listen`. */
  readonly address: ListenAddress | undefined;
  /** Aborted when draining begins, for streams that would never end by themselves. */
  readonly closing: AbortSignal;
  /**
   * Finishes what is in flight and closes. Idempotent.
   * @param by when the rest is cut off, by `performance.now()`; default: after `drainTimeoutMs`.
   */
  drain(by?: number): Promise<void>;
}

export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
) => void;

/** How often Node looks for connections whose headers are late; a part of their allowance. */
const CHECKS_PER_TIMEOUT = 4;
const SWEEP_MS = 50;
/**
 * A connection that has not said anything for so long, in milliseconds, is not waited for while
 * draining: browsers and proxies open some for later. Once a server closes, Node itself no longer
 * looks for those whose headers are late.
 */
const SILENT_MS = 1000;

export function createHttpListener(
  handle: HttpHandler,
  limits: GatewayLimits,
  logger: GatewayLogger,
): HttpListener {
  const closing = new AbortController();
  let address: ListenAddress | undefined;
  let drained: Promise<void> | undefined;

  const server = createServer({
    headersTimeout: limits.headersTimeoutMs,
    // Bodies have their own timer, because uploads of models may take longer than inference.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / CHECKS_PER_TIMEOUT),
    noDelay: true,
  });
  const accept =
    (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
      if (closing.signal.aborted) response.shouldKeepAlive = false;
      handle(request, response, expectsContinue);
    };
  server.on('request', accept(false));
  server.on('checkContinue', accept(true));
  /** When each open connection was made. */
  const connections = new Map<Socket, number>();
  server.on('connection', (socket: Socket) => {
    connections.set(socket, performance.now());
    socket.once('close', () => connections.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    logger.debug({ err: error, remote: socket.remoteAddress }, 'A client broke the HTTP protocol.');
    refuseConnection(error, socket);
  });

  async function drain(by: number): Promise<void> {
    closing.abort();
    if (!server.listening) return;
    const leftMs = by - performance.now();
    await sleep(Math.max(0, Math.min(limits.drainGraceMs, leftMs / 2)));
    // Right after the connections that wait have been accepted; the others would be reset.
    await immediate();
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    // An answer that began before the drain promised to keep its connection; it is idle afterwards.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      const silentSince = performance.now() - SILENT_MS;
      for (const [socket, connectedAt] of connections) {
        if (socket.bytesRead === 0 && connectedAt < silentSince) socket.destroy();
      }
    }, SWEEP_MS);
    const timer = setTimeout(() => {
      logger.warn({ afterMs: Math.round(leftMs) }, 'Requests still in flight are cut off.');
      server.closeAllConnections();
    }, by - performance.now());
    await closed;
    clearInterval(sweep);
    clearTimeout(timer);
  }

  return {
    get address() {
      return address;
    },
    closing: closing.signal,

    async listen(options) {
      address = await listenOnFreePort(
        options,
        (port) =>
          new Promise((resolve, reject) => {
            server.once('error', reject);
            server.listen({ host: options.host, port, backlog: 1024 }, () => {
              server.off('error', reject);
              const bound = server.address();
              resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
            });
          }),
      );
      return address;
    },

    drain(by = performance.now() + limits.drainTimeoutMs) {
      drained ??= drain(by);
      return drained;
    },
  };
}

/** Answers what is not HTTP as well as it can be answered, and closes. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  // Node keeps the response that is being written here; a second status line would corrupt it.
  const current = (socket as { _httpMessage?: ServerResponse })._httpMessage;
  if (!socket.writable || error.code === 'ECONNRESET' || current?.headersSent === true) {
    socket.destroy(error);
    return;
  }
  const refusal =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new SkeinError('BODY_TOO_SLOW', 'The headers of the request did not arrive in time.')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new SkeinError('HEADERS_TOO_LARGE', 'The headers of the request are larger than 16 KiB.')
        : new SkeinError('REQUEST_INVALID', 'The bytes on the connection are not valid HTTP/1.1.');
  const body = JSON.stringify(refusal.toBody());
  socket.end(
    `HTTP/1.1 ${ERRORS[refusal.code].http} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
