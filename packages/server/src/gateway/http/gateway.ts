/**
 * The HTTP listener of a node, on which its faces register their paths. Every request gets an id,
 * passes the origin policy, and ends with an answer or a coded error.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SharedBudget } from '@skein/api/shared-budget';
import {
  bodyBudget,
  boundUnreadAnswer,
  boundUnreadBody,
  type Certificates,
  createHttpListener,
  createOriginPolicy,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  type Exchange,
  type GatewayLimits,
  type GatewayLogger,
  type HttpListener,
  requestIdFrom,
  sendError,
  toSkeinError,
} from '@skein/http';
import { type Face, MethodNotAllowed, unknownRoute } from '../face.ts';

export interface HttpGatewayOptions {
  readonly faces: readonly Face[];
  /** Whether the node requires no keys; pages of other origins are then rejected. */
  readonly open: boolean;
  /** Origins whose pages may call, such as `https://app.example.com`. */
  readonly allowedOrigins?: readonly string[];
  readonly limits?: Partial<GatewayLimits>;
  /** Shared with gRPC. Default: its own. */
  readonly bodies?: SharedBudget;
  readonly logger: GatewayLogger;
  /** Serves TLS with these. Default: plain HTTP. */
  readonly certificates?: Certificates | undefined;
}

export type HttpGateway = HttpListener;

export function createHttpGateway(options: HttpGatewayOptions): HttpGateway {
  const { logger } = options;
  const limits: GatewayLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const scheme = options.certificates === undefined ? 'http' : 'https';
  const origins = createOriginPolicy(options.open, options.allowedOrigins ?? [], scheme);
  const listener = createHttpListener(handle, limits, logger, options.certificates);
  const transport = {
    limits,
    bodies: options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes)),
    isAccepting: () => !listener.closing.aborted,
  };
  const faces = options.faces.flatMap(({ http }) => http?.(transport) ?? []);

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
    route(exchange, reachedAt).then(boundRest, (error: unknown) => {
      answerError(exchange, error);
      boundRest();
    });
  }

  /** Not an async function: a promise here would cost every request. */
  function route(exchange: Exchange, reachedAt: number): Promise<void> {
    try {
      const { request } = exchange;
      exchange.headers = origins.admit(request);
      if (request.method === 'OPTIONS' && exchange.headers.length > 0) {
        exchange.response.writeHead(204, [...exchange.headers, ...origins.preflight(request)]);
        exchange.response.end();
        return Promise.resolve();
      }
      const path = pathOf(request);
      for (const face of faces) {
        if (face.owns(path)) return face.serve(exchange, path, reachedAt) ?? Promise.resolve();
      }
      throw unknownRoute(exchange);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  function answerError(exchange: Exchange, thrown: unknown): void {
    const error = toSkeinError(thrown, exchange.id, logger);
    try {
      sendError(exchange, error, error instanceof MethodNotAllowed ? ['Allow', error.allow] : []);
    } catch (failure) {
      logger.error({ err: failure, requestId: exchange.id }, 'An error could not be sent.');
      exchange.response.destroy();
    }
  }

  return listener;
}

/** Of the URL, without the query. */
function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
