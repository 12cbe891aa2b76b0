/**
 * The HTTP face of a node: one listener for the Open Inference Protocol, the metrics and the
 * management API. Every request gets an id, passes the origin policy, and ends with an answer or a
 * coded error.
 */
import type { IncomingMessage } from 'node:http';
import { SkeinError } from '@skein/api';
import type { SharedBudget } from '@skein/api/shared-budget';
import {
  bodyBudget,
  type Certificates,
  createExchangeListener,
  createOriginPolicy,
  DEFAULT_LIMITS,
  defaultBodyBudget,
  type Exchange,
  type GatewayLimits,
  type GatewayLogger,
  type HttpListener,
  MethodNotAllowed,
  type Routes,
  sendText,
} from '@skein/http';
import { isProtocolPath, serveProtocol, type ProtocolOptions } from './http-protocol.ts';
import { PayloadCodec } from './payload-codec.ts';

export interface HttpGatewayOptions extends Omit<
  ProtocolOptions,
  'limits' | 'isAccepting' | 'bodies' | 'codec'
> {
  /** Answers what is outside of the protocol. */
  readonly management?: Pick<Routes, 'serve'>;
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
  const { certificates } = options;
  const listener = createExchangeListener(route, { origins, limits, logger, certificates });
  const protocol: ProtocolOptions = {
    ...options,
    limits,
    bodies: options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes)),
    codec: options.codec ?? new PayloadCodec(),
    isAccepting: () => !listener.closing.aborted,
  };

  /** Not an async function: a promise here would cost every request. */
  function route(exchange: Exchange, reachedAt: number): Promise<void> {
    const path = pathOf(exchange.request);
    if (!isProtocolPath(path)) return serveOther(exchange, path);
    return serveProtocol(exchange, path, reachedAt, protocol) ?? Promise.resolve();
  }

  async function serveOther(exchange: Exchange, path: string): Promise<void> {
    const { request } = exchange;
    const { method = '' } = request;
    if (path === '/metrics' && metrics !== undefined) {
      if (method !== 'GET') throw new MethodNotAllowed(method, path, ['GET']);
      access.authorize(request.headers.authorization, 'read', request.socket);
      sendText(exchange, 200, metrics.contentType, await metrics.text());
      return;
    }
    if (management !== undefined) return management.serve(exchange);
    throw new SkeinError('ROUTE_UNKNOWN', `There is no ${method} ${path.slice(0, 200)}.`);
  }

  return listener;
}

/** Of the URL, without the query. */
function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
