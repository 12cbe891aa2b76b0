/**
 * Rules of RFC 9112 for the first lines of a request that Node's parser leaves open. Node would
 * answer some violations on its own, with an empty body; here each case is a coded error.
 */
import { SkeinError } from '@skein/api';
import type { HttpRequest } from '../exchange/exchange.ts';

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)/i;

/** Only a target that is a whole URL is written anew, and one that was read whole is a path already. */
type Assignable = Omit<HttpRequest, 'url'> & { url?: string | undefined };

/**
 * Brings the target to its usual form: a path. A client that takes the service for a proxy sends a
 * whole URL, whose authority then counts instead of the Host header.
 * @param expectsContinue whether Node supports the expectation of the client.
 * @throws SkeinError REQUEST_INVALID, ROUTE_UNKNOWN.
 */
export function checkHead(request: Assignable, expectsContinue: boolean): void {
  const { url = '/', headers } = request;
  if (url.charCodeAt(0) !== SLASH && url !== '*') {
    const [, authority, path] = ABSOLUTE.exec(url) ?? [];
    if (authority === undefined || path === undefined) {
      throw invalid(`The target ${quoted(url)} is neither a path nor an http:// address`);
    }
    headers.host = authority;
    request.url = path.startsWith('/') ? path : `/${path}`;
  }
  // A URL parser would take what follows two slashes for a host; it reads a backslash as a slash.
  const second = request.url?.charCodeAt(1);
  if (second === SLASH || second === BACKSLASH) {
    throw new SkeinError('ROUTE_UNKNOWN', `There is no ${request.method} ${quoted(url)}.`);
  }
  // HTTP/1.0 has no Host header; every browser sends HTTP/1.1, so the origin policy loses nothing.
  // Its expectations are ignored, as RFC 9110 asks.
  if (request.httpVersion === '1.0') return;
  if (headers.host === undefined) {
    throw invalid('The request has no Host header, which HTTP/1.1 requires');
  }
  // Node takes the first one, a proxy in front of the service perhaps the last.
  if (hostsIn(request.rawHeaders) > 1) throw invalid('The request has more than one Host header');
  if (headers.expect !== undefined && !expectsContinue) {
    throw invalid(`The Expect header is ${quoted(headers.expect)}; only 100-continue is known`);
  }
}

function hostsIn(headers: readonly string[] = []): number {
  let hosts = 0;
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]!.length === 4 && headers[at]!.toLowerCase() === 'host') hosts++;
  }
  return hosts;
}

function invalid(what: string): SkeinError {
  return new SkeinError('REQUEST_INVALID', `${what}.`);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
