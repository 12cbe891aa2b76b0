/**
 * One HTTP exchange with a node: whatever goes wrong comes out as a SkeinError, and nothing else.
 */
import { ERRORS, SkeinError, type ErrorBody, type ErrorCode } from '../errors.ts';

export interface Exchange {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob | Uint8Array<ArrayBuffer> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which an answer is useless. */
  readonly timeoutMs?: number | undefined;
}

export interface Transport {
  /** Resolves with a 2xx answer whose body has not been read. @throws SkeinError. */
  open(exchange: Exchange): Promise<Response>;
  /** Resolves with all of a 2xx answer. @throws SkeinError. */
  send(exchange: Exchange): Promise<{ headers: Headers; body: ArrayBuffer }>;
}

export interface TransportOptions {
  /** Where the node listens, such as `http://127.0.0.1:4700`. */
  readonly url: string | URL;
  /** API key, where the node asks for one. */
  readonly key?: string | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

export function createTransport(options: TransportOptions): Transport {
  const base = baseOf(options.url);
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  const authorization = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };

  async function exchange<T>(
    request: Exchange,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const timeout =
      request.timeoutMs === undefined
        ? undefined
        : AbortSignal.timeout(Math.max(0, Math.min(request.timeoutMs, 2 ** 31 - 1)));
    const signals = [request.signal, timeout].filter((signal) => signal !== undefined);
    try {
      const response = await fetch(base + request.path, {
        method: request.method,
        headers: { ...authorization, ...request.headers },
        body: request.body ?? null,
        signal: signals.length === 0 ? null : AbortSignal.any(signals),
      });
      if (!response.ok) throw await errorOf(response, base);
      return await read(response);
    } catch (error) {
      if (error instanceof SkeinError) throw error;
      if (request.signal?.aborted === true) {
        throw new SkeinError('CANCELLED', 'The call was cancelled.', { cause: error });
      }
      if (timeout?.aborted === true) {
        throw new SkeinError(
          'DEADLINE_EXCEEDED',
          `No answer came from ${base} within ${Math.round(request.timeoutMs ?? 0)} ms.`,
          { cause: error },
        );
      }
      throw new SkeinError('NODE_UNREACHABLE', `No node answers at ${base}${reasonOf(error)}.`, {
        cause: error,
      });
    }
  }

  return {
    open: (request) => exchange(request, (response) => Promise.resolve(response)),
    send: (request) =>
      exchange(request, async (response) => ({
        headers: response.headers,
        body: await response.arrayBuffer(),
      })),
  };
}

/** @throws SkeinError USAGE when it is not an HTTP URL. */
function baseOf(url: string | URL): string {
  const text = String(url).replace(/\/+$/, '');
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new SkeinError(
      'USAGE',
      `"${text}" is not the URL of a node; one looks like http://127.0.0.1:4700.`,
    );
  }
  return text;
}

/** What the platform says about a failed connection; browsers say nothing. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? ` (${code})` : '';
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
  // Something between us and the node, or another server altogether.
  const gone = response.status >= 502 && response.status <= 504;
  return new SkeinError(
    gone ? 'NODE_UNREACHABLE' : 'INTERNAL',
    `${base} answered ${response.status} without saying why; is it a Skein node?`,
    headerMs,
  );
}

/** @returns absent when the text is not an error body; the code of a newer node becomes INTERNAL. */
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
