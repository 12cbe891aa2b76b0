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
  sendError,
} from '../exchange/exchange.ts';
import { type GatewayLogger, toSkeinError } from '../fault.ts';
import type { GatewayLimits } from '../limits.ts';
import { createHttpListener, type HttpListener, type OtherProtocols } from './listener.ts';
import type { OriginPolicy } from '../exchange/origin-policy.ts';
import { checkHead } from './request-head.ts';
import { requestIdFrom } from '../exchange/request-id.ts';
import type { Certificates } from '../tls/certificates.ts';

export interface ExchangeListenerOptions extends OtherProtocols {
  readonly origins: OriginPolicy;
  readonly limits: GatewayLimits;
  readonly logger: GatewayLogger;
  /** Serves TLS with these. Default: plain HTTP. */
  readonly certificates?: Certificates | undefined;
  /** What to do about an error, where the service knows more than the error table. */
  readonly fixes?: Partial<Record<ErrorCode, string>> | undefined;
}

/**
 * @param serve may reject or throw: the error becomes the answer. It is not called for preflights.
 *   `reachedAt` is when the request was parsed, by `performance.now()`.
 */
export function createExchangeListener(
  serve: (exchange: Exchange, reachedAt: number) => Promise<void>,
  { origins, limits, logger, certificates, http2, upgrade, fixes = {} }: ExchangeListenerOptions,
): HttpListener {
  function handle(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): void {
    const reachedAt = performance.now();
    const sentId = request.headers['x-request-id'];
    const id = requestIdFrom(typeof sentId === 'string' ? sentId : undefined);
    const exchange: Exchange = { request, response, id, headers: [], expectsContinue };
    const boundRest = (): void => {
      boundUnreadBody(exchange);
      boundUnreadAnswer(exchange, limits.bodyTimeoutMs);
    };
    admit(exchange, reachedAt).then(boundRest, (error: unknown) => {
      answerError(exchange, error);
      boundRest();
    });
  }

  /** Not an async function: a promise here would cost every request. */
  function admit(exchange: Exchange, reachedAt: number): Promise<void> {
    try {
      const { request, response } = exchange;
      checkHead(request, exchange.expectsContinue);
      exchange.headers = origins.admit(request);
      if (request.method !== 'OPTIONS' || exchange.headers.length === 0) {
        return serve(exchange, reachedAt);
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

  return createHttpListener(handle, limits, logger, certificates, { http2, upgrade });
}
