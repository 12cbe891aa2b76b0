/**
 * One HTTP exchange with a node: every failure becomes a SkeinError.
 */
import { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from '../errors.ts';
import { timerMs } from '../waits.ts';

/**
 * A request that fetch may repeat without its caller, after a redirect or to log in, keeps a copy of its
 * whole body: an upload would take as much memory as it has bytes.
 */
const UNREPEATED = { redirect: 'error', window: null } as const;

export interface Exchange {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob | Uint8Array<ArrayBuffer> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the caller no longer needs the answer. */
  readonly timeoutMs?: number | undefined;
}

export interface Transport {
  /**
   * Resolves with a 2xx answer whose body has not been read; ignores `timeoutMs`. @throws
   * SkeinError.
   */
  open(exchange: Exchange): Promise<Response>;
  /** Resolves with all of a 2xx answer. @throws SkeinError. */
  send(exchange: Exchange): Promise<{ headers: Headers; body: ArrayBuffer }>;
  /** The value of a body of JSON. @throws SkeinError INTERNAL when it is something else. */
  parse(body: ArrayBuffer): unknown;
}

export interface TransportOptions {
  /** Where the node listens, such as `http://127.0.0.1:4700`. */
  readonly url: string | URL;
  /** API key, when the node requires one. */
  readonly key?: string | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export function createTransport(options: TransportOptions): Transport {
  const base = baseOf(options.url);
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const authorization = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };

  /** Runs one fetch; its answer is complete, or abandoned, when this returns. */
  async function bounded<T>(
    request: Exchange,
    run: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const { timeoutMs } = request;
    if (timeoutMs === undefined) return guarded(request, () => run(request.signal));
    // Not AbortSignal.timeout: its timer would outlive the call, thousands of them under load.
    const abort = new AbortController();
    const forward = (): void => abort.abort(request.signal?.reason);
    if (request.signal?.aborted === true) forward();
    request.signal?.addEventListener('abort', forward);
    const timer = setTimeout(() => {
      abort.abort(
        new SkeinError(
          'DEADLINE_EXCEEDED',
          `No answer came from ${base} within ${Math.round(timeoutMs)} ms.`,
        ),
      );
    }, timerMs(timeoutMs));
    try {
      return await guarded(request, () => run(abort.signal));
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', forward);
    }
  }

  /** Converts any thrown value to a SkeinError. */
  async function guarded<T>(request: Exchange, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      // A fetch that is aborted rejects with the reason, which for a deadline is already one.
      if (error instanceof SkeinError) throw error;
      if (request.signal?.aborted === true) {
        throw new SkeinError('CANCELLED', 'The call was cancelled.', { cause: error });
      }
      throw connectionError(base, error);
    }
  }

  async function request(
    { method, path, headers, body }: Exchange,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    checkKey(options.key);
    const response = await fetch(base + path, {
      method,
      headers: { ...authorization, ...headers },
      body: body ?? null,
      signal: signal ?? null,
      ...(body instanceof Blob ? UNREPEATED : {}),
    });
    if (response.ok) return response;
    throw await errorOf(response, base);
  }

  return {
    open: (exchange) => guarded(exchange, () => request(exchange, exchange.signal)),
    send: (exchange) =>
      bounded(exchange, async (signal) => {
        const response = await request(exchange, signal);
        return { headers: response.headers, body: await response.arrayBuffer() };
      }),
    parse(body) {
      try {
        return JSON.parse(new TextDecoder().decode(body)) as unknown;
      } catch (cause) {
        const message = `${base} answered with something other than JSON; is it a Skein node?`;
        throw new SkeinError('INTERNAL', message, { cause });
      }
    },
  };
}

/** @throws SkeinError KEY_INVALID when no header can carry it: `fetch` would fail as if no node answered. */
export function checkKey(key: string | undefined): void {
  if (key === undefined || /^[\x20-\x7e]*$/.test(key)) return;
  throw new SkeinError(
    'KEY_INVALID',
    'The key has a character that no key has, such as the end of a line.',
  );
}

/** @throws SkeinError USAGE when it is not an HTTP URL. */
function baseOf(url: string | URL): string {
  const text = String(url).replace(/\/+$/, '');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new SkeinError(
      'USAGE',
      `"${text}" is not the URL of a node, such as http://127.0.0.1:4700.`,
    );
  }
  const { username, password, host } = new URL(text);
  if (username !== '' || password !== '') {
    throw new SkeinError(
      'USAGE',
      `The URL of the node at ${host} names a user or a password, which a node does not take; give a key instead.`,
    );
  }
  return text;
}

/**
 * Explains a failed `fetch` by the platform's error code; browsers give none.
 * @param url of the node.
 */
export function connectionError(url: string, error: unknown): SkeinError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = code === '' ? '' : ` (${code})`;
  if (/CERT|TLS|SSL|ISSUER|SIGNATURE/.test(code)) {
    // A clock that is years off takes a valid certificate for one of another time.
    const now = /EXPIRED|NOT_YET_VALID/.test(code)
      ? `; the clock of this machine shows ${new Date().toISOString()}`
      : '';
    return new SkeinError('TLS_FAILED', `The TLS connection to ${url} failed${reason}${now}.`, {
      cause: error,
    });
  }
  // In TLS 1.3 a client has already finished its handshake when the server rejects a missing
  // certificate.
  const closed = url.startsWith('https:') && /SOCKET|ECONNRESET|EPIPE/.test(code);
  const hint = closed
    ? '; a node that asks for a client certificate closes connections without'
    : '';
  return new SkeinError('NODE_UNREACHABLE', `No node answers at ${url}${reason}${hint}.`, {
    cause: error,
  });
}

async function errorOf(response: Response, base: string): Promise<SkeinError> {
  const text = await response.text();
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const headerMs = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
  const body = parseBody(text);
  if (body !== undefined) {
    const retry = body.retryAfterMs === undefined ? headerMs : { retryAfterMs: body.retryAfterMs };
    return new SkeinError(body.code, body.error, retry);
  }
  // A proxy between the client and the node answered, or another server.
  const gone = response.status >= 502 && response.status <= 504;
  return new SkeinError(
    gone ? 'NODE_UNREACHABLE' : 'INTERNAL',
    `${base} answered ${response.status} without a reason; is it a Skein node?`,
    headerMs,
  );
}

/**
 * @returns undefined when the text is not an error body; the code of a newer node becomes INTERNAL.
 */
function parseBody(text: string): ErrorBody | undefined {
  try {
    const body = JSON.parse(text) as Partial<ErrorBody> | null;
    if (typeof body?.error !== 'string') return undefined;
    const { code: sent = 'INTERNAL' } = body;
    const code: ErrorCode = Object.hasOwn(ERRORS, sent) ? sent : 'INTERNAL';
    const { retryAfterMs } = body;
    return {
      error: body.error,
      code,
      fix: ERRORS[code].fix,
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    };
  } catch {
    return undefined;
  }
}
