/**
 * A listener whose handler answers exchanges: every request gets an id, passes the origin policy, and
 * ends with an answer or a coded error.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode } from '@skein/api';
import {
  boundUnreadAnswer,
  boundUnreadBody,
  type Exchange,
  type HttpRequest,
  type NodeExchange,
  sendError,
} from '../exchange/exchange.ts';
import { type GatewayLogger, toSkeinError } from '../fault.ts';
import type { GatewayLimits } from '../limits.ts';
import { createHttpListener, type HttpListener, type OtherProtocols } from './listener.ts';
import type { OriginPolicy } from '../exchange/origin-policy.ts';
import { checkHead } from './request-head.ts';
import { requestIdFrom } from '../exchange/request-id.ts';
import type { Certificates } from '../tls/certificates.ts';
import type { WholeResponse } from '../whole/whole-response.ts';

export interface ExchangeListenerOptions extends OtherProtocols {
  readonly origins: OriginPolicy;
  readonly limits: GatewayLimits;
  readonly logger: GatewayLogger;
  /** Answers requests that arrived whole. Default: none, Node's server reads each. */
  readonly whole?: WholeService | undefined;
  /** Serves TLS with these. Default: plain HTTP. */
  readonly certificates?: Certificates | undefined;
  /** The step that mends an error, where the service has a more specific one than the error table. */
  readonly fixes?: Partial<Record<ErrorCode, string>> | undefined;
}

type Serve<E extends Exchange> = (exchange: E, reachedAt: number) => Promise<void>;

/** For requests that arrive whole, head and body in a few reads of the socket. */
export interface WholeService {
  readonly takes: (request: HttpRequest) => boolean;
  /** Counts like the listener's own. */
  readonly serve: Serve<Exchange>;
}

/**
 * @param serve may reject or throw: the error becomes the answer. It is not called for preflights.
 *   `reachedAt` is when the request was parsed, by `performance.now()`.
 */
export function createExchangeListener(
  serve: Serve<NodeExchange>,
  options: ExchangeListenerOptions,
): HttpListener {
  const { origins, limits, logger, certificates, http2, upgrade, whole, fixes = {} } = options;

  function handle(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): void {
    const reachedAt = performance.now();
    const id = idOf(request);
    const exchange: NodeExchange = { request, response, id, headers: [], expectsContinue };
    const boundRest = (): void => {
      boundUnreadBody(exchange);
      boundUnreadAnswer(exchange, limits.bodyTimeoutMs);
    };
    admit(exchange, reachedAt, serve).then(boundRest, (error: unknown) => {
      answerError(exchange, error);
      boundRest();
    });
  }

  function handleWhole(request: HttpRequest, body: Buffer, response: WholeResponse): void {
    const reachedAt = performance.now();
    const id = idOf(request);
    const exchange = { request, response, body, id, headers: [], expectsContinue: false };
    admit<Exchange>(exchange, reachedAt, whole!.serve).catch((error: unknown) =>
      answerError(exchange, error),
    );
  }

  /** Not an async function: a promise here would cost every request. */
  function admit<E extends Exchange>(
    exchange: E,
    reachedAt: number,
    next: Serve<E>,
  ): Promise<void> {
    try {
      const { request, response } = exchange;
      checkHead(request, exchange.expectsContinue);
      exchange.headers = origins.admit(request);
      if (request.method !== 'OPTIONS' || exchange.headers.length === 0) {
        return next(exchange, reachedAt);
      }
      response.writeHead(204, [...exchange.headers, ...origins.preflight(request)]);
      response.end();
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  function answerError(exchange: Exchange, thrown: unknown): void {
    const error = toSkeinError(thrown, exchange.id, logger);
    try {
      sendError(exchange, error, fixes[error.code]);
    } catch (failure) {
      logger.error({ err: failure, requestId: exchange.id }, 'An error could not be sent.');
      exchange.response.destroy();
    }
  }

  const protocols = {
    http2,
    upgrade,
    whole: whole && { takes: whole.takes, serve: handleWhole },
  };
  return createHttpListener(handle, limits, logger, certificates, protocols);
}

function idOf({ headers }: HttpRequest): string {
  const sent = headers['x-request-id'];
  return requestIdFrom(typeof sent === 'string' ? sent : undefined);
}
