/**
 * The HTTP listener of a node, on which its faces register their paths. Every request gets an id,
 * passes the origin policy, and ends with an answer or a coded error.
 */
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
  type HttpRequest,
  type NodeExchange,
  type OtherProtocols,
} from '@skein/http';
import { type Face, type HttpRoutes, unknownRoute } from '../face.ts';

/** `http2` is gRPC on the same port, `upgrade` the other members of a fleet. */
export interface HttpGatewayOptions extends OtherProtocols {
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
  const { certificates, http2, upgrade } = options;
  const listener = createExchangeListener(route, {
    origins,
    limits,
    logger,
    certificates,
    http2,
    upgrade,
    whole: {
      takes: (request) => faceFor(pathOf(request))?.serveWhole !== undefined,
      serve: routeWhole,
    },
  });
  const transport = {
    limits,
    bodies: options.bodies ?? bodyBudget(defaultBodyBudget(limits.maxBodyBytes)),
    isAccepting: () => !listener.closing.aborted,
  };
  const faces = options.faces.flatMap(({ http }) => http?.(transport) ?? []);

  function faceFor(path: string): HttpRoutes | undefined {
    for (const face of faces) if (face.owns(path)) return face;
    return undefined;
  }

  /** Not an async function: a promise here would cost every request. */
  function route(exchange: NodeExchange, reachedAt: number): Promise<void> {
    const path = pathOf(exchange.request);
    const face = faceFor(path);
    if (face === undefined) throw unknownRoute(exchange);
    return face.serve(exchange, path, reachedAt) ?? Promise.resolve();
  }

  function routeWhole(exchange: Exchange, reachedAt: number): Promise<void> {
    const path = pathOf(exchange.request);
    return faceFor(path)!.serveWhole!(exchange, path, reachedAt) ?? Promise.resolve();
  }

  return listener;
}

/** The path of the URL, without the query. */
function pathOf({ url = '/' }: HttpRequest): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
