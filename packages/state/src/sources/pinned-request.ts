/**
 * GET requests to addresses that a user gave, and to those that they redirect to.
 *
 * A name is resolved once, by the connection that uses the result, so that its owner cannot pass a
 * public address to the check and a private one to the connection. Each redirect is checked anew, and
 * a header with credentials goes to the first origin alone.
 */
import { lookup as resolveName } from 'node:dns';
import { request as plain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as secure } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '@skein/api/addresses';
import { SkeinError } from '@skein/api/errors';

/** The longest silence of a server, in milliseconds; buckets have the same. */
export const SILENCE_MS = 20_000;
const MOST_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface PinnedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
  /** Default: 20 s. */
  readonly silenceMs?: number | undefined;
}

export interface PinnedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Headers of the redirects before. */
  readonly passed: readonly IncomingHttpHeaders[];
  readonly body: IncomingMessage;
}

/** @throws SkeinError SOURCE_PRIVATE, SOURCE_UNKNOWN (a redirect to nowhere); errors of the connection. */
export async function pinnedGet(first: URL, request: PinnedRequest): Promise<PinnedAnswer> {
  const passed: IncomingHttpHeaders[] = [];
  let url = first;
  for (;;) {
    const { authorization: _, ...open } = request.headers;
    const headers = url.origin === first.origin ? request.headers : open;
    const body = await once(url, { ...request, headers });
    const { statusCode: status = 0, headers: answered } = body;
    const { location } = answered;
    if (!REDIRECTS.has(status) || location === undefined) {
      return { status, headers: answered, passed, body };
    }
    body.destroy();
    passed.push(answered);
    const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
    if (passed.length > MOST_REDIRECTS || next === undefined || !/^https?:$/.test(next.protocol)) {
      const why =
        passed.length > MOST_REDIRECTS
          ? 'again and again'
          : `to "${location.replace(/[?#].*$/s, '')}"`;
      throw new SkeinError('SOURCE_UNKNOWN', `${placeOf(first)} redirects ${why}.`);
    }
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw new SkeinError('SOURCE_UNKNOWN', `${placeOf(first)} redirects from https to http.`);
    }
    url = next;
  }
}

function once(url: URL, request: PinnedRequest): Promise<IncomingMessage> {
  const { headers, allowPrivate, signal, silenceMs = SILENCE_MS } = request;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // An address is connected to without a look-up.
  if (isIP(host) !== 0) requireAllowed(url.hostname, [host], url.protocol, allowPrivate);
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? secure : plain)(url, {
      headers: { 'accept-encoding': 'identity', 'user-agent': 'skein', ...headers },
      lookup: pinnedLookup(url.protocol, allowPrivate),
      agent: false,
      timeout: silenceMs,
      signal,
    });
    let answer: IncomingMessage | undefined;
    outgoing.on('timeout', () => {
      (answer ?? outgoing).destroy(new Error(`no answer in ${silenceMs / 1000} s`));
    });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => resolve((answer = incoming)));
    outgoing.end();
  });
}

/** Resolves a name to the addresses that a connection may use. */
export function pinnedLookup(protocol: string, allowPrivate: boolean): LookupFunction {
  return (host, options, done) => {
    resolveName(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, []);
      try {
        const addresses = found.map(({ address }) => address);
        const allowed = requireAllowed(host, addresses, protocol, allowPrivate);
        const kept = found.filter(({ address }) => allowed.includes(address));
        if (options.all === true) return done(null, kept);
        return done(null, kept[0]!.address, kept[0]!.family);
      } catch (refusal) {
        return done(refusal as Error, []);
      }
    });
  };
}

/** @throws SkeinError SOURCE_PRIVATE; USAGE for plain HTTP to the internet. */
export function requireAllowed(
  host: string,
  addresses: readonly string[],
  protocol: string,
  allowPrivate: boolean,
): readonly string[] {
  const shown = addresses.join(', ');
  if (protocol === 'http:') {
    const local = addresses.filter((address) => !isPublicAddress(address));
    if (local.length > 0 && allowPrivate) return local;
    if (local.length === 0) {
      throw new SkeinError(
        'USAGE',
        `${host} (${shown}) is on the internet, where http:// can be changed on the way: write https://.`,
      );
    }
  }
  if (allowPrivate) return addresses;
  const open = protocol === 'http:' ? [] : addresses.filter(isPublicAddress);
  if (open.length > 0) return open;
  throw new SkeinError('SOURCE_PRIVATE', `${host} is at ${shown}, which is not a public address.`);
}

/** The address without its query and user, which may hold secrets. */
export function placeOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
