/**
 * TLS servers whose certificate may change while they run.
 *
 * A client certificate admits a connection but does not identify the caller: the API key does, so
 * that rights, quotas and the audit trail have one source. A connection is closed if its handshake
 * fails or takes too long, for example because it speaks plain HTTP.
 */
import type { Server, ServerOptions } from 'node:http';
import { createServer } from 'node:https';
import type { TlsOptions, TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';

/** Timeout of a handshake, in milliseconds: the same as for the headers of a request. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export function tlsOptions({ current, mutual }: Certificates): TlsOptions {
  return {
    ...current.context,
    requestCert: mutual,
    rejectUnauthorized: mutual,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

/**
 * An HTTP/1.1 server over TLS.
 * @param alpn protocols that it accepts, in order of preference. Default: HTTP/1.1.
 */
export function createSecureHttpServer(
  options: ServerOptions,
  certificates: Certificates,
  alpn: readonly string[] = ['http/1.1'],
): Server {
  const tls = { ...tlsOptions(certificates), ALPNProtocols: [...alpn] };
  const server = createServer({ ...options, ...tls });
  // Node leaves the connection to this listener; no answer can be sent, so close it.
  server.on('tlsClientError', (_error: Error, socket: TLSSocket) => void socket.destroy());
  const stop = certificates.onChange((context) => server.setSecureContext(context));
  server.once('close', stop);
  return server;
}
