/**
 * Requests to the JSON API of Google Cloud Storage: the token, retries, and errors.
 *
 * Tokens come from Google's own library. Decision 26 gives the reason why the rest of the client is ours.
 *
 * An object is named by the digest of its bytes, so a request that is sent twice has the effect of
 * one: every request may be retried.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { exchange, SilenceError } from './bounded-request.ts';
import { googleHeaders, type GoogleHeaders } from './google-credentials.ts';
import { within } from '@skein/api/waits';

/** An answer that is not a success. */
export class GcsError extends Error {
  readonly status: number;
  /** Google's word for it, such as `quotaExceeded`. */
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = reason;
    this.status = status;
    this.reason = reason;
  }
}

export interface GcsRequest {
  readonly method?: 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** Statuses other than 2xx that are no error. */
  readonly also?: readonly number[];
  /** Default: the number in the constants of this file. */
  readonly tries?: number;
  readonly signal?: AbortSignal;
}

/** @throws GcsError; SilenceError; the error of the connection when that failed. */
export type GcsSend = (url: string | URL, request?: GcsRequest) => Promise<Response>;

/** Google's list of statuses that are worth another try. */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);
/** Writes of one object are limited to one a second, so that the pauses must add up to more. */
export const TRIES = 5;
const FIRST_PAUSE_MS = 200;
/** A silence is long already: one more try finds a connection that works, if there is one. */
const SILENCES = 2;
const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';

/**
 * @param authenticated whether requests have a token.
 * @param silenceMs how long Google may be silent, in milliseconds.
 */
export async function gcsSender(authenticated: boolean, silenceMs: number): Promise<GcsSend> {
  const tokenHeaders = authenticated ? await tokens(silenceMs) : async () => ({});

  async function once(url: string | URL, request: GcsRequest): Promise<Response> {
    const { method = 'GET', body, signal } = request;
    const headers = { ...(await tokenHeaders()), ...request.headers };
    const response = await exchange(new URL(url), { method, headers, body, silenceMs, signal });
    if (response.ok || request.also?.includes(response.status)) return response;
    throw await errorOf(response);
  }

  return async (url, request = {}) => {
    const { tries = TRIES, signal } = request;
    for (let failed = 1, silent = 0; ; failed += 1) {
      try {
        return await once(url, request);
      } catch (error) {
        if (error instanceof SilenceError) silent += 1;
        const isLast = failed === tries || silent === SILENCES || signal?.aborted === true;
        if (isLast || !mayPass(error)) throw error;
      }
      await pause(failed);
    }
  };
}

/** Whether the same request may succeed later. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof GcsError) || PASSING.has(error.status);
}

/** Nodes that failed together do not come back together. @param failed tries so far. */
export async function pause(failed: number): Promise<void> {
  await sleep(FIRST_PAUSE_MS * 2 ** (failed - 1) * (0.5 + Math.random()));
}

async function tokens(silenceMs: number): Promise<GoogleHeaders> {
  const headers = await googleHeaders(SCOPE);
  return async () => {
    try {
      // Google's library waits for the server of the machine's tokens without a bound.
      return await within(headers(), silenceMs, () => {
        throw new SilenceError(silenceMs);
      });
    } catch (error) {
      const { message, status } = error as { message: string; status?: number };
      // Without a status there are no credentials, unless their server did not answer.
      if (status === undefined && !message.includes('default credentials')) throw error;
      throw new GcsError(status ?? 401, 'noCredentials', message);
    }
  };
}

async function errorOf(response: Response): Promise<GcsError> {
  const text = await response.text();
  let reason = response.statusText || 'refused';
  // A proxy may answer with a page, which adds nothing to the status.
  let message = text.startsWith('<') ? '' : text.slice(0, 300).trim();
  try {
    const { error } = readJson(text, JSON_BOUNDS.answer) as {
      error: { message: string; errors?: readonly { reason?: string }[] };
    };
    message = error.message;
    reason = error.errors?.[0]?.reason ?? reason;
  } catch {
    // A refused download is plain text, and so is the answer of a proxy.
  }
  return new GcsError(response.status, reason, `${response.status} ${message}`.trim());
}
