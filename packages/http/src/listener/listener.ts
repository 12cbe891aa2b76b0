/**
 * The HTTP server under every HTTP face: timeouts, malformed input, and a drain that drops no
 * request.
 *
 * Draining has two phases. At first the server still answers every request and sends `Connection:
 * close`, because closing connections at once would reset those whose next request is on the wire.
 * Then it stops accepting, closes idle connections, waits for requests in flight, and cuts off the
 * rest at the deadline.
 */
import {
  createServer,
  type IncomingMessage,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import { HttpConnections, refuseConnection, responseOn } from './connections.ts';
import type { GatewayLimits } from '../limits.ts';
import { listenOnFreePort, type ListenAddress, type ListenOptions } from './listen.ts';
import type { HttpRequest } from '../exchange/exchange.ts';
import type { GatewayLogger } from '../fault.ts';
import { PacedReads } from './paced-reads.ts';
import { peek, SHARED_ALPN, speaksHttp2 } from './shared-port.ts';
import type { Certificates } from '../tls/certificates.ts';
import { createSecureHttpServer } from '../tls/secure-servers.ts';
import { WaitingBytes, WholeConnection } from '../whole/whole-connection.ts';
import type { WholeResponse } from '../whole/whole-response.ts';

export interface HttpListener {
  /** @throws SkeinError PORT_IN_USE. */
  listen(options: ListenOptions): Promise<ListenAddress>;
  /** The bound address; absent before `listen`. */
  readonly address: ListenAddress | undefined;
  /** Aborted when draining begins, for streams that do not end by themselves. */
  readonly closing: AbortSignal;
  /**
   * Finishes the requests in flight and closes. Idempotent.
   * @param by when the rest is cut off, by `performance.now()`; default: after `drainTimeoutMs`.
   */
  drain(by?: number): Promise<void>;
}

export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
) => void;

/** How often Node checks for late headers, as a fraction of their timeout. */
const CHECKS_PER_TIMEOUT = 4;
const SWEEP_MS = 50;
/**
 * While draining, a connection whose request is still incomplete after this time, in milliseconds,
 * is closed: browsers and proxies open connections in advance, and some clients send headers for
 * ever. Once a server closes, Node itself no longer checks for late headers.
 */
const LATE_MS = 1000;
/** Connections that may be closing at the same time, per connection that is kept. */
const LEAVING_PARTS = 1 / 4;
/** Size of a request's line and headers together, in bytes; also Node's default. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Takes over a connection whose client speaks HTTP/2. */
export type Http2Handler = (socket: Socket) => void;

/** Takes over connections that ask for another protocol; one that it does not ask for stays HTTP. */
export interface UpgradeHandler {
  asks(request: IncomingMessage): boolean;
  /**
   * Until it resolves, the connection counts as one that waits, and may be closed for a new one.
   * @param head bytes that arrived after the request.
   * @returns whether it has taken the connection over, and bounds it from then on.
   */
  accept(request: IncomingMessage, socket: Socket, head: Buffer): Promise<boolean>;
}

/** Answers requests that arrived whole, before Node's server has seen them. */
export interface WholeHandler {
  readonly takes: (request: HttpRequest) => boolean;
  readonly serve: (request: HttpRequest, body: Buffer, response: WholeResponse) => void;
}

export interface OtherProtocols {
  /** Default: the port speaks HTTP/1.1 alone. */
  readonly http2?: Http2Handler | undefined;
  /** Default: a request that asks for another protocol is answered as any other. */
  readonly upgrade?: UpgradeHandler | undefined;
}

export function createHttpListener(
  handle: HttpHandler,
  limits: GatewayLimits,
  logger: GatewayLogger,
  certificates?: Certificates,
  { http2, upgrade, whole }: OtherProtocols & { readonly whole?: WholeHandler | undefined } = {},
): HttpListener {
  const closing = new AbortController();
  let address: ListenAddress | undefined;
  let drained: Promise<void> | undefined;

  const options: ServerOptions = {
    headersTimeout: limits.headersTimeoutMs,
    // Bodies have their own timer, because uploads of models may take longer than inference.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / CHECKS_PER_TIMEOUT),
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node would answer with an empty body.
    requireHostHeader: false,
    noDelay: true,
    ...(upgrade === undefined ? {} : { shouldUpgradeCallback: (request) => upgrade.asks(request) }),
  };
  const server =
    certificates === undefined
      ? createServer(options)
      : createSecureHttpServer(options, certificates, http2 && SHARED_ALPN);
  const connections = new HttpConnections(limits.maxConnections);
  const waiting = new WaitingBytes();
  const paced = new PacedReads();
  // Beyond these, do not even send a rejection.
  server.maxConnections = Math.ceil((1 + LEAVING_PARTS) * limits.maxConnections);
  const accept =
    (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      // Ignore data that still arrives on a rejected or closed connection.
      if (!socket.writable) return;
      // A response without a socket waits for an earlier one.
      if (response.socket === null && !connections.queue(socket, response)) return;
      if (closing.signal.aborted) response.shouldKeepAlive = false;
      handle(request, response, expectsContinue);
    };
  server.on('request', accept(false));
  server.on('checkContinue', accept(true));
  server.on('checkExpectation', accept(false));
  server.on('connect', ({ url }: IncomingMessage, socket: Socket) => {
    const message = `The service is not a proxy: it opens no connection to ${JSON.stringify(url)}.`;
    const refusal = new SkeinError('REQUEST_INVALID', message);
    // An earlier request on the connection waits for its answer; this one must not come instead.
    if (responseOn(socket) === undefined) refuseConnection(socket, refusal);
    else socket.on('error', () => {}).destroy();
  });
  const follow = (socket: Socket): boolean => {
    if (connections.add(socket)) return true;
    logger.debug({ open: connections.size }, 'The limit on connections is reached.');
    return false;
  };
  // Over TLS, count connections whose handshake is done; a handshake has its own timeout.
  const accepted = certificates === undefined ? 'connection' : 'secureConnection';
  const peeks = certificates === undefined && (http2 !== undefined || whole !== undefined);
  if (http2 === undefined && !peeks) {
    // After Node's own listener.
    server.on(accepted, (socket: Socket) => {
      follow(socket);
      paced.add(socket);
    });
  } else sharePort();
  if (upgrade !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      paced.release(socket);
      // Node has taken its listener away, and without one a reset would end the process.
      socket.on('error', () => {});
      upgrade.accept(request, socket, head).then(
        (isTaken) => {
          if (isTaken) handOver(socket);
        },
        (error: unknown) => {
          logger.warn({ err: error }, 'A connection could not be taken over.');
          socket.destroy();
        },
      );
    });
  }
  const onBroken = (error: NodeJS.ErrnoException, socket: Socket): void => {
    logger.debug({ err: error, remote: socket.remoteAddress }, 'A client broke the HTTP protocol.');
    refuseBroken(error, socket);
  };
  server.on('clientError', onBroken);

  /** Another server bounds the connection from now on; it takes no place of an HTTP/1.1 connection. */
  function handOver(socket: Socket): void {
    connections.release(socket);
    server.maxConnections++;
    socket.once('close', () => server.maxConnections--);
  }

  /** Decides by the first bytes of a connection, before Node's own listener gets it. */
  function sharePort(): void {
    const listeners = server.listeners(accepted);
    server.removeAllListeners(accepted);
    const serveHttp1 = (socket: Socket): void => {
      for (const listener of listeners) listener.call(server, socket);
      paced.add(socket);
    };
    const serveHttp2 = (socket: Socket): void => {
      handOver(socket);
      http2!(socket);
    };
    const breakOff = (socket: Socket, code: string): void =>
      onBroken(Object.assign(new Error(code), { code }), socket);
    server.on(accepted, (socket: Socket) => {
      // A refused connection is read, so that its client gets the reason instead of a reset.
      if (!follow(socket)) serveHttp1(socket);
      else if (peeks) {
        const onOther = (bytes: Buffer): void => {
          serveHttp1(socket);
          socket.emit('data', bytes);
        };
        peek(socket, {
          timeoutMs: limits.headersTimeoutMs,
          onHttp1(head) {
            if (whole === undefined) onOther(head);
            else serveWhole(socket, head, whole, onOther, (code) => breakOff(socket, code));
          },
          onHttp2:
            http2 &&
            ((head) => {
              // Node's HTTP/2 takes what a paused socket has buffered.
              socket.pause();
              socket.unshift(head);
              serveHttp2(socket);
            }),
          onBroken: (code) => breakOff(socket, code),
        });
      } else if (speaksHttp2(socket)) serveHttp2(socket);
      else serveHttp1(socket);
    });
  }

  function serveWhole(
    socket: Socket,
    first: Buffer,
    { takes, serve }: WholeHandler,
    onOther: (bytes: Buffer) => void,
    onBroken: (code: string) => void,
  ): void {
    const connection = new WholeConnection(socket, {
      waiting,
      keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
      unreadTimeoutMs: limits.bodyTimeoutMs,
      takes,
      serve(request, body, response) {
        response.shouldKeepAlive = !closing.signal.aborted;
        serve(request, body, response);
      },
      onOther(bytes) {
        connections.readBy(socket, undefined);
        onOther(bytes);
      },
      onBroken,
    });
    connections.readBy(socket, connection);
    connection.receive(first);
  }

  async function drain(by: number): Promise<void> {
    closing.abort();
    if (!server.listening) return;
    const leftMs = by - performance.now();
    await sleep(Math.max(0, Math.min(limits.drainGraceMs, leftMs / 2)));
    // Close only after the pending connections have been accepted; otherwise they would be reset.
    await immediate();
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    // An answer that began before the drain promised keep-alive; its connection is idle afterwards.
    const lateAt = performance.now() + LATE_MS;
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      connections.closeIdle();
      if (performance.now() >= lateAt) connections.closeWaiting();
    }, SWEEP_MS);
    const timer = setTimeout(
      () => {
        logger.warn({ afterMs: Math.round(leftMs) }, 'Requests still in flight are cut off.');
        connections.closeAll();
      },
      Math.max(0, by - performance.now()),
    );
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

/** Answers input that is not HTTP if that is possible, and closes. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  // A second status line would corrupt an answer that has begun.
  if (!socket.writable || error.code === 'ECONNRESET' || responseOn(socket)?.headersSent === true) {
    socket.destroy(error);
    return;
  }
  const refusal =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new SkeinError('BODY_TOO_SLOW', 'The headers of the request did not arrive in time.')
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? new SkeinError('HEADERS_TOO_LARGE', 'The headers of the request are larger than 16 KiB.')
        : new SkeinError('REQUEST_INVALID', 'The bytes on the connection are not valid HTTP/1.1.');
  refuseConnection(socket, refusal);
}
