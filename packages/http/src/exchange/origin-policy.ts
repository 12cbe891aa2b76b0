/**
 * Which browser pages may call this node.
 *
 * A node that is open without keys trusts every process on this machine, and a browser on this
 * machine runs pages from the internet. Three checks reject their requests:
 * - The Host header must be a loopback name: a page whose domain was rebound to 127.0.0.1 still
 *   sends its own. A request without one is HTTP/1.0, which no browser speaks.
 * - An Origin header must be the node's own origin or an allowed one. Browsers send it with every
 *   request that may change something, and with reads whose answer the page may see.
 * - Without an Origin header, Sec-Fetch-Site must not name another origin: browsers request images,
 *   scripts and frames of other pages without one. Pages on other ports of this machine
 *   (`same-site`) count as other origins. Links to the console and the documentation work from
 *   any page, because a page cannot read what another window shows. Clients that are not browsers
 *   do not send the header.
 *
 * With keys no check is needed, because a browser never adds a key on its own; allowed origins
 * then only get their CORS headers.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { SkeinError } from '@skein/api';
import type { HttpRequest } from './exchange.ts';

export interface OriginPolicy {
  /**
   * @returns CORS headers for the answer, name and value alternating.
   * @throws SkeinError ORIGIN_FORBIDDEN.
   */
  admit(request: HttpRequest): readonly string[];
  /** The answer to a preflight, for an origin that `admit` let pass. */
  preflight(request: HttpRequest): readonly string[];
}

const NONE: readonly string[] = [];
/** Answer headers that a page may read. */
const EXPOSED = [
  'Inference-Header-Content-Length',
  'Retry-After',
  'Retry-After-Ms',
  'X-Should-Retry',
  'Server-Timing',
  'X-Request-Id',
  'ETag',
  'Location',
  'Skein-Provider',
  'Skein-Cache',
  'Skein-Attempts',
  'Skein-Cost-Usd',
  'Skein-Cost-Limit-Usd',
  'Skein-Redacted',
].join(', ');
const PREFLIGHT_SECONDS = 600;
/** Paths that other pages may link to. */
const PAGES: ReadonlySet<string> = new Set(['/', '/docs']);

/**
 * @param open whether the node requires no keys.
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
  /** The last accepted Host: clients rarely send another one. */
  let known: string | undefined;

  function checkHost(host: string | undefined): void {
    if (host === undefined || host === known) return;
    if (allowedHosts.has(host) || isLoopback(hostname(host))) {
      known = host;
      return;
    }
    throw new SkeinError(
      'ORIGIN_FORBIDDEN',
      `This node is open on loopback without keys, so it answers to loopback names only, not to "${host}".`,
    );
  }

  /** `none` means that the user typed the address; clients that are not browsers send no header. */
  function checkSite(request: HttpRequest): void {
    const { headers } = request;
    const site = headers['sec-fetch-site'];
    if (site === undefined || site === 'same-origin' || site === 'none') return;
    if (isVisit(request)) return;
    throw new SkeinError(
      'ORIGIN_FORBIDDEN',
      'A page of another origin called a node that is open without keys.',
    );
  }

  return {
    admit(request) {
      const { host, origin } = request.headers;
      if (open) checkHost(host);
      if (origin === undefined) {
        if (open) checkSite(request);
        return NONE;
      }
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

/** Whether the user navigates to a page of the node in a window of its own. */
function isVisit({ method, headers, url = '/' }: HttpRequest): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    PAGES.has(url.split('?', 1)[0]!)
  );
}

function hostname(host: string): string {
  return host.replace(/:\d+$/, '');
}

/** Whether only this machine can reach an address: 127.0.0.0/8 (also as IPv4-mapped IPv6), ::1 and localhost. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost') return true;
  const mapped = /^::ffff:([0-9.]+)$/.exec(bare)?.[1] ?? bare;
  if (isIPv4(mapped)) return mapped.startsWith('127.');
  // Any spelling of ::1, such as 0:0:0:0:0:0:0:1.
  return isIPv6(bare) && /^[0:]*:0{0,3}1$/.test(bare);
}
