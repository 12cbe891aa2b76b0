/**
 * Which browser pages may call this node.
 *
 * A node that is open without keys trusts everybody on this machine, and a browser on this machine
 * runs pages from everywhere. Two checks keep them out: the Host header must be a loopback name (a
 * page whose domain was rebound to 127.0.0.1 still sends its own), and an Origin header must be the
 * node's own origin or one that was allowed. With keys neither is needed, since a browser does not
 * send a key by itself; then allowed origins only get their CORS headers.
 */
import type { IncomingMessage } from 'node:http';
import { SkeinError } from '@skein/api';
import { isLoopback } from '../access/exposure.ts';

export interface OriginPolicy {
  /**
   * @returns CORS headers for the answer, name and value in turn.
   * @throws SkeinError ORIGIN_FORBIDDEN.
   */
  admit(request: IncomingMessage): readonly string[];
  /** The answer to a preflight, for an origin that `admit` let pass. */
  preflight(request: IncomingMessage): readonly string[];
}

const NONE: readonly string[] = [];
/** What a page may read of an answer besides its body. */
const EXPOSED =
  'Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id, ETag, Location';
const PREFLIGHT_SECONDS = 600;

/**
 * @param open whether the node asks for no keys.
 * @param allowedOrigins such as `https://app.example.com`.
 * @param scheme of the node's own pages.
 */
export function createOriginPolicy(
  open: boolean,
  allowedOrigins: readonly string[],
  scheme: 'http' | 'https' = 'http',
): OriginPolicy {
  const allowed = new Set(allowedOrigins);
  const allowedHosts = new Set(allowedOrigins.map((origin) => new URL(origin).host));
  /** The last Host that passed; clients hardly ever send another. */
  let known: string | undefined;

  function checkHost(host: string | undefined): void {
    if (host !== undefined && host === known) return;
    if (host !== undefined && (allowedHosts.has(host) || isLoopback(hostname(host)))) {
      known = host;
      return;
    }
    throw new SkeinError(
      'ORIGIN_FORBIDDEN',
      `This node is open on loopback without keys, so it answers to loopback names only, not to "${host ?? ''}".`,
    );
  }

  return {
    admit(request) {
      const { host, origin } = request.headers;
      if (open) checkHost(host);
      if (origin === undefined) return NONE;
      if (allowed.has(origin)) {
        return [
          'Access-Control-Allow-Origin',
          origin,
          'Access-Control-Expose-Headers',
          EXPOSED,
          'Vary',
          'Origin',
        ];
      }
      if (!open || origin === `${scheme}://${host}`) return NONE;
      throw new SkeinError(
        'ORIGIN_FORBIDDEN',
        `A page of ${origin} called a node that is open without keys.`,
      );
    },

    preflight(request) {
      return [
        'Access-Control-Allow-Methods',
        'GET, HEAD, POST, PUT, PATCH, DELETE',
        'Access-Control-Allow-Headers',
        request.headers['access-control-request-headers'] ?? '*',
        'Access-Control-Max-Age',
        String(PREFLIGHT_SECONDS),
      ];
    },
  };
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, '');
}
