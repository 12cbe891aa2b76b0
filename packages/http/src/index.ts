/** What every HTTP service of Skein shares. Start at `createHttpListener` and `Exchange`. */
export { readBody } from './body.ts';
export { bodyBudget, defaultBodyBudget } from './body-budget.ts';
export { sendDownload, type Download } from './download.ts';
export {
  boundSilence,
  boundUnreadAnswer,
  boundUnreadBody,
  endWithin,
  type Exchange,
  SAFE_HEADERS,
  sendError,
  sendJson,
  sendText,
} from './exchange.ts';
export {
  CONTENT_TYPE,
  createExposition,
  labelled,
  type Exposition,
  type Labels,
} from './exposition.ts';
export { toSkeinError } from './fault.ts';
export { readJson } from './json-body.ts';
export { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
export { listenOnFreePort, type ListenAddress, type ListenOptions } from './listen.ts';
export { createHttpListener, type HttpHandler, type HttpListener } from './listener.ts';
export type { GatewayLogger } from './logger.ts';
export { isLoopback } from './loopback.ts';
export { createOriginPolicy, type OriginPolicy } from './origin-policy.ts';
export { PeerTimeouts } from './peer-timeouts.ts';
export { remoteOf, type Peer } from './peer.ts';
export { readQuery } from './query.ts';
export { requestIdFrom } from './request-id.ts';
export { type Certificates, openCertificates } from './tls/certificates.ts';
export type { TlsFiles } from './tls/material.ts';
export { tlsOptions } from './tls/secure-servers.ts';
