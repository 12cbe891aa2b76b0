/**
 * The HTTP face of a node: one listener for the Open Inference Protocol, the metrics and the
 * management API. Every request gets an id, passes the origin policy, and ends with an answer or a
 * coded error.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SkeinError } from '@skein/api';
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
  sendText,
  toSkeinError,
} from '@skein/http';
import {
  isProtocolPath,
  MethodNotAllowed,
  serveProtocol,
  type ProtocolOptions,
} from '../oip/http/routes.ts';
import { PayloadCodec } from '../oip/payload-codec.ts';
import { brief } from '../brief.ts';

/**
 * Handles a request outside of the protocol; resolves with `false` if the management API has no
 * such path either. The request's id is in its `x-request-id` header; a SkeinError that it throws
 * becomes the answer.
 */
export type ManagementHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
) => boolean | Promise<boolean>;

export interface HttpGatewayOptions extends Omit<
  ProtocolOptions,
  'limits' | 'isAccepting' | 'bodies' | 'codec'
> {
  readonly management?: ManagementHandler;
  /** The text of `GET /metrics`, in the exposition format that `contentType` names. */
  readonly metrics?: { readonly contentType: string; text(): Promise<string> };
  /** Whether the node requires no keys; pages of other origins are then rejected. */
  readonly open: boolean;
  /** Origins whose pages may call, such as `https://app.example.com`. */
  readonly allowedOrigins?: readonly string[];
  readonly limits?: Partial<GatewayLimits>;
  /** Shared with the other face. Default: its own. */
  readonly bodies?: SharedBudget;
  readonly codec?: PayloadCodec;
  readonly logger: GatewayLogger;
  /** Serves TLS with these. Default: plain HTTP. */
  readonly certificates?: Certificates | undefined;
}

export type HttpGateway = HttpListener;

export function createHttpGateway(options: HttpGatewayOptions): HttpGateway {
  const { access, management, metrics, logger } = options;
  const limits: GatewayLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const scheme = options.certificates === undefined ? 'http' : 'https';
  const origins = createOriginPolicy(options.open, options.allowedOrigins ?? [], scheme);
  const listener = createHttpListener(handle, limits, logger, options.certificates);
  const protocol: ProtocolOptions = {
    ...options,
    limits,
    bodies: options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes)),
    codec: options.codec ?? new PayloadCodec(),
    isAccepting: () => !listener.closing.aborted,
  };

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
      const path = pathOf(request);
      const isPreflight = request.method === 'OPTIONS' && exchange.headers.length > 0;
      if (isPreflight || !isProtocolPath(path)) return serveOther(exchange, path, isPreflight);
      return serveProtocol(exchange, path, reachedAt, protocol) ?? Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async function serveOther(exchange: Exchange, path: string, isPreflight: boolean): Promise<void> {
    const { request, response, id, headers } = exchange;
    const { url = '/' } = request;
    if (isPreflight) {
      response.writeHead(204, [...headers, ...origins.preflight(request)]);
      response.end();
      return;
    }
    if (path === '/metrics' && metrics !== undefined) {
      if (request.method !== 'GET') throw new MethodNotAllowed(request.method ?? '', url, 'GET');
      access.authorize(request.headers.authorization, 'read', request.socket);
      sendText(exchange, 200, metrics.contentType, await metrics.text());
      return;
    }
    if (management !== undefined) {
      request.headers['x-request-id'] = id;
      for (let index = 0; index < headers.length; index += 2) {
        response.setHeader(headers[index]!, headers[index + 1]!);
      }
      if (await management(request, response, urlOf(url))) return;
    }
    throw new SkeinError('ROUTE_UNKNOWN', `There is no ${request.method} ${path.slice(0, 200)}.`);
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

function urlOf(url: string): URL {
  const parsed = URL.parse(url, 'http://node');
  if (parsed !== null) return parsed;
  throw new SkeinError('REQUEST_INVALID', `The path ${brief(url)} is not a valid URL.`);
}
