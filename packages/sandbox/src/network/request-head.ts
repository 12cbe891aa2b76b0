/**
 * Parses a request to a proxy: a tunnel (`CONNECT host:port`), or one request that names its server
 * (`GET http://host/path`). Follows RFC 9110 §9.3.6 and RFC 9112 §3.2.
 */
import { Buffer } from 'node:buffer';
import type { Target } from './allow-list.ts';

export type ProxyRequest =
  | { readonly kind: 'tunnel'; readonly target: Target }
  | {
      readonly kind: 'request';
      readonly target: Target;
      /** The bytes that the server is sent first. */
      readonly head: Buffer;
    };

const LINE = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/;
const AUTHORITY = /^([^:\s[\]]+):(\d{1,5})$/;
/** A name of RFC 9110's tokens, its colon, and a value in one line. */
const FIELD = /^[\w!#$%&'*+.^`|~-]+:[^\r\n\0]*$/;
/** Fields between the client and the proxy only; and one connection carries one request. */
const OWN = /^(connection|keep-alive|proxy-[a-z-]+|host|upgrade|te)\s*:/i;

/**
 * @param text the lines of a request up to the empty one. Undefined when it is not a request to a
 * proxy.
 */
export function readProxyRequest(text: string): ProxyRequest | undefined {
  const [first = '', ...fields] = text.split('\r\n');
  const [, method = '', what = ''] = LINE.exec(first) ?? [];
  if (method === 'CONNECT') {
    const [, host, port] = AUTHORITY.exec(what) ?? [];
    if (host === undefined) return undefined;
    return { kind: 'tunnel', target: { host: host.toLowerCase(), port: Number(port) } };
  }
  const url = URL.canParse(what) ? new URL(what) : undefined;
  // A folded line, or a name that servers parse differently, would hide a field.
  const isOdd = fields.some((field) => field !== '' && !FIELD.test(field));
  if (url?.protocol !== 'http:' || url.username !== '' || url.password !== '' || isOdd) {
    return undefined;
  }
  const head = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    ...fields.filter((field) => field !== '' && !OWN.test(field)),
    'Connection: close',
  ];
  return {
    kind: 'request',
    target: { host: url.hostname, port: Number(url.port || '80') },
    head: Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'),
  };
}
