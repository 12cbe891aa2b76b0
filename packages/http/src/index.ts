/** The parts that every HTTP service of Skein shares. Start at `serveRoutes`. */
export { readBody } from './bodies/body.ts';
export { bodyBudget, countedBytes, defaultBodyBudget } from './bodies/body-budget.ts';
export { decompress, isEncoding } from './bodies/decompress.ts';
export type { Download } from './bodies/download.ts';
export {
  type EventSource,
  eventStreamBudget,
  MAX_EVENT_STREAMS,
  type ServerEvent,
} from './exchange/event-streams.ts';
export {
  type Exchange,
  type HttpRequest,
  MethodNotAllowed,
  type NodeExchange,
  type Peer,
  remoteOf,
  SAFE_HEADERS,
  sendErrorAs,
  sendJson,
  sendText,
  streamHeaders,
} from './exchange/exchange.ts';
export { createExchangeListener } from './listener/exchange-listener.ts';
export { CONTENT_TYPE, createExposition, labelled, type Exposition } from './exposition.ts';
export { destroyWithin, LINGER_MS, refuseConnection } from './listener/connections.ts';
export { type GatewayLogger, toSkeinError } from './fault.ts';
export { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
export { listenOnFreePort, type ListenAddress, type ListenOptions } from './listener/listen.ts';
export type { HttpListener, OtherProtocols, UpgradeHandler } from './listener/listener.ts';
export { createOriginPolicy, isLoopback } from './exchange/origin-policy.ts';
export { PeerTimeouts } from './listener/peer-timeouts.ts';
export { SharedReading } from './listener/shared-reading.ts';
export { TurnTime } from './listener/turn-time.ts';
export { requestIdFrom } from './exchange/request-id.ts';
export { bundleOf, type Page, pagesOf } from './routes/pages.ts';
export {
  type Call,
  type CallerAccess,
  createRoutes,
  type Handlers,
  type Operation,
  ROUTE_LIMITS,
  type RouteLimits,
  type RouteOptions,
  type Routes,
} from './routes/routes.ts';
export { serveRoutes } from './routes/service.ts';
export { bearerOf, hashToken, idOfToken, issueToken } from './token.ts';
export { type Certificates, openCertificates } from './tls/certificates.ts';
export type { TlsFiles } from './tls/material.ts';
export { tlsOptions } from './tls/secure-servers.ts';
