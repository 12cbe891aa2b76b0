/**
 * Servers that speak TLS with a certificate that may change while they run.
 *
 * A client certificate admits a connection and names no caller: who calls is said by the API key, so
 * that rights, quotas and the audit trail have one source. A connection whose handshake takes too long
 * or fails, such as one that speaks plain HTTP, is closed.
 */
import type { Server, ServerOptions } from 'node:http';
import { createServer } from 'node:https';
import type { TlsOptions, TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';

/** For the handshake of a connection, in milliseconds: as long as the headers of a request may take. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export function tlsOptions({ current, mutual }: Certificates): TlsOptions {
  return {
    ...current.context,
    requestCert: mutual,
    rejectUnauthorized: mutual,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
}

/** An HTTP/1.1 server over TLS. */
export function createSecureHttpServer(options: ServerOptions, certificates: Certificates): Server {
  const server = createServer({ ...options, ...tlsOptions(certificates) });
  // Node leaves the connection to whom it tells; an answer could not be sent, so it would stay open.
  server.on('tlsClientError', (_error: Error, socket: TLSSocket) => void socket.destroy());
  const stop = certificates.onChange((context) => server.setSecureContext(context));
  server.once('close', stop);
  return server;
}
